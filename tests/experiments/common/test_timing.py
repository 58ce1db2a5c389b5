import numpy as np
import pytest

from experiments.common import timing
from experiments.common.timing import Lap


def test_jobs_take_turns_after_a_warm_up():
    called = []
    jobs = {name: lambda name=name: called.append(name) or Lap(1, 1.0, 1.0) for name in "ab"}
    laps = timing.in_turns(jobs, 2)
    assert called == list("ababab") and {name: len(value) for name, value in laps.items()} == {"a": 2, "b": 2}


def test_a_lap_counts_items():
    lap = timing.lap(lambda: 7)
    assert lap.items == 7 and lap.wall >= 0 and lap.cpu >= 0


def test_rate_and_share_go_round_by_round():
    slow, bare = (
        [Lap(10, 2.0, 1.0), Lap(10, 8.0, 1.0), Lap(10, 2.0, 1.0)],
        [Lap(10, 1.0, 0.5), Lap(10, 4.0, 1.0), Lap(10, 2.0, 1.0)],
    )
    assert timing.rate(slow)["per_second_p50"] == 5.0 and timing.rate(slow)["cpu_ms_p50"] == 100.0
    share = timing.share(slow, bare)
    assert (share["share_p50"], share["share_lowest"], share["share_highest"]) == (0.5, 0.5, 1.0)
    assert share["cpu_share_p50"] == 1.0


def test_quantiles():
    found = timing.quantiles(np.arange(1, 102) / 1000)
    assert found == {"p50_ms": pytest.approx(51), "p95_ms": pytest.approx(96), "n": 101}
