"""Calls by WebRTC, in a process of their own.

Loaded into a process that had collected the whole suite, aiortc's encryption (pylibsrtp) crashed it.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(importlib.util.find_spec("aiortc") is None, reason="needs the extra `serve`")
def test_calls():
    file = Path(__file__).with_name("webrtc_calls.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=file.parents[2], check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "passed" in done.stdout and "skipped" not in done.stdout
