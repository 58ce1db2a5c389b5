"""A signal ends a command wherever it comes: the exit code that shells know, one word, nothing half-made."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def _heed():
    """The tests may themselves run where signals are ignored, as jobs in the background are."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def stopped(place, folder, number, *code, twice=False):
    """Exit code, what was printed and what lies in the folder, of a command that got the signal at that place."""
    command = [sys.executable, "-m", "tests.experiments.stopping_child", place, str(folder), *code]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
    child = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, preexec_fn=_heed, **pipes)
    try:
        assert child.stdout.readline() == b"ready\n"
        child.send_signal(number)
        if twice:
            child.send_signal(number)
        out, err = child.communicate(timeout=60)
    finally:
        child.kill()
    return child.returncode, out.decode(), err.decode(), sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("place", ["callback", "native", "swallowed", "changed"])
def test_a_stop_is_never_lost(tmp_path, place):
    assert stopped(place, tmp_path, signal.SIGINT) == (130, "", "interrupted\n", [])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_every_signal_unwinds(tmp_path, number, code):
    assert stopped("cleaning", tmp_path, number, twice=True) == (code, "", "interrupted\n", ["cleaned"])


def test_a_command_that_has_ended_has_ended_well(tmp_path):
    assert stopped("done", tmp_path, signal.SIGINT) == (0, "", "", [])


def test_training_says_that_it_was_preempted(tmp_path):
    assert stopped("swallowed", tmp_path, signal.SIGTERM, "42") == (42, "", "interrupted\n", [])


@pytest.mark.parametrize("command", ["experiments.verify", "experiments.train"])
def test_before_anything_is_imported_a_signal_just_ends(command):
    # The module's own import sends the signal, as a hasty user would.
    code = (
        "import os, sys, signal; sys.orig_argv = ['python', '-m', sys.argv[1]]; import experiments;"
        "os.kill(os.getpid(), signal.SIGINT)"
    )
    words = [sys.executable, "-c", code, command]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, preexec_fn=_heed)
    assert (done.returncode, done.stderr) == (42 if command.endswith("train") else 130, "interrupted\n")


def test_what_nohup_ignores_stays_ignored():
    code = """
import signal
from experiments.common.stopping import Stop
with Stop():
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
"""
    done = subprocess.run(["nohup", sys.executable, "-c", code], cwd=ROOT, capture_output=True)
    assert done.returncode == 0, done.stderr
