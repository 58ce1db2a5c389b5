"""A hung step leaves its stacks, then ends the process so that it can be started again; slow ones are left alone."""

import json
import threading

import pytest

from vasa_jax.training.goodput import Ledger, StepTimes
from vasa_jax.training.watchdog import HEARTBEAT, Watchdog


def _dog(tmp_path, left, **config):
    ledger, times = Ledger(), StepTimes()
    dog = Watchdog(tmp_path, ledger, times, {"dump_seconds": 10.0, "exit_seconds": 30.0, **config}, left.append)
    dog.step = 7
    return dog, ledger, times


def test_stacks_once_a_hang_then_the_exit(tmp_path, capfd):
    left = []
    dog, ledger, _ = _dog(tmp_path, left)
    ledger.switch("step")
    dog.look(ledger.since + 9)
    assert not list(tmp_path.glob("hung*")) and json.loads((tmp_path / HEARTBEAT).read_text())["step"] == 7
    dog.look(ledger.since + 11)
    stacks = tmp_path / "hung_7.txt"
    assert "11 s in 'step' after step 7" in stacks.read_text() and "test_watchdog" in stacks.read_text()
    stacks.unlink()
    dog.look(ledger.since + 29)
    assert not stacks.exists() and not left
    dog.look(ledger.since + 31)
    assert left == [42] and "leaving" in capfd.readouterr().err


def test_compilation_and_slow_steps_are_no_hang(tmp_path):
    left = []
    dog, ledger, times = _dog(tmp_path, left)
    for account in ("init", "compile"):
        ledger.switch(account)
        dog.look(ledger.since + 1000)
    times._times.append(60.0)  # the median step: 20 of them are waited for
    ledger.switch("data_wait")
    dog.look(ledger.since + 1000)
    assert not list(tmp_path.glob("hung*")) and not left
    dog.look(ledger.since + 2401)
    assert list(tmp_path.glob("hung*")) and left == [42]


def test_it_watches_from_a_thread_of_its_own(tmp_path):
    hung = threading.Event()
    ledger = Ledger()
    ledger.switch("step")
    config = {"dump_seconds": 1e-9, "exit_seconds": 1e-9}
    with Watchdog(tmp_path, ledger, StepTimes(), config, lambda code: hung.set(), tick=0.01):
        assert hung.wait(10.0)
    assert not any(thread.name == "watchdog" for thread in threading.enumerate())


@pytest.mark.parametrize("name", ["dump_seconds", "exit_seconds"])
def test_each_can_be_turned_off(name, tmp_path):
    left = []
    dog, ledger, _ = _dog(tmp_path, left, **{name: 0.0})
    ledger.switch("step")
    dog.look(ledger.since + 1000)
    assert bool(left) == (name == "dump_seconds") and bool(list(tmp_path.glob("hung*"))) == (name == "exit_seconds")
