"""Traces begin and end with the steps that were asked for."""

import jax
import pytest

from vasa_jax.training import trace


@pytest.fixture
def calls(monkeypatch):
    calls = []
    monkeypatch.setattr(jax.profiler, "start_trace", lambda folder: calls.append("start"))
    monkeypatch.setattr(jax.profiler, "stop_trace", lambda: calls.append("stop"))
    monkeypatch.setattr(trace, "_LOOK_SECONDS", 0.0)
    return calls


def _steps(tracer, calls, numbers):
    for number in numbers:
        with tracer.step(number):
            calls.append(number)


def test_planned(tmp_path, calls):
    tracer = trace.Tracer(tmp_path, {"at": 3, "steps": 2}, print)
    _steps(tracer, calls, range(1, 7))
    tracer.close()
    assert calls == [1, 2, "start", 3, 4, "stop", 5, 6]


def test_asked_for_while_it_runs(tmp_path, calls):
    said = []
    tracer = trace.Tracer(tmp_path, {"steps": 5}, said.append)
    _steps(tracer, calls, [1])
    (tmp_path / trace.REQUEST).touch()
    _steps(tracer, calls, [2, 3])
    tracer.close()
    assert calls == [1, "start", 2, 3, "stop"] and "step 2" in said[0]
    assert not (tmp_path / trace.REQUEST).exists()
