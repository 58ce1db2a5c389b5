"""Bad batches never reach the parameters, are written down, and too many of them lead back to a checkpoint."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.training import toy
from vasa_jax.errors import InputError
from vasa_jax.training import checkpoint, guards, loop


def _judged(norms, sigma=6.0):
    step = jax.jit(lambda known, norm: guards.judge(known, norm, sigma))
    known, fine = guards.unknown(), []
    for norm in norms:
        accepted, known = step(known, jnp.float32(norm))
        fine.append(bool(accepted))
    return np.array(fine), np.asarray(known)


def test_spikes_of_the_norm_are_told_from_its_waves():
    rng = np.random.default_rng(0)
    norms = np.exp(0.3 * rng.normal(size=300))
    assert _judged(norms)[0].all()
    norms[200] = 30.0
    fine, known = _judged(norms)
    assert list(np.flatnonzero(~fine)) == [200] and known[2] == 300
    assert abs(known[0]) < 0.1 and 0.2 < np.sqrt(known[1] - known[0] ** 2) < 0.5
    assert _judged(norms, sigma=0.0)[0].all()
    norms[10], norms[200] = 30.0, 1.0
    assert _judged(norms)[0].all()  # nothing is known yet


def test_a_level_that_rose_for_good_becomes_normal():
    fine, _ = _judged([1.0] * 100 + [5.0] * 300)
    assert fine[:100].all() and not fine[100] and fine[-50:].all()


def test_what_is_not_finite_is_never_accepted_and_leaves_no_trace():
    fine, known = _judged([1.0] * 50)
    bad, after = _judged([1.0] * 25 + [np.nan, np.inf] + [1.0] * 25)
    assert fine.all() and list(np.flatnonzero(~bad)) == [25, 26]
    np.testing.assert_allclose(after, known)


def _spoilt(*numbers, field="x", value=np.nan):
    """The toy's stream with some batches spoilt."""

    def stream(start):
        for number, batch in enumerate(toy.stream(start), start):
            if number in numbers:
                batch[field][0] = value
            batch["name"] = np.array([f"clip{number}-{row}" for row in batch["index"]])
            yield batch

    return stream


def _train(workdir, stream, **changes):
    return loop.train(toy.config(**{"eval_every": 0, **changes}), toy.make(), stream, None, workdir)


def _events(workdir):
    return [json.loads(line) for line in (workdir / guards.EVENTS).read_text().splitlines()]


def _finite(workdir):
    _, state = checkpoint.read_arrays(workdir)
    return all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state) if leaf.dtype.kind == "f")


def test_a_bad_batch_is_skipped_and_named(tmp_path):
    result = _train(tmp_path, _spoilt(6), log_every=1)
    assert result.step == 12 and _finite(tmp_path) and result.metrics["skipped"] == 1
    (event,) = _events(tmp_path)
    assert (event["event"], event["step"], event["batch"], event["in_a_row"]) == ("skipped", 7, 6, 1)
    assert "not finite" in event["why"] and event["grad_norm_model"] == "nan"
    assert event["index"] == list(range(16)) and event["name"][3] == "clip6-3"
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, 13)) and rows[6]["loss"] is None


def test_spikes_are_skipped_in_a_run(tmp_path, monkeypatch):
    monkeypatch.setattr(guards, "MINIMUM", 4)
    _train(tmp_path, _spoilt(8, field="y", value=1e4), guard={"spike_sigma": 6.0})
    (event,) = _events(tmp_path)
    assert (event["step"], event["batch"], event["why"]) == (9, 8, "spike of the gradient norm")


def test_bad_parameters_lead_back_to_a_checkpoint_and_to_later_data(tmp_path):
    """Six batches in a row, more than any patience: apply_if_finite would have let the last one in."""
    result = _train(tmp_path, _spoilt(*range(5, 11)), guard={"patience": 3, "rollbacks": 3}, log_every=1)
    assert result.step == 12 and _finite(tmp_path)
    events = _events(tmp_path)
    (back, *more) = [event for event in events if event["event"] == "rollback"]
    assert back["to"] == 4 and back["rollbacks_left"] == 2 and len(more) <= 1
    assert checkpoint.read_arrays(tmp_path)[0] == 12
    saved = checkpoint.Checkpoints(tmp_path / "checkpoints").newest()
    assert saved.batch > saved.step == 12  # what was skipped is not read again
    steps = [json.loads(line)["step"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert steps == list(range(1, 13))


def test_a_run_that_cannot_be_saved_ends_with_a_word(tmp_path):
    with pytest.raises(InputError, match="before there is a checkpoint"):
        _train(tmp_path / "early", _spoilt(*range(100)), guard={"patience": 2})
    with pytest.raises(InputError, match="rollbacks"):
        _train(tmp_path / "late", _spoilt(*range(5, 100)), guard={"patience": 2, "rollbacks": 2})
    assert _finite(tmp_path / "late")
