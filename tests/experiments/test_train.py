"""vasa-train and vasa-export end to end on the toy task: exit codes, resume, dry run, release."""

import functools
import json
import os
import signal
import sys
from typing import ClassVar
from unittest import mock

import jax
import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from data_pipelines import clips, integrity, records
from data_pipelines.prepare import shard_manifest
from experiments import export, train
from experiments.common import app, dry_run, tasks
from tests.data_pipelines.conftest import write_dataset
from tests.training import toy
from vasa_jax import weights
from vasa_jax.training import checkpoint

CLIPS = [(f"c{k}", f"s{k % 2}", 4) for k in range(8)]
CONFIG = """
from tests.training import toy
def get_config():
    config = toy.config(steps=4, checkpoint_every=2)
    config.task = "face"
    config.model = {"size": 8}
    return config
"""


class Stream:
    damaged: ClassVar[dict[str, list[int]]] = {}

    def iterate(self, start):
        return toy.stream(start)


@pytest.fixture(autouse=True)
def _toy(tmp_path, monkeypatch):
    (tmp_path / "config.py").write_text(CONFIG)
    monkeypatch.setattr(train, "make_stream", lambda config, split: Stream())
    monkeypatch.setattr(tasks, "make_task", lambda config, stats: toy.make())
    monkeypatch.setattr(app, "compile_cache", lambda: None)
    monkeypatch.setattr(dry_run, "example_batch", lambda config: toy.batch(0))
    # The task of the workdir's manifest is what vasa-export looks at.
    monkeypatch.setattr(toy, "NAME", "face")
    with flagsaver.flagsaver():
        yield
    flags.FLAGS.unparse_flags()


def _call(command, *words):
    # A config flag holds the file of the last call: absl keeps one value for the process.
    argv = ["command", *map(str, words)]
    with mock.patch.object(sys, "argv", argv):  # where fields of the configuration are looked for
        return app.call(command.main, argv)


def test_train_then_export(tmp_path, capsys):
    run, report = tmp_path / "run", tmp_path / "report.json"
    words = (f"--config={tmp_path / 'config.py'}", f"--workdir={run}", f"--report={report}")
    assert _call(train, *words) == 0
    result = json.loads(report.read_text())
    assert result["step"] == 4 and result["metrics"]["eval/l2"] > 0 and not result["preempted"]
    assert _call(train, *words) == 0 and "already at step 4" in capsys.readouterr().out

    assert _call(export, f"--face={run}", f"--output={tmp_path / 'release'}", "--float32") == 0
    release = weights.load_release(tmp_path / "release")
    jax.tree.map(np.testing.assert_array_equal, release.face_params, checkpoint.read_ema(run)[1]["model"])
    assert release.face_config == {"size": 8} and release.info["face_run"]["step"] == 4


def test_damaged_records_are_named_in_the_report(tmp_path, monkeypatch, capsys):
    """Through the real clip stream: a flipped bit costs one record, a shard that was cut short ends the run."""
    folder = write_dataset(tmp_path, "made", {"train": CLIPS, "validation": CLIPS})
    shard_manifest.write(folder, {"train": len(CLIPS), "validation": len(CLIPS)})
    records.RecordSplit(folder, "train")  # leaves the index
    shard = folder / "made-train.array_record-00000-of-00002"
    data = bytearray(shard.read_bytes())
    data[4000] ^= 1
    shard.write_bytes(data)

    class Clips:
        damaged = property(lambda self: self.clips.damaged)

        def __init__(self, config, split):
            self.clips = clips.ClipStream(str(tmp_path), {"made": 1.0}, split, "clips", 8, length=2, engine="threads")

        def iterate(self, start):
            return (batch for batch, _ in zip(toy.stream(start), self.clips.iterate(start)))

    monkeypatch.setattr(train, "make_stream", Clips)
    words = (f"--config={tmp_path / 'config.py'}", f"--workdir={tmp_path / 'run'}", f"--report={tmp_path}/r.json")
    assert _call(train, *words) == 0
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["step"] == 4 and report["damaged"] == {"train": {"made": [0]}, "held_out": {"made": []}}
    shard.write_bytes(data[:-1000])
    assert _call(train, *words) == 3
    assert f"error: {shard}: " in capsys.readouterr().err


