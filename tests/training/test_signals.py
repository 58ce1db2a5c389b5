"""SIGTERM saves and leaves; another one while it saves changes nothing."""

import os
import signal

import pytest

from tests.training import hosts, killed, toy
from tests.training.killed import Kill
from vasa_jax.training import checkpoint, integrity, loop
from vasa_jax.training.signals import stop_requests


def test_the_first_signal_asks_and_the_second_ctrl_c_interrupts():
    before = signal.getsignal(signal.SIGTERM)
    with stop_requests() as asked:
        assert not asked(1)
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGTERM)
        assert asked(1)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_second_sigterm_during_the_save(tmp_path, monkeypatch):
    seal = integrity.seal

    def slow(folder, facts):
        os.kill(os.getpid(), signal.SIGTERM)  # while the checkpoint is being written
        seal(folder, facts)

    monkeypatch.setattr(integrity, "seal", slow)

    def stream(start):
        for number, batch in enumerate(toy.stream(start), start):
            if number == 5:
                os.kill(os.getpid(), signal.SIGTERM)
            yield batch

    result = loop.train(toy.config(eval_every=0), toy.make(), stream, None, tmp_path)
    assert result.preempted and result.step in (5, 6)
    found = checkpoint.Checkpoints(tmp_path / "checkpoints").newest()
    assert found.step == result.step and not list((tmp_path / "checkpoints" / ".saving").glob("*"))


def test_a_child_that_is_asked_to_stop_leaves_with_42(tmp_path, compile_cache):
    changes = {"steps": 40, "checkpoint_every": 100}
    ended = killed.run("toy", tmp_path / "run", compile_cache / "one", changes, Kill(at=9, signal=signal.SIGTERM))
    assert ended.code == 42 and checkpoint.steps(tmp_path / "run" / "checkpoints")[-1] in (9, 10)


@pytest.mark.slow
def test_a_signal_to_one_of_two_hosts_stops_both_at_the_same_step(tmp_path, compile_cache):
    first, second = hosts.together("toy", tmp_path / "run", compile_cache / "two", count=2, steps=16, stop_at=6)
    assert first == second and first[1] == "True" and int(first[0]) < 16
    assert checkpoint.steps(tmp_path / "run" / "checkpoints")[-1] == int(first[0])
