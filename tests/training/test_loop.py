"""Resume, preemption, held-out evaluation and skipped steps of the loop."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.training import toy
from vasa_jax import weights
from vasa_jax.errors import InputError
from vasa_jax.training import checkpoint, loop, optional, start
from vasa_jax.training.train_step import init_state, make_optimizers, make_train_step

TASKS = [f"vasa_jax.training.{name}_task" for name in ("face", "motion", "pose", "dynamics")]


def _rows(workdir):
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


def _train(workdir, stream=toy.stream, **changes):
    return loop.train(toy.config(**changes), toy.make(), stream, toy.stream, workdir)


def test_resume_equals_an_uninterrupted_run(tmp_path):
    whole = _train(tmp_path / "whole")

    def interrupted(start):
        for step, batch in zip(range(start, 100), toy.stream(start)):
            if step == 7:
                os.kill(os.getpid(), signal.SIGTERM)
            yield batch

    first = _train(tmp_path / "parts", interrupted)
    assert first.preempted and 7 <= first.step <= 8
    second = _train(tmp_path / "parts")
    assert not second.preempted and second.step == whole.step == 12
    (_, one), (_, two) = checkpoint.read_ema(tmp_path / "whole"), checkpoint.read_ema(tmp_path / "parts")
    jax.tree.map(np.testing.assert_array_equal, one, two)  # bitwise: same program, same data, same keys
    timing = ("seconds", "steps_per_second", "data_wait_percent", "step_ms_p50", "step_ms_p95", "save_stall_ms")
    strip = lambda rows: {r["step"]: {k: v for k, v in r.items() if k not in timing} for r in rows}  # noqa: E731
    parts, expected = strip(_rows(tmp_path / "parts")), strip(_rows(tmp_path / "whole"))
    assert all(parts[step] == row for step, row in expected.items())
    steps = [row["step"] for row in _rows(tmp_path / "parts")]
    assert steps == sorted(set(steps))


def test_a_run_leaves_its_records(tmp_path):
    result = _train(tmp_path)
    rows = _rows(tmp_path)
    assert [row["step"] for row in rows] == [1, 3, 4, 6, 8, 9, 12]
    assert rows[-1]["eval/l2"] < rows[3]["eval/l2"] and "loss" in rows[-1] and "eval/l2" not in rows[0]
    manifest = json.loads((tmp_path / "run_manifest.json").read_text())
    assert manifest["players"] == ["model", "adversary"] and manifest["parameters"] == result.parameters
    assert (tmp_path / "checkpoints" / "12").is_dir() and (tmp_path / "pictures" / "0000012_grid.png").is_file()
    again = _train(tmp_path)
    assert again.step == 12 and not again.preempted and len(_rows(tmp_path)) == len(rows)


@pytest.mark.parametrize("parallel", ["mesh", "pmap"])
def test_evaluation_is_compiled_once_a_run(tmp_path, caplog, parallel):
    with jax.log_compiles():
        result = _train(tmp_path, parallel=parallel, steps=4, eval_every=1, checkpoint_every=2)
    assert result.step == 4 and all("eval/l2" in row for row in _rows(tmp_path))
    compiled = [line for line in caplog.messages if line.startswith("Compiling ")]
    assert [sum(f"jit({name})" in line for line in compiled) for name in ("_evaluate", "_images")] == [1, 1]


@pytest.mark.parametrize("absent", [("av",), ("soundfile",), ("av", "soundfile", "soxr", "clu", "clu.metric_writers")])
def test_training_goes_on_without_what_only_the_gallery_and_tensorboard_need(tmp_path, monkeypatch, capfd, absent):
    for name in absent:
        monkeypatch.setitem(sys.modules, name, None)  # importing it raises ImportError
    for name in ("media", "containers", "audio_file", "audio_decoding", "video_images"):  # to be imported anew
        monkeypatch.delitem(sys.modules, f"vasa_jax.{name}", raising=False)
    monkeypatch.setattr(optional, "_said", set())

    def images(params, batch, rng):
        return {"sheet": jnp.ones((8, 8, 3)), "turning": jnp.ones((4, 8, 8, 3)), "sound": jnp.zeros(1600)}

    task = dataclasses.replace(toy.make(), images=images)
    config = toy.config(steps=3, eval_every=1, tensorboard="clu" in absent)
    assert loop.train(config, task, toy.stream, toy.stream, tmp_path).step == 3
    names = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert names == [f"000000{step}_{name}" for step in (1, 2, 3) for name in ("sheet.png", "sound.wav")]
    assert "sound.wav" in (tmp_path / "gallery.html").read_text()
    said = [line for line in capfd.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert len(said) == 1 + ("clu" in absent) and all("training goes on" in line for line in said)


def test_training_imports_nothing_that_machines_with_accelerators_lack():
    absent = ("av", "soundfile", "soxr", "clu", "tensorflow", "tensorflow_datasets", "mediapipe", "c2pa")
    modules = "experiments.train", "vasa_jax.training.loop", "data_pipelines.clips", *TASKS
    code = f"import sys\nfor name in {absent}: sys.modules[name] = None\nimport {', '.join(modules)}"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2], timeout=300)


def test_init_from_a_workdir_takes_matching_arrays(tmp_path):
    _train(tmp_path / "first")
    _, trained = checkpoint.read_ema(tmp_path / "first")
    trained["model"]["second"]["kernel"] = trained["model"]["second"]["kernel"][:3]
    fresh = toy._init(jax.random.key(0), None)
    merged, missing, unused = start.merge(fresh, trained)
    assert missing == ["model/second/kernel"] and unused == ["model/second/kernel"]
    np.testing.assert_array_equal(merged["model"]["first"]["kernel"], trained["model"]["first"]["kernel"])
    result = _train(tmp_path / "second", init_from=str(tmp_path / "first"), steps=1)
    assert result.metrics["loss"] < _rows(tmp_path / "first")[0]["loss"]


def test_a_later_start_fills_in_only_the_players_that_the_first_lacks(tmp_path):
    _train(tmp_path / "run", steps=2)
    ours = {"first": {"kernel": np.full((toy.WIDTH, 32), 0.5, np.float32)}}
    weights.save_params(tmp_path / "ours.safetensors", ours)
    found = start.read_starts(f"{tmp_path / 'ours.safetensors'}, {tmp_path / 'run'}", toy.NAME, ("model", "adversary"))
    _, run = checkpoint.read_ema(tmp_path / "run")
    np.testing.assert_array_equal(found["model"]["first"]["kernel"], ours["first"]["kernel"])
    assert "second" not in found["model"]
    jax.tree.map(np.testing.assert_array_equal, found["adversary"], run["adversary"])


def test_a_disk_that_stays_full_ends_the_run_with_a_word(tmp_path, monkeypatch, capsys):
    _train(tmp_path, steps=2)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(InputError, match="3 checkpoints in a row"):
        _train(tmp_path, steps=12, checkpoint_every=2)
    monkeypatch.undo()
    assert capsys.readouterr().out.count("is not saved") == 3
    assert _train(tmp_path, steps=4).step == 4  # goes on from step 2


def test_the_ledger_of_a_resumed_pmap_run_adds_up(tmp_path):
    _train(tmp_path, parallel="pmap", steps=5)
    _train(tmp_path, parallel="pmap", steps=8)
    ledger = json.loads((tmp_path / "goodput.json").read_text())
    assert sum(ledger["seconds"].values()) == pytest.approx(ledger["wall"])
    assert [(row["from_step"], row["to_step"]) for row in ledger["starts"]] == [(0, 5), (5, 8)]
    assert all(row["seconds"][name] > 0 for row in ledger["starts"] for name in ("init", "compile", "step", "eval"))
    last = _rows(tmp_path)[-1]
    assert last["step_ms_p95"] >= last["step_ms_p50"] > 0 and last["save_stall_ms"] > 0
    assert "grid" in (tmp_path / "gallery.html").read_text()


@pytest.mark.parametrize("frozen", ["", "^model/first"])
def test_frozen_and_non_finite_steps_change_nothing(frozen):
    config, task = toy.config(), toy.make(frozen)
    optimizers = make_optimizers(config, task)
    state = init_state(task, optimizers, jax.random.key(0), toy.batch(0))
    step = jax.jit(make_train_step(task, optimizers))
    after, metrics = step(state, toy.batch(0), jax.random.key(1), {})
    same = jax.tree.map(lambda a, b: bool((a == b).all()), state.params, after.params)
    assert same["model"]["first"] == {"kernel": bool(frozen), "bias": bool(frozen)}
    assert not same["model"]["second"]["kernel"] and metrics["skipped"] == 0
    broken = toy.batch(1)
    broken["x"][0, 0] = np.nan
    later, metrics = step(after, broken, jax.random.key(1), {})
    for name in ("params", "opt_state", "ema"):
        jax.tree.map(np.testing.assert_array_equal, getattr(after, name), getattr(later, name))
    assert later.step == 2 and metrics["skipped"] == 1
