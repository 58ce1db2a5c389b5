"""SIGTERM saves and leaves; another one while it saves changes nothing."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from tests.training import killed, toy
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


def _two_hosts(workdir, cache, stop_at):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    words = [sys.executable, "-m", "tests.training.two_hosts"]
    hosts = [
        subprocess.Popen(
            [*words, str(host), str(port), str(workdir), str(cache), str(stop_at)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for host in range(2)
    ]
    outputs = [host.communicate(timeout=600)[0] for host in hosts]
    assert [host.returncode for host in hosts] == [0, 0]
    return [output.splitlines()[-1].split()[1:] for output in outputs]


@pytest.mark.slow
def test_a_signal_to_one_of_two_hosts_stops_both_at_the_same_step(tmp_path, compile_cache):
    first, second = _two_hosts(tmp_path / "run", compile_cache / "two", stop_at=6)
    assert first == second and first[1] == "True" and int(first[0]) < 16
    assert checkpoint.steps(tmp_path / "run" / "checkpoints")[-1] == int(first[0])