def test_runs_are_evaluated_on_validation_and_never_on_another_split_unasked(tmp_path, monkeypatch, capsys):
    asked = []

    def make_stream(config, split):
        asked.append(split)
        if split == "validation":
            raise integrity.NoSplit("DATA: no split 'validation'; it has test, train")
        return Stream()

    monkeypatch.setattr(train, "make_stream", make_stream)
    words = (f"--config={tmp_path / 'config.py'}", f"--workdir={tmp_path / 'run'}")
    assert _call(train, *words) == 3 and asked == ["train", "validation"]
    (line,) = capsys.readouterr().err.splitlines()
    assert "no split 'validation'; it has test, train" in line and "--config.data.eval_split" in line
    plain = toy.config  # fields by flag are absl flags of their own, which a process has once
    monkeypatch.setattr(toy, "config", functools.partial(plain, data={"eval_batches": 1, "eval_split": "test"}))
    assert _call(train, *words) == 0 and asked[2:] == ["train", "test"]
    monkeypatch.setattr(toy, "config", functools.partial(plain, data={"eval_batches": 0}))
    assert _call(train, words[0], f"--workdir={tmp_path / 'blind'}") == 0 and asked[4:] == ["train"]


def test_sigterm_saves_and_leaves_with_42(tmp_path, monkeypatch):
    class Killer(Stream):
        def iterate(self, start):
            for step, batch in enumerate(toy.stream(start), start):
                if step == 2:
                    os.kill(os.getpid(), signal.SIGTERM)
                yield batch

    monkeypatch.setattr(train, "make_stream", lambda config, split: Killer() if split == "train" else Stream())
    words = (f"--config={tmp_path / 'config.py'}", f"--workdir={tmp_path / 'run'}", f"--report={tmp_path}/r.json")
    assert _call(train, *words) == 42
    step = json.loads((tmp_path / "r.json").read_text())["step"]
    assert step < 4 and (tmp_path / "run" / "checkpoints" / str(step)).is_dir()


def test_dry_run_tells_parameters_and_trains_nothing(tmp_path, capsys):
    words = (f"--config={tmp_path / 'config.py'}", "--dry_run", f"--report={tmp_path}/r.json")
    assert _call(train, *words) == 0
    report = json.loads((tmp_path / "r.json").read_text())
    parts = dict(report["parameters"])
    total = parts.pop("total")
    assert total == sum(parts.values()) == 2 * (8 * 32 + 32) + 32 * 8 + 32
    assert "model/first" in capsys.readouterr().out and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), 2),
        (("--config=missing.py",), 2),
        (("--config={config}",), 2),
        (("--config={config}", "--config.stepz=3"), 2),
    ],
)
def test_usage_errors_are_one_line(words, code, tmp_path, capsys):
    words = [word.format(config=tmp_path / "config.py") for word in words]
    assert _call(train, *words) == code
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("place", ["file/run", "full"])
def test_a_workdir_that_cannot_be_written_is_told_before_anything_starts(place, tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("x")

    def read_only(*args, **kwargs):
        raise OSError(30, "Read-only file system")

    if place == "full":
        monkeypatch.setattr(train.tempfile, "TemporaryFile", read_only)
    assert _call(train, f"--config={tmp_path / 'config.py'}", f"--workdir={tmp_path / place}") == 3
    assert "choose another folder" in capsys.readouterr().err


def test_exporting_what_is_no_run_is_bad_input(tmp_path, capsys):
    assert _call(export, f"--face={tmp_path}", f"--output={tmp_path / 'release'}") == 3
    assert not (tmp_path / "release").exists() and "run_manifest.json" in capsys.readouterr().err
