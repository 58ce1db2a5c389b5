"""What the suites compute from their laps, and one run on the smallest model; how fast anything is, is not tested."""

import json

import numpy as np
import pytest

from experiments.benchmarks import decode, forms, tpu
from experiments.common import dry_run
from experiments.common.timing import Lap
from vasa_jax.errors import InputError, UsageError
from vasa_jax.ops import backends


def test_a_row_tells_share_rate_and_latency():
    peak = [Lap(1000, 1.0, 2.0)] * 3
    laps = [Lap(2 * 300, 2.0, 2.0), Lap(2 * 300, 1.0, 2.0), Lap(2 * 300, 4.0, 2.0)]  # two calls of 300 operations
    row = decode.row(laps, peak, (4, "frames", 300))
    assert (row["flops_p50"], row["share_p50"], row["share_lowest"], row["share_highest"]) == (300.0, 0.3, 0.15, 0.6)
    assert row["frames_per_second_p50"] == 4.0 and row["call"] == {"p50_ms": 1000.0, "p95_ms": 1900.0, "n": 3}
    assert row["frames_per_cpu_second_p50"] == 4.0 and row["cpu_share_p50"] == 0.6


def test_matmul_laps_count_operations(monkeypatch):
    monkeypatch.setitem(decode._SIDE, "cpu", 16)
    jobs = decode.matmuls("float32", "cpu")
    assert {name: job().items for name, job in jobs.items()} == {"xla 16": 2 * 16**3, "blas 16": 2 * 16**3}
    assert list(decode.matmuls("bfloat16", "cpu")) == ["xla 16"]


def test_an_unknown_configuration_is_named():
    with pytest.raises(InputError, match="face/nothing.py"):
        decode.face_config("nothing")


def _tried(**found):
    return {
        int(batch[1:]): {"fits": total <= 100, "hbm": 100, "bytes": {"total": total}} for batch, total in found.items()
    }


@pytest.mark.parametrize(
    ("tried", "following"),
    [
        (_tried(b2=30, b4=50), 9),  # 10 a batch beside 10 that are always there
        (_tried(b2=30, b4=50, b9=100), None),
        (_tried(b2=30, b4=50, b9=104), 8),  # steeper than the line: 4 of 54 / 5 bytes too much
        (_tried(b2=30, b8=97, b9=104), None),
        (_tried(b2=240), None),  # less than one item fits by proportion
        (_tried(b2=150), 1),
        (_tried(b2=40), 5),
    ],
)
def test_the_next_batch_to_compile(tried, following):
    assert tpu.next_batch(tried) == following


def test_an_unknown_chip_is_named():
    with pytest.raises(UsageError, match="v9x is not known; choose from v5e"):
        tpu.run({"chips": ["v5e", "v9x"], "configs": [], "batches": []})


@pytest.mark.slow
def test_a_step_asks_for_the_same_whatever_is_computed_again():
    config = decode.face_config("tiny_64")
    config.model.block = {"remat": "blocks"}
    asked = dry_run.step_operations(config, 2)
    frame = dry_run.operations(config.model, dry_run.pure_step(config, 2)[1].params["model"])["decode"]
    # Two items: five decodes (one item serves the transfer losses) with their backward passes, beside the encoders.
    assert 15 * frame < asked < 150 * frame


def test_forms_are_compared_each_under_its_own_choice(monkeypatch):
    taken = []

    class Model:
        """Notes which forms are picked while its program is made."""

        def __init__(self, name, dtype):
            taken.append(
                (backends.conv3d(4), backends.warp(3), backends.pool(), backends.moments(), backends.upsampled_conv())
            )

        def jobs(self, batches, repeat):
            return {f"decode {batch}": lambda: Lap(10, 1.0, 1.0) for batch in batches}

    monkeypatch.setattr(decode, "Model", Model)
    with backends.as_on("cpu"):
        report = forms.run({"configs": ["any"], "batches": [2], "dtype": None, "rounds": 3})["any"]["decode 2"]
    assert report["warp corners"]["share_p50"] == 1.0 and report["picked"]["n"] == 3
    picked = ("folded", "stacked", "mean", "dot", "phases")
    one_other = [
        (*picked[:place], form, *picked[place + 1 :])
        for place, op in enumerate(("conv3d", "warp", "pool", "moments", "upsampled_conv"))
        for form in forms.FORMS[op]
    ]
    assert taken == [picked, *one_other]


@pytest.mark.slow
def test_the_suites_run_on_the_smallest_model(monkeypatch):
    monkeypatch.setitem(decode._SIDE, "cpu", 64)
    options = {"configs": ["tiny_64"], "batches": [1, 2], "dtype": None, "rounds": 3, "batch_size": 2}
    report = json.loads(json.dumps(decode.run(options)))
    assert {"encode", "decode 1", "decode 2"} <= set(report["tiny_64"]) and report["tiny_64"]["weights"] == "random"
    assert report["matmul"]["compared_with"] in report["matmul"]
    compared = forms.run({**options, "batches": [1]})["tiny_64"]["decode 1"]
    assert set(compared) == {"picked", *(f"{op} {form}" for op in forms.FORMS for form in forms.FORMS[op])}
    assert np.isclose(compared["picked"]["share_p50"], 1.0)
