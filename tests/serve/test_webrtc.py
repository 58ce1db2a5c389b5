"""Calls by WebRTC. Loaded into a process that had collected the whole suite, aiortc's encryption crashed it."""

import importlib.util
from pathlib import Path

import pytest

from tests import child


@pytest.mark.skipif(importlib.util.find_spec("aiortc") is None, reason="needs the extra `serve`")
@pytest.mark.heavy
def test_calls():
    child.passes(Path(__file__).with_name("webrtc_calls.py"))
