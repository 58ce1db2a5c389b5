"""What a run's metrics say of its steadiness."""

import json

import numpy as np
import pytest

from experiments.evaluation import stability
from vasa_jax.errors import InputError


def _rows(count: int = 80) -> list[dict]:
    rng = np.random.default_rng(0)
    return [
        {
            "step": n + 1,
            "pixel": 1 / (n + 5) + 0.001 * rng.random(),
            "grad_norm_model": 1.0 + rng.random(),
            "skipped": 0,
        }
        for n in range(count)
    ]


def test_a_steady_run_has_no_jumps():
    found = stability.summary(_rows())
    assert found["last_step"] == 80 and found["guard_interventions"] == found["not_finite"] == 0
    assert found["jumps"] == {"pixel": [], "grad_norm_model": []}


def test_a_spike_and_a_skipped_step_are_counted():
    rows = _rows()
    rows[40]["pixel"] *= 10
    rows[60]["grad_norm_model"] = None
    for row in rows[60:]:
        row["skipped"] = 1
    found = stability.summary(rows)
    assert [jump["step"] for jump in found["jumps"]["pixel"]] == [41] and found["jumps"]["grad_norm_model"] == []
    assert found["guard_interventions"] == 1 and found["not_finite"] == 1


def test_report_of_a_workdir(tmp_path):
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in _rows(20)), encoding="utf-8")
    config = {"steps": 20, "loss_start": {"consist": 5, "adversarial": 9}, "loss_ramp": {"consist": 8}, "seed": 1}
    (tmp_path / "run_manifest.json").write_text(json.dumps({"config": config}), encoding="utf-8")
    found = stability.report(tmp_path)
    assert found["all_losses_on_from_step"] == 13 and "seed" not in found["config"]
    stability.show(found)
    with pytest.raises(InputError, match="give --checkpoint the workdir of a run"):
        stability.report(tmp_path / "absent")
