"""Runs that are killed go on from their last checkpoint, and end with the same bits as if nothing had happened."""

import functools
import shutil

import numpy as np
import pytest

from tests.training import checkpoint_faults, hosts, killed
from tests.training.killed import Kill


@pytest.mark.heavy
def test_random_kills_and_flips(tmp_path, compile_cache):
    """The short version of `python -m tests.training.checkpoint_faults`."""
    report = checkpoint_faults.kills(tmp_path, compile_cache / "one", count=2, steps=90, every=10)
    assert report["same_final_state"] and report["resumes"] == 2 and report["most_saves_lost"] <= 1
    report = checkpoint_faults.flips(tmp_path, compile_cache / "one", count=1, seed=1)
    assert [report[k] for k in ("detected", "went_on_from_the_step_before", "same_final_state")] == [1, 1, 1]


@pytest.mark.slow
@pytest.mark.parametrize("case", ["face", "motion"])
def test_both_stages_resume_bit_for_bit(case, tmp_path, compile_cache):
    changes = {"steps": 6, "checkpoint_every": 2, "log_every": 1}
    cache = compile_cache / "one"
    assert killed.run(case, tmp_path / "whole", cache, changes).code == 0
    first = killed.run(case, tmp_path / "parts", cache, changes, Kill(at=5))
    assert first.code == -9
    second = killed.run(case, tmp_path / "parts", cache, changes)
    assert second.code == 0 and second.began in (2, 4)
    assert killed.same(killed.state(tmp_path / "whole"), killed.state(tmp_path / "parts"))
    shutil.rmtree(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("case", "tolerance"), [("toy", 0.0), ("motion", 2e-4)])
def test_a_run_of_two_hosts_goes_on_with_one(case, tolerance, tmp_path, compile_cache):
    """With two devices in all, one a host or both on one, sums over the batch have two parts, in whatever order.

    A large matrix product is split over a process's threads, of which one host has more: rounding, and Adam's division
    where a gradient is nearly zero (tests/training/test_partition.py). Stage 1 goes on as well, but its discriminator
    carries a last bit too far in 24 steps to tell rounding from another batch.
    """
    train = functools.partial(hosts.together, case, cache=compile_cache / "two", steps=24)
    assert train(workdir=tmp_path / "whole", count=1) == [["24", "False"]]
    (one, other) = train(workdir=tmp_path / "parts", count=2, stop_at=2)
    assert one == other and one[1] == "True" and int(one[0]) < 24
    assert train(workdir=tmp_path / "parts", count=1) == [["24", "False"]]
    whole, parts = killed.state(tmp_path / "whole"), killed.state(tmp_path / "parts")
    for name, leaf in whole.items():
        np.testing.assert_allclose(parts[name], leaf, atol=tolerance, rtol=0.0, err_msg=name)
    shutil.rmtree(tmp_path)
