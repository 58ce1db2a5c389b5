"""Every training program that is shipped trains, with all that a run does: MFU, goodput, evaluation, gallery, saving.

The command itself runs, so that the configuration is locked as it is for users, with a peak pretended: on devices of
the table of peaks a run counts its step's operations, which a CPU never does by itself. Data are drawn, layers are
small (`shrunk`).
"""

import functools
import json

import jax
import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from experiments import train
from experiments.common import app, dry_run
from tests import quick
from tests.experiments import shrunk
from vasa_jax import weights
from vasa_jax.training import checkpoint, flops, peaks
from vasa_jax.training.face_task import make_face_task

NAMES = shrunk.names()
LAYOUTS = [("pose/small", "accumulate=2"), ("pose/small", "parallel=pmap")]
SLOW_LAYOUTS = [
    (name, layout) for name in ("face/small_128", "motion/small") for layout in ("accumulate=2", "parallel=pmap")
]


def _cases() -> list:
    """Of each task the configuration with most losses, and every layout once; all others are `slow`.

    The pose encoder's are light enough for `make test`; one of a face compiles for minutes.
    """
    fullest: dict[str, str] = {}
    for name in NAMES:
        task = shrunk.shipped(name).task
        if task not in fullest or shrunk.losses(name) > shrunk.losses(fullest[task]):
            fullest[task] = name
    heavy_ones = [(name, "") for task, name in fullest.items() if task != "pose"]
    quick_ones = [(fullest["pose"], ""), *LAYOUTS]
    slow_ones = [(name, "") for name in NAMES if name not in fullest.values()] + SLOW_LAYOUTS
    heavy = [pytest.param(*case, marks=pytest.mark.heavy) for case in heavy_ones]
    return quick_ones + heavy + [pytest.param(*case, marks=pytest.mark.slow) for case in slow_ones]


@pytest.fixture
def accelerator(monkeypatch):
    """A command that takes drawn batches and believes in a peak."""
    monkeypatch.setattr(train, "make_stream", shrunk.Stream)
    monkeypatch.setattr(app, "compile_cache", lambda: None)
    monkeypatch.setitem(peaks.PEAKS, "cpu", 1e12)
    before = jax.config.jax_numpy_dtype_promotion
    jax.config.update("jax_numpy_dtype_promotion", "standard")  # the gradient of JAX's own attention promotes bfloat16
    with flagsaver.flagsaver():
        yield
    flags.FLAGS.unparse_flags()
    jax.config.update("jax_numpy_dtype_promotion", before)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """A release whose encoders the task "dynamics" learns from."""
    folder = tmp_path_factory.mktemp("teacher")
    config = shrunk.get_config("face/small_128")
    params = quick.jit(functools.partial(make_face_task(config).init, batch={}))(jax.random.key(0))
    face = jax.device_get(params["model"])
    weights.save_release(folder, face_config=config.model.to_dict(), face_params=face, stored="float32")
    return folder


@pytest.mark.parametrize(("name", "layout"), _cases())
def test_two_steps(name, layout, accelerator, request, tmp_path):
    run = tmp_path / "run"
    fields = [name] + [layout] * bool(layout)
    if "teacher" in shrunk.shipped(name):
        fields.append(f"teacher={request.getfixturevalue('teacher')}")
    words = [f"--config={shrunk.__file__}:{','.join(fields)}", f"--workdir={run}"]
    assert app.call(train.main, ["vasa-train", *words, f"--report={tmp_path / 'report.json'}"]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["step"] == 2 and not report["preempted"]
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2]
    assert all(value is not None for row in rows for value in row.values())  # null stands for NaN
    assert rows[-1]["skipped"] == 0 and rows[-1]["mfu"] > 0
    assert any(metric.startswith("eval/") for metric in rows[-1])
    ledger = json.loads((run / "goodput.json").read_text())
    assert sum(ledger["seconds"].values()) == pytest.approx(ledger["wall"])
    assert all(ledger["seconds"][account] > 0 for account in ("compile", "step", "eval", "checkpoint"))
    assert (run / "gallery.html").is_file()
    assert report["parameters"]["total"] > 0 and (run / "checkpoints" / "2" / "manifest.json").is_file()
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(checkpoint.read_ema(run)[1]))


@pytest.mark.parametrize("name", NAMES)
def test_counting_a_step_changes_a_copy_of_the_locked_configuration(name, monkeypatch):
    config = shrunk.shipped(name)
    config.lock()
    before, counted = config.to_dict(), []
    monkeypatch.setattr(dry_run, "pure_step", lambda config, size: (lambda: counted.append(config), None, None, None))
    monkeypatch.setattr(flops, "count", lambda *args: 7)
    assert dry_run.step_operations(config, 4) == 7
    assert config.is_locked and config.to_dict() == before
    model = counted[0].model
    assert not model.get("block", {}).get("remat") and not model.get("remat")  # what is computed again counts once
