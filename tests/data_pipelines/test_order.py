import collections

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipelines import order


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.05, 1), min_size=1, max_size=4), st.integers(0, 5000))
def test_mixture_deals_evenly_and_counts_without_gaps(weights, first):
    mixture = order.Mixture({str(i): w for i, w in enumerate(weights)})
    dealt = [mixture.at(p) for p in range(first, first + 300)]
    for domain, weight in enumerate(weights):
        ordinals = [o for d, o in dealt if d == domain]
        if ordinals:
            assert ordinals == list(range(ordinals[0], ordinals[0] + len(ordinals)))
        # Evenly: in any stretch the count is within a few items of the share (rounded to 1/1000).
        assert abs(len(ordinals) - 300 * weight / sum(weights)) <= 4


def test_mixture_refuses_nothing():
    for weights in ({}, {"a": 0.0}):
        with pytest.raises(ValueError):
            order.Mixture(weights)


def test_every_clip_once_an_epoch():
    clips = order.ClipOrder(["a"] * 7 + ["b"] * 4, seed=3)
    epochs = [[clips.at(e * 11 + i) for i in range(11)] for e in range(3)]
    assert all(sorted(epoch) == list(range(11)) for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_speaker_power_zero_treats_speakers_alike():
    speakers = ["a"] * 90 + ["b"] * 10
    drawn = collections.Counter(speakers[order.ClipOrder(speakers, 0, 0.0).at(i)] for i in range(1000))
    assert abs(drawn["a"] - 500) < 5 * np.sqrt(250)  # five standard deviations
    drawn = collections.Counter(speakers[order.ClipOrder(speakers, 0, 0.5).at(i)] for i in range(1000))
    assert abs(drawn["a"] - 750) < 5 * np.sqrt(1000 * 0.75 * 0.25)  # 90 ** .5 : 10 ** .5 = 3 : 1


def test_other_is_another_speaker():
    speakers = ["a"] * 5 + ["b"] * 2 + ["c"]
    clips = order.ClipOrder(speakers, 0)
    rng = np.random.default_rng(0)
    seen = {(speakers[i], speakers[clips.other(i, *rng.random(2))]) for i in range(8) for _ in range(30)}
    assert seen == {(x, y) for x in "abc" for y in "abc" if x != y}


def test_one_speaker_has_only_itself():
    assert order.ClipOrder(["a", "a"], 0).other(0, 0.3, 0.7) in (0, 1)


@pytest.mark.parametrize("reuse", [2, 8])
def test_a_reused_clip_is_read_once_by_a_memory_that_holds_few(reuse):
    speakers = [f"s{i % 90}" for i in range(4000)]
    clips = order.ClipOrder(speakers, 0, reuse=reuse)
    held, read, items = collections.OrderedDict(), 0, 12 * order.REUSED * reuse // 2
    rng = np.random.default_rng(1)

    def fetch(clip):
        read = clip not in held
        held[clip] = held.pop(clip, None)
        if len(held) > 1.5 * order.REUSED:
            held.popitem(last=False)
        return read

    for i in range(items):
        clip = clips.at(i)
        other = clips.other(clip, *rng.random(2), i)
        assert speakers[other] != speakers[clip]
        read += fetch(clip) + fetch(other)
    assert read <= items / reuse + 2 * order.REUSED  # those at the start, when nothing is held


def test_reuse_visits_every_clip_as_often_and_none_twice_in_a_block():
    count, reuse = 6 * order.REUSED, 4
    clips = order.ClipOrder(["a"] * count, 0, reuse=reuse)
    drawn = [clips.at(i) for i in range((count - order.REUSED) * reuse)]  # up to the end of the first epoch
    visits = collections.Counter(collections.Counter(drawn).values())
    assert visits[reuse] >= count - 2 * order.REUSED  # the rest are those of the start and the end
    blocks = np.reshape(drawn, (-1, order.REUSED))
    assert all(len(set(block)) == order.REUSED for block in blocks.tolist())


def test_item_rng_depends_on_all_of_its_key():
    draws = {order.item_rng(*key).integers(1 << 62) for key in ((0, 1), (0, 2), (1, 1), (0, 1, 0))}
    assert len(draws) == 4 and order.item_rng(0, 1).integers(1 << 62) in draws


def test_draws_depend_on_seed_kind_and_position_only():
    first, again = order.Draws(3, 1, 4), order.Draws(3, 1, 4)
    again.at(5000)  # another block first: nothing is kept between calls
    assert [first.at(p) for p in (0, 255, 256, 5000)] == [again.at(p) for p in (0, 255, 256, 5000)]
    drawn = {tuple(order.Draws(*key, 4).at(p)) for key in ((3, 1), (3, 2), (4, 1)) for p in range(300)}
    assert len(drawn) == 900 and all(0 <= u < 1 for numbers in drawn for u in numbers)


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 1 << 40))
def test_pick_stays_inside(number, count):
    assert 0 <= order.pick(number, count) < count


def test_next_of_speaker_goes_round_all_clips_of_one():
    clips = order.ClipOrder(list("abaab"), 0)
    assert [clips.next_of_speaker(i) for i in range(5)] == [2, 4, 3, 0, 1]
