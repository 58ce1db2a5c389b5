"""Properties of single items, on clips made of numbers: sample s of a clip holds s, image k is k."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipelines import domain, items, latent_cache, order, records, schema, wire
from vasa_jax.errors import InputError

SIZE = schema.SAMPLES_PER_FRAME
LONGEST = 30
uniform = st.floats(0, 1, exclude_max=True)


def _clip(t, speaker="s", valid=None):
    labels = {name: np.zeros((t, *shape), dtype) for name, (shape, dtype) in schema.PER_FRAME.items()}
    labels["valid"] = np.ones(t, bool) if valid is None else np.asarray(valid)
    labels["mouth"][:, 0] = np.arange(t)
    jpeg = [memoryview(bytes([k])) for k in range(t)]
    return wire.Clip(f"c{t}", speaker, jpeg, np.arange(t * SIZE, dtype=np.float32), labels)


class Source(records.RecordSplit):
    """Clips in a list, as a data set."""

    def __init__(self, clips):
        self._clips, self.speakers = clips, [clip.speaker for clip in clips]

    def __len__(self):
        return len(self._clips)

    def __getitem__(self, i):
        return self._clips[i]


def _domain(*clips):
    source = Source(clips)
    return domain.Domain("made", source, order.ClipOrder(source.speakers, 0))


def _decode(data):
    return np.full((2, 2, 3), data[0], np.uint8)


class Latents(latent_cache.LatentSplit):
    """A latents cache of clips of the given lengths, one after another; each counts its own samples and frames."""

    told = ("gaze", "distance", "emotion")

    def __init__(self, *lengths):
        self.offsets = np.cumsum([0, *lengths])
        count = np.concatenate([np.arange(n) for n in lengths]).astype(np.float32)
        n = len(count)
        self.arrays = {
            "audio": np.concatenate([np.arange(t * SIZE) for t in lengths]).astype(np.int16),
            "motion": count[:, None].repeat(9, 1),
            "mouth": count[:, None].repeat(2, 1),
            "valid": np.ones(n, bool),
            "distance_mean": np.float32(1.0),
            "distance_std": np.float32(2.0),
        }
        self.conditions = count[:, None].repeat(11, 1)

    def __len__(self):
        return len(self.offsets) - 1

    def frames(self, index):
        return range(int(self.offsets[index]), int(self.offsets[index + 1]))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, LONGEST), st.integers(1, LONGEST), uniform)
def test_audio_of_frame_k_starts_at_sample_640_k(t, length, number):
    batch = items.collate([items.clip(_domain(_clip(t)), 0, [number], length)], _decode)
    frames = batch["frames"][0, :, 0, 0, 0].astype(int)
    audio, valid = batch["audio"][0].reshape(length, SIZE), batch["valid"][0]
    assert valid.sum() == min(t, length) and (np.diff(valid.astype(int)) <= 0).all()
    for k, heard, real in zip(frames, audio, valid, strict=True):
        np.testing.assert_array_equal(heard, np.arange(k * SIZE, (k + 1) * SIZE) if real else 0)
    assert frames[0] <= max(t - length, 0) and (np.diff(frames[valid]) == 1).all() and (frames[~valid] == t - 1).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, LONGEST), min_size=1, max_size=3), st.integers(0, 5), st.integers(1, 20), uniform)
def test_windows_are_aligned_and_never_reach_into_another_clip(lengths, previous, length, number):
    total = previous + length
    for index, t in enumerate(lengths):
        source = Latents(*lengths)
        made = domain.Domain("made", source, order.ClipOrder(["s"] * len(source), 0))
        item = items.window(made, index, [number], previous, length, tracks=True)
        motion, valid = item["motion"][:, 0], item["valid"]
        assert item["motion"].shape == (total, 9) and valid.sum() == min(t, total)
        audio = np.round(items.collate([item])["audio"] * 32767).astype(int).reshape(total, SIZE)
        for k, heard, real in zip(motion.astype(int), audio, valid, strict=True):
            np.testing.assert_array_equal(heard, np.arange(k * SIZE, (k + 1) * SIZE) if real else 0)
        assert motion[0] <= max(t - total, 0) and (motion[~valid] == t - 1).all()
        np.testing.assert_allclose(item["tracks"][:, 0], motion, rtol=1e-6)
        np.testing.assert_allclose(item["tracks"][:, 2], (motion - 1) / 2, rtol=1e-6)
        if valid[previous:].any():
            mean = motion[previous:][valid[previous:]].mean()
            np.testing.assert_allclose(item["gaze"], mean, rtol=1e-4)
            np.testing.assert_allclose(item["distance"], (mean - 1) / 2, rtol=1e-4, atol=1e-4)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=12).filter(any), st.lists(uniform, min_size=10, max_size=10))
def test_pairs_show_faces_and_the_driver_differs_most(valid, draws):
    clip = _clip(len(valid), "a", valid)
    batch = items.collate([items.pair(_domain(clip, _clip(3, "b")), 0, draws)], _decode)
    source, driver = (int(batch[name][0, 0, 0, 0]) for name in ("source", "driver"))
    assert valid[source] and valid[driver] and batch["clip"] == [0]
    candidates = [int(clip.usable[order.pick(number, len(clip.usable))]) for number in draws[1:7]]
    assert abs(driver - source) == max(abs(k - source) for k in candidates)
    assert batch["driver_mouth"][0, 0] == driver


def test_all_starts_are_alike():
    starts = np.bincount([items.random_start(14, 10, u) for u in (np.arange(1000) + 0.5) / 1000])
    assert starts.tolist() == [200] * 5


def test_a_clip_without_faces_says_so():
    with pytest.raises(InputError, match="clip c2: no face"):
        items.pair(_domain(_clip(2, valid=[False, False])), 0, [0.5] * items.DRAWS)


def test_traits_scale_a_clear_change_to_one():
    clip = _clip(2)
    clip.labels["mouth"][:] = [[0, 0.3], [0.1, 0.3]]
    assert items.difference(clip.traits, 0, [0, 1]).tolist() == pytest.approx([0, 1])


def test_an_image_that_is_none_names_clip_and_frame():
    with pytest.raises(InputError, match="clip c3: frame 0 is no whole JPEG"):
        items.collate([items.clip(_domain(_clip(3)), 0, [0.0], 2)])


def _matted(t, side=2, **fields):
    """A clip whose k-th matte is k."""
    mattes = [memoryview(schema.encode_matte(np.full((side, side), k, np.uint8))) for k in range(t)]
    return dataclasses.replace(_clip(t, **fields), mattes=mattes)


def test_mattes_are_those_of_the_images_and_full_where_there_are_none():
    made = [items.clip(_domain(clip), 0, [0.9], 4, mattes=True) for clip in (_matted(9), _clip(9), _matted(2))]
    batch = items.collate(made, _decode)
    assert batch["matte"].shape == (3, 4, 2, 2, 1) and batch["matte"].dtype == np.uint8
    np.testing.assert_array_equal(batch["matte"][::2], batch["frames"][::2, ..., :1])  # image k is k
    assert (batch["matte"][1] == 255).all()
    draws = np.linspace(0.05, 0.95, items.DRAWS)
    made = items.pair(_domain(_matted(9, speaker="a"), _clip(3, "b")), 0, draws, mattes=True)
    batch = items.collate([made], _decode)
    for name in ("source", "driver"):
        np.testing.assert_array_equal(batch[f"{name}_matte"], batch[name][..., :1])
    assert batch["other_matte"].shape == (1, 2, 2, 1) and (batch["other_matte"] == 255).all()


def test_mattes_of_another_size_or_damaged_ones_name_clip_and_frame():
    cut = dataclasses.replace(_clip(3), mattes=[memoryview(b"png")] * 3)
    for clip, why in ((_matted(3, side=5), "could not broadcast"), (cut, "is no whole PNG")):
        with pytest.raises(InputError, match=f"clip c3: matte 0 {why}.*make the data set again"):
            items.collate([items.clip(_domain(clip), 0, [0.0], 2, mattes=True)], _decode)


def test_images_of_two_sizes_are_refused():
    made = [items.clip(_domain(_clip(3)), 0, [0.0], 2) for _ in range(2)]
    sizes = iter([2, 2, 4, 4])
    with pytest.raises(InputError, match="4 px beside 2 px"):
        items.collate(made, lambda data: np.zeros((n := next(sizes), n, 3), np.uint8))
