"""The Beam transforms give what the local runner gives. Needs apache-beam (docs/prepare.md says how to install it)."""

import os
import sys

import pytest

from data_pipelines.prepare import backends, local, process, steps
from data_pipelines.prepare.source import Source
from vasa_jax.errors import InputError


def content(folder):
    return {p.name: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_same_results_as_the_local_runner(heads, tmp_path):
    pytest.importorskip("apache_beam", reason="apache-beam is not installed; it needs an environment of its own")
    from data_pipelines.prepare import beam_steps

    sources = [Source(heads.write(f"s1_c{k}", seed=k), f"s1_c{k}", "s1") for k in range(3)]
    sources.append(Source(tmp_path / "absent.mp4", "s1_absent", "s1"))
    spec, options = backends.Spec(landmarks=os.fspath(heads.tracks)), process.Options(size=80)
    outcomes = []
    local.run(sources, steps.Job(tmp_path / "local", spec, options), 1, outcomes.append)
    assert [(o.clips, o.dropped) for o in outcomes] == [(1, 0), (1, 0), (1, 0), (0, 1)]
    beam_steps.run(sources, steps.Job(tmp_path / "beam", spec, options), ["--runner=DirectRunner"])
    assert content(tmp_path / "beam") == content(tmp_path / "local")


def test_beam_that_is_not_there_is_said(monkeypatch):
    from data_pipelines import prepare
    from data_pipelines.prepare import pipeline

    monkeypatch.setitem(sys.modules, "apache_beam", None)
    monkeypatch.delitem(sys.modules, "data_pipelines.prepare.beam_steps", raising=False)
    monkeypatch.delattr(prepare, "beam_steps", raising=False)  # where the other test has imported it
    with pytest.raises(InputError, match="apache-beam"):
        pipeline._beam()
