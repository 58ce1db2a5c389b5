"""Checkpoints hold the state of their step, fit other layouts, are whole or do not count, and outlive what breaks."""

import functools
import shutil
import zipfile
from pathlib import Path

import jax
import numpy as np
import pytest

from tests.training import toy
from vasa_jax.errors import InputError
from vasa_jax.training import checkpoint, integrity, start
from vasa_jax.training.checkpoint import CheckpointInfo, Checkpoints, RetentionPolicy
from vasa_jax.training.partition import MeshPartitioner
from vasa_jax.training.train_step import make_optimizers, make_train_step

STORED = Path(__file__).parent / "stored" / "checkpoint_schema_0.zip"


def _mesh(devices):
    shape = {"data": 2, "fsdp": devices // 2} if devices > 1 else {}
    return MeshPartitioner(shape, min_size=64, devices=jax.devices()[:devices])


@functools.cache
def _setup():
    """(abstract state, state and step on 8 devices) of the toy."""
    task, wide = toy.make(), _mesh(8)
    abstract = start.shapes(toy.config(), task, toy.batch(0))
    optimizers = make_optimizers(toy.config(), task)
    step = wide.step(functools.partial(make_train_step, task, optimizers), abstract)
    init = start._init(toy.config(), task)
    return abstract, wide.init(init, wide.put(toy.batch(0))), step


def _copy(state):
    return jax.tree.map(lambda x: x.copy(), state)


def _saved(directory, *steps, keep=9, said=None):
    checkpoints = Checkpoints(directory, keep, (said if said is not None else []).append)
    for step in steps:
        checkpoints.save(_setup()[1], CheckpointInfo(step, step + 100, 3, metrics={"eval/l2": abs(step - 2.0)}))
    checkpoints.wait()
    return checkpoints


def test_saving_in_the_background_while_buffers_are_donated(tmp_path):
    abstract, first, step = _setup()
    wide = _mesh(8)
    state, _ = step(_copy(first), wide.put(toy.batch(0)), jax.random.key(0), {})
    expected = jax.tree.map(np.array, state)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(state, CheckpointInfo(1, 1, 3))
    for number in range(1, 4):
        state, _ = step(state, wide.put(toy.batch(number)), jax.random.key(0), {})
    checkpoints.wait()
    restored = checkpoints.restore(CheckpointInfo(1, 1), abstract, wide.shardings(abstract))
    jax.tree.map(np.testing.assert_array_equal, restored, expected)
    checkpoints.close()


def test_from_8_devices_to_4_to_1_and_back_to_8(tmp_path):
    abstract, state, _ = _setup()
    checkpoints = Checkpoints(tmp_path)
    expected = jax.tree.map(np.array, state)
    for step, devices in enumerate((8, 4, 1, 8)):
        shardings = _mesh(devices).shardings(abstract)
        if step:
            state = checkpoints.restore(CheckpointInfo(step - 1, 0), abstract, shardings)
        assert all(leaf.sharding == place for leaf, place in zip(jax.tree.leaves(state), jax.tree.leaves(shardings)))
        jax.tree.map(np.testing.assert_array_equal, state, expected)
        checkpoints.save(state, CheckpointInfo(step, step))
        checkpoints.wait()
    checkpoints.close()


def test_what_a_checkpoint_says_of_itself(tmp_path):
    _saved(tmp_path, 4).close()
    found = Checkpoints(tmp_path).newest()
    assert found == CheckpointInfo(4, 104, 3, checkpoint.SCHEMA, {"eval/l2": 2.0})
    assert not (tmp_path / ".saving" / "4").exists()


def _files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_any_flipped_bit_is_found_and_the_step_before_is_taken(tmp_path):
    _saved(tmp_path, 1, 2).close()
    rng = np.random.default_rng(0)
    whole = tmp_path / "whole"
    shutil.copytree(tmp_path / "2", whole)
    for path in _files(whole):  # at least one bit of every file, the seal's own included
        shutil.rmtree(tmp_path / "2", ignore_errors=True)
        shutil.copytree(whole, tmp_path / "2")
        target = tmp_path / "2" / path.relative_to(whole)
        data = bytearray(target.read_bytes())
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        target.write_bytes(data)
        said = []
        assert Checkpoints(tmp_path, say=said.append).newest().step == 1, target
        assert len(said) == 1 and target.name in said[0] and (tmp_path / "damaged-2").is_dir()


@pytest.mark.parametrize("fault", ["cut", "missing", "manifest", "added"])
def test_other_damage(fault, tmp_path):
    _saved(tmp_path, 1, 2).close()
    largest = max(_files(tmp_path / "2"), key=lambda path: path.stat().st_size)
    if fault == "cut":
        largest.write_bytes(largest.read_bytes()[:-1])
    elif fault == "missing":
        largest.unlink()
    elif fault == "manifest":
        (tmp_path / "2" / integrity.NAME).unlink()
    else:
        (tmp_path / "2" / "state" / "more").write_text("x")
    said = []
    checkpoints = Checkpoints(tmp_path, say=said.append)
    assert checkpoints.newest().step == 1 and "damaged" in said[0]
    shutil.rmtree(tmp_path / "1" / "state")
    for _ in range(2):  # the second start must not begin anew without a word
        with pytest.raises(InputError, match="none of the checkpoints is whole"):
            checkpoints.newest()


def test_what_a_killed_save_left_does_not_count(tmp_path):
    checkpoints = _saved(tmp_path, 1)
    checkpoints.close()
    shutil.copytree(tmp_path / "1", tmp_path / ".saving" / "2")
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.newest().step == 1 and not (tmp_path / ".saving").exists()


def test_which_stay():
    scores = {step: {"eval/l2": abs(step - 20.0)} for step in range(0, 90, 20)}
    found = [CheckpointInfo(step, step, metrics=scores.get(step, {})) for step in range(0, 90, 10)]
    assert RetentionPolicy(2).chosen(found) == {70, 80}
    assert RetentionPolicy(1, every=30).chosen(found) == {0, 30, 60, 80}
    assert RetentionPolicy(1, best="eval/l2").chosen(found) == {20, 80}
    assert RetentionPolicy(1, best="-eval/l2").chosen(found) == {80}
    assert RetentionPolicy(1, best="-eval/l2").chosen(found[:5]) == {0, 40}


def test_only_those_stay_on_disk(tmp_path):
    _saved(tmp_path, 1, 2, 3, 4, 5, keep=RetentionPolicy(1, every=4, best="eval/l2")).close()
    assert checkpoint.steps(tmp_path) == [2, 4, 5]


def test_a_full_disk_keeps_the_checkpoint_before(tmp_path, monkeypatch):
    said = []
    checkpoints = _saved(tmp_path, 1, said=said)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    assert not checkpoints.save(_setup()[1], CheckpointInfo(2, 2)) and checkpoints.missed == 1
    monkeypatch.undo()

    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(integrity, "seal", fail)  # in the background, while it is written
    assert checkpoints.save(_setup()[1], CheckpointInfo(3, 3))
    checkpoints.wait()
    monkeypatch.undo()
    assert checkpoints.missed == 2 and "No space left" in said[-1]
    assert checkpoints.newest().step == 1 and not (tmp_path / ".saving").exists()
    checkpoints.save(_setup()[1], CheckpointInfo(4, 4))
    checkpoints.close()
    assert checkpoints.missed == 0 and checkpoints.newest().step == 4


def test_checkpoints_of_schema_0_are_read(tmp_path):
    """Written before there were manifests and `norms`: what it lacks starts at zero."""
    zipfile.ZipFile(STORED).extractall(tmp_path)
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    found = checkpoints.newest()
    assert (found.step, found.batch, found.schema) == (4, 4, 0)
    abstract, _, _ = _setup()
    state = checkpoints.restore(found, abstract, _mesh(8).shardings(abstract))
    assert int(state.step) == 4 and all(not np.any(values) for values in state.norms.values())
    step, ema = checkpoint.read_ema(tmp_path)
    assert step == 4
    jax.tree.map(np.testing.assert_array_equal, ema, jax.device_get(state.ema))
    checkpoints.save(state, CheckpointInfo(5, 5))
    checkpoints.close()
    assert checkpoints.newest().schema == checkpoint.SCHEMA


def test_a_checkpoint_of_a_later_version_says_so(tmp_path):
    checkpoints = _saved(tmp_path)
    checkpoints.save(_setup()[1], CheckpointInfo(1, 1, schema=99))
    checkpoints.wait()
    with pytest.raises(InputError, match="schema 99"):
        checkpoints.newest()
    checkpoints.close()


def test_a_checkpoint_of_another_model_is_bad_input(tmp_path):
    checkpoints = _saved(tmp_path, 1)
    abstract = _setup()[0]
    other = abstract.replace(params={"model": {"new": jax.ShapeDtypeStruct((3,), np.float32)}})
    with pytest.raises(InputError, match="does not fit"):
        checkpoints.restore(CheckpointInfo(1, 1), other, _mesh(8).shardings(other))
    checkpoints.close()
    with pytest.raises(InputError, match="no checkpoint"):
        checkpoint.read_ema(tmp_path / "nowhere")
