"""Suite `video`: what a frame costs does not change with how busy the machine is."""

import pytest

from experiments.benchmarks import video
from experiments.common.timing import Lap


def test_a_row_is_rates_and_the_cost_at_the_peak_of_the_round():
    # The second round ran on a machine half as fast: 20 frames in 2 s beside a peak of 5e9 operations a second.
    found, peak = [Lap(20, 1.0, 2.0), Lap(20, 2.0, 2.0)], [Lap(10**10, 1.0, 2.0), Lap(10**10, 2.0, 2.0)]
    row = video.row(found, peak)
    assert row["flops_per_frame_p50"] == pytest.approx(5e8)
    assert row["per_second_best"] == 20.0 and row["cpu_ms_p50"] == 100.0
