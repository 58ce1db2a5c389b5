"""Runs that are killed, disks that fill, workers that die: nothing is lost, nothing half-written stays."""

import dataclasses
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys

import pytest

from data_pipelines import datasets
from data_pipelines.prepare import backends, local, pipeline, process, results, staging, steps, tracking
from vasa_jax.errors import InputError

ROOT = pathlib.Path(__file__).parents[3]
OPTIONS = process.Options(size=80)


@dataclasses.dataclass(frozen=True)
class Deadly(backends.Spec):
    """Reads tracks, and ends its process at one clip, as a broken decoder does."""

    victim: str = ""

    def make(self):
        folder = tracking.LandmarksFolder(self.landmarks)
        victim = self.victim

        class Kills:
            def track(self, clip_id, images, box=None):
                if clip_id == victim:
                    os.kill(os.getpid(), signal.SIGKILL)
                return folder.track(clip_id, images)

            def close(self):
                pass

        return Kills()


def content(folder: pathlib.Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def videos(heads):
    for k in range(4):
        heads.write(f"s1_c{k}", seed=k)
    (heads.root / "videos" / "s1" / "c9.mp4").write_bytes(b"")
    return heads.root / "videos"


def job(heads, folder, **fields):
    return steps.Job(folder, backends.Spec(landmarks=os.fspath(heads.tracks)), OPTIONS, **fields)


def test_killed_and_run_again_gives_the_same(heads, videos, tmp_path):
    sources = datasets.find_sources("grid", videos)
    local.run(sources, job(heads, tmp_path / "whole"), 1, lambda outcome: None)
    child = [sys.executable, "-m", "tests.data_pipelines.prepare.killed_child", videos, heads.tracks, tmp_path / "cut"]
    done = subprocess.run([*map(str, child), "3"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    left = content(tmp_path / "cut")
    assert len(left) == 3 and sum(name.endswith(".tmp") for name in left) == 1  # two whole, one half-way
    staging.sweep(tmp_path / "cut")
    old = []
    local.run(sources, job(heads, tmp_path / "cut"), 1, lambda outcome: old.append(outcome.old))
    assert old == [True, True, False, False, False]
    assert content(tmp_path / "cut") == content(tmp_path / "whole")
    found = results.Results(job(heads, tmp_path / "cut"), sources)
    quality = found.quality()
    assert quality["counts"] == {"sources": 5, "kept": 4, "dropped": 1} and quality["reasons"] == {"empty": 1}


def test_a_file_that_kills_its_reader_is_left_out_and_the_rest_goes_on(heads, videos, tmp_path):
    sources = datasets.find_sources("grid", videos)
    deadly = dataclasses.replace(
        job(heads, tmp_path), tracker=Deadly(landmarks=os.fspath(heads.tracks), victim="s1_c1")
    )
    seen = []
    local.run(sources, deadly, 2, seen.append)
    assert sorted(outcome.name for outcome in seen) == ["s1_c0", "s1_c1", "s1_c2", "s1_c3", "s1_c9"]
    found = results.Results(deadly, sources)
    dropped = {entry.clip: entry.reason for _, entry in found.dropped()}
    assert dropped.keys() == {"s1_c1", "s1_c9"} and dropped["s1_c1"].startswith("crashed its reader")
    assert [clip for _, clip, _ in found.kept()] == ["s1_c0", "s1_c2", "s1_c3"]


def test_a_full_disk_is_one_line_and_the_next_run_goes_on(heads, videos, tmp_path):
    """A limit on the size of files stands in for the disk: the write itself fails, with another number."""
    sources = datasets.find_sources("grid", videos)
    staged = tmp_path / "staged"
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, usual[1]))
        with pytest.raises(InputError, match="run the same command again: it goes on where it was"):
            local.run(sources, job(heads, staged), 1, lambda outcome: None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        signal.signal(signal.SIGXFSZ, handler)
    assert content(staged) == {}
    local.run(sources, job(heads, staged), 1, lambda outcome: None)
    assert len(content(staged)) == 5


def test_too_little_space_for_the_shards_is_said_before_they_are_written(tmp_path, monkeypatch):
    (tmp_path / "a.npz").write_bytes(bytes(1000))
    usage = type("Usage", (), {"free": 1500})
    monkeypatch.setattr(pipeline.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(InputError, match="too full"):
        pipeline._check_space(tmp_path, tmp_path)


def test_two_runs_at_once(tmp_path):
    with pipeline._alone(tmp_path), pytest.raises(InputError, match="another run"), pipeline._alone(tmp_path):
        pass


def test_a_result_that_is_missing_is_noticed(heads, videos, tmp_path):
    sources = datasets.find_sources("grid", videos)
    local.run(sources[:4], job(heads, tmp_path), 1, lambda outcome: None)
    with pytest.raises(InputError, match="s1_c9"):
        results.Results(job(heads, tmp_path), sources)


def test_quality_is_plain_json(heads, videos, tmp_path):
    sources = datasets.find_sources("grid", videos)
    local.run(sources, job(heads, tmp_path), 1, lambda outcome: None)
    quality = results.Results(job(heads, tmp_path), sources).quality()
    assert json.loads(json.dumps(quality)) == quality
    assert str(heads.root) not in json.dumps(quality)
    assert quality["labels"]["frames"] == 300 and sum(quality["labels"]["histograms"]["yaw"]["counts"]) == 300
