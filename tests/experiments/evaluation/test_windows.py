"""Batches of held-out windows: the steps made outside of the network are those of the sampler, and what is scored."""

import dataclasses
import json
from typing import Any

import jax
import numpy as np
import pytest

from experiments.evaluation import guidance, solvers, tables, windows
from tests import quick
from vasa_jax.models.motion_sampling import DEFAULT_GUIDANCE, sample_window
from vasa_jax.models.motion_transformer import MotionConfig, init_params

CONFIG = MotionConfig(
    motion_dim=9, width=8, depth=1, heads=2, layout="B", window=12, context=4, lookahead=2, bands=8, audio_blocks=1
)


@dataclasses.dataclass
class Part:
    config: Any
    params: Any
    stats: Any


def _batch(rows: int = 4) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    frames = CONFIG.frames
    return {
        "audio": (0.1 * rng.standard_normal((rows, frames * 640))).astype(np.float32),
        "motion": rng.standard_normal((rows, frames, 9)).astype(np.float32),
        "mouth": rng.random((rows, frames, 2)).astype(np.float32),
        "gaze": 0.1 * rng.standard_normal((rows, 2)).astype(np.float32),
        "distance": rng.standard_normal(rows).astype(np.float32),
        "emotion": np.zeros((rows, 8), np.float32),
        "valid": np.ones((rows, frames), bool),
    }


def test_steps_outside_of_the_network_are_those_of_the_sampler() -> None:
    params = quick.jit(lambda key: init_params(CONFIG, key))(jax.random.key(0))
    held = windows.Windows(Part(CONFIG, params, {"mean": np.zeros(9), "std": np.ones(9)}), _batch(2))
    sample = jax.jit(
        lambda conditions: sample_window(
            params, conditions, held._start, jax.random.key(0), DEFAULT_GUIDANCE, {}, config=CONFIG, steps=4
        )
    )
    np.testing.assert_allclose(held.solve("dpm++", 4), sample(held._conditions), atol=1e-4)
    assert np.abs(held.solve("dpm++", 4, {"audio": 3.0, "gaze": 0.0}) - held.solve("dpm++", 4)).max() > 1e-5


class Known:
    """Windows whose error is one over the steps, half of that for dpm++."""

    config = CONFIG

    def __init__(self, batch):
        self.real = batch["motion"][:, CONFIG.context :]
        self.valid = batch["valid"][:, CONFIG.context :]
        self.asked = []

    def solve(self, method, count, scales=None):
        self.asked.append((method, count, scales))
        return self.real * (1 + (0.5 if method == "dpm++" else 1.0) / count)

    def raw(self, motion):
        return motion


def test_solvers_are_ranked_by_their_error(capsys):
    report = solvers.run(Known(_batch()), np.eye(9)[7], (2, 10), 1000)
    made = report["samplers"]
    assert made["dpm++"]["10"]["error"] < made["ddim"]["10"]["error"] < made["ddim"]["2"]["error"]
    assert made["ddim"]["10"]["mouth_changes"] == pytest.approx(1.0)
    assert report["reference"]["steps"] == 1000 and made["ddim"]["1000"]["error"] < 0.01
    solvers.show(report)
    assert "dpm++ 10" in capsys.readouterr().out


class Face:
    def labels(self, motion):
        return {"mouth": motion[:, 7:9], "eyes": np.zeros((len(motion), 2)) + 0.1}


def test_the_table_of_guidance(capsys):
    batch = _batch()
    batch["motion"][..., 6] = np.exp(0.2)
    batch["motion"][..., :3] = 0.0
    batch["mouth"][..., 0] = batch["motion"][..., 7]
    batch["gaze"][:], batch["distance"][:] = 0.1, 1.0
    held, speech = Known(batch), np.asarray([True, True, False, False])
    report = guidance.Table(Face(), held, batch, speech, (0.1, 0.1)).run()
    assert [(a["audio"], a["gaze"]) for _, _, a in held.asked] == [row[:2] for row in guidance.ROWS]
    assert [count for _, count, _ in held.asked] == [50] * 6 + [10]
    real = report["real"]
    assert real["mouth_changes"] == {**real["mouth_changes"], "mean": pytest.approx(1.0, abs=1e-5), "n": 2}
    assert real["mouth_changes_wrong"]["mean"] < 0.95 and real["head_degrees"]["mean"] == 0.0
    assert real["gaze_degrees"]["mean"] == pytest.approx(0, abs=1e-3) and real["gaze_degrees"]["n"] == 2
    assert real["log_scale"]["mean"] == pytest.approx(0, abs=1e-6)
    made = report["rows"][0]["movement"]["speech"]  # `Known` moves by a fiftieth too much in 50 steps
    assert made["dynamics"] == pytest.approx(1.02, abs=1e-4) and made["within_0.8_to_1.1"] > 0
    assert real["movement"]["heads"]["dynamics"] != pytest.approx(1.0, abs=1e-6)
    json.dumps(tables.plain(report), allow_nan=False)
    guidance.show(report)
    assert "movement of heads" in capsys.readouterr().out
    few = guidance.Table(Face(), held, batch, np.asarray([True, True, True, False]), (0.1, 0.1)).run()
    assert list(few["real"]["movement"]) == ["speech"]
    guidance.show(few)
    assert "0.5, 1, 10" in capsys.readouterr().out
