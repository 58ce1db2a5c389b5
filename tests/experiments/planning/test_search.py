"""The search finds the fastest layout that fits, and stops where it must."""

from experiments.planning import search, topology
from experiments.planning.step import Layout


def _measure(memory: dict[int, int], asked: list[Layout]):
    """fsdp ways -> items that fit. A step takes a fixed time beside one for each item; fsdp pays for its exchanges."""

    def measure(spread: Layout) -> tuple[bool, float]:
        asked.append(spread)
        seconds = 1.0 + 0.5 * (spread.mesh[1] > 1) + 0.1 * spread.batch_per_part
        return spread.batch_per_part <= memory[spread.mesh[1]], spread.batch_size / seconds

    return measure


def test_what_holds_more_wins_where_the_fixed_time_weighs():
    asked: list[Layout] = []
    shapes = list(search.meshes(topology.parse("v5e:16x16")))
    assert shapes == [(256, 1, 1), (32, 8, 1), (1, 256, 1)]
    assert search.best(_measure({1: 2, 8: 16, 256: 16}, asked), shapes, tries=99) == Layout((32, 8, 1), 16)
    tried = {shape: [one.batch_per_part for one in asked if one.mesh == shape] for shape in shapes}
    assert tried == {(256, 1, 1): [1, 2, 4], (32, 8, 1): [2, 4, 8, 16, 32], (1, 256, 1): [16, 32]}


def test_data_alone_wins_where_it_holds_as_much():
    shapes = list(search.meshes(topology.parse("v5e:16x16")))
    assert search.best(_measure({1: 8, 8: 8, 256: 8}, []), shapes, tries=99) == Layout((256, 1, 1), 8)


def test_nothing_fits_and_tries_end():
    shapes = list(search.meshes(topology.parse("v5e:16x16"), tensor=True))
    assert shapes[-1] == (128, 1, 2)
    assert search.best(_measure({1: 0, 8: 0, 256: 0}, []), shapes) is None
    asked: list[Layout] = []
    assert search.best(_measure({1: 99, 8: 99, 256: 99}, asked), shapes, tries=3) == Layout((256, 1, 1), 4)
    assert len(asked) == 3


def test_where_nobody_reckons_seconds_the_largest_batch_is_chosen():
    assert search.best(lambda spread: (spread.batch_per_part <= 8, 0.0), [(8, 1, 1), (1, 8, 1)]) == Layout((8, 1, 1), 8)
