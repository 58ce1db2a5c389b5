"""vasa-prepare, run as a user runs it, on bad files and full disks, and killed: nothing is lost without a word.

With VASA_FAULTS_REPORT=FILE what happened is left there as JSON (experiments/results/prepare_faults.json).
"""

import contextlib
import ctypes
import json
import os
import pathlib
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import av
import numpy as np
import pytest

from data_pipelines import records
from tests.data_pipelines.prepare.conftest import Head
from tests.experiments import faulty_videos
from vasa_jax import files

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[2]
DATA_SET = pathlib.Path("folder_faults", "tiny_64", "1.0.0")
STAGING = ".staging-folder_faults-tiny_64"
DEADLINE = 1800  # seconds for what takes ten on an idle machine
EXACT = ("*.array_record-*", "manifest.json", "quality.json", "sources.jsonl", "index-*.json", "dataset_info.json")


class Folder:
    """Videos with their tracks, and the command that prepares them."""

    def __init__(self, heads: Head):
        self.videos, self.tracks = heads.root / "videos", heads.tracks

    def start(self, output: pathlib.Path, *flags: str, **options) -> subprocess.Popen:
        """The command, running."""
        command = [sys.executable, "-m", "experiments.prepare", "--name=folder_faults", "--size=tiny_64"]
        command += [f"--input={self.videos}", f"--landmarks={self.tracks}", f"--output={output}", "--processes=2"]
        environment = os.environ | {"JAX_PLATFORMS": "cpu"}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([*command, *flags], cwd=ROOT, env=environment, **pipes, **options)

    def run(self, output: pathlib.Path, *flags: str, **options) -> tuple[int, str, str]:
        """The command, done: exit code, what it said, what it complained of."""
        with self.start(output, *flags, **options) as child:
            try:
                said, complaint = child.communicate(timeout=DEADLINE)
            finally:
                child.kill()
        return child.returncode, said, complaint


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Folder:
    """Six good videos."""
    heads = Head(tmp_path_factory.mktemp("good"))
    for k in range(6):
        heads.write(f"p{k}_a", seconds=2.4, seed=k)
    return Folder(heads)


@pytest.fixture(scope="module")
def undisturbed(good, tmp_path_factory) -> pathlib.Path:
    """What comes of them."""
    output = tmp_path_factory.mktemp("undisturbed")
    code, _, complaint = good.run(output)
    assert code == 0, complaint
    return output


@pytest.fixture(scope="module")
def record():
    """Notes what happened: record(fault, exit code, message, kept=..., ...)."""
    entries = []
    yield lambda fault, code, message, **more: entries.append(
        {"fault": fault, "exit_code": code, "message": message} | more
    )
    if target := os.environ.get("VASA_FAULTS_REPORT"):
        files.write_json(target, _head() | {"faults": entries})


def _head() -> dict:
    return {
        "what": "faults shown by vasa-prepare itself, on videos that the test makes",
        "command": "VASA_FAULTS_REPORT=FILE python -m pytest -m slow tests/experiments/test_prepare_faults.py",
        "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "versions": {"python": platform.python_version(), "av": av.__version__, "numpy": np.__version__},
    }


def _message(complaint: str, *places: pathlib.Path) -> str:
    """The only line of the complaint, without the test's own paths."""
    lines = [line for line in complaint.splitlines() if line.strip()]
    assert len(lines) == 1 and "Traceback" not in complaint, complaint
    for place in places:
        lines[0] = lines[0].replace(str(place), "OUTPUT")
    return lines[0]


def _stored(output: pathlib.Path) -> dict[str, bytes]:
    """Clip -> its record, read from the shards."""
    split = records.RecordSplit(output / DATA_SET, "train", 0)
    raw = [reader.read([k])[0] for reader in split._readers for k in range(reader.num_records())]
    assert len(raw) == len(split)
    return {split[k].clip_id: data for k, data in enumerate(raw)}


def _exact(output: pathlib.Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for kind in EXACT for path in sorted((output / DATA_SET).glob(kind))}


def _same(output: pathlib.Path, undisturbed: pathlib.Path) -> None:
    """The same data set to the byte, the same report, and nothing left behind."""
    assert _exact(output) == _exact(undisturbed) and len(_exact(output)) > 4
    assert (output / "quality.json").read_bytes() == (undisturbed / "quality.json").read_bytes()
    assert len(_stored(output)) == 6
    assert not list(output.glob(".staging*")) and not list(output.glob("**/incomplete.*"))


def _without_rights() -> None:
    """In the child: file modes bind it, also where root runs the tests (drops CAP_DAC_OVERRIDE, _READ_SEARCH)."""
    libc = ctypes.CDLL(None)
    for capability in (1, 2):
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


def test_a_folder_of_bad_files(tmp_path, record):
    heads = Head(tmp_path / "heads")
    folder = Folder(heads)
    faulty_videos.write_all(heads)
    code, said, complaint = folder.run(tmp_path / "out", preexec_fn=_without_rights)
    assert code == 0 and complaint == "", complaint
    quality = json.loads((tmp_path / "out" / "quality.json").read_text())
    dropped = {entry["clip"]: entry["reason"] for entry in quality["dropped"]}
    kept = [fault.clip for fault in faulty_videos.FAULTS if fault.kept]
    for fault in faulty_videos.FAULTS:
        reason = dropped.pop(f"{fault.clip}_rest" if fault.kept else fault.clip, None)
        assert (reason or "").startswith(fault.says or "") and bool(reason) == bool(fault.says), (fault.file, reason)
        assert (fault.clip in quality["kept"]) == fault.kept
        record(fault.what, code, reason or "", file=fault.file, kept=int(fault.kept))
    assert dropped == {} and quality["kept"] == sorted(kept)  # every file is in one of the two
    assert quality["counts"] == {"sources": len(faulty_videos.FAULTS), "kept": 5, "dropped": 8}
    assert "{'train': 5}, 8 dropped" in said

    stored = _stored(tmp_path / "out")
    assert sorted(stored) == sorted(kept)
    for fault in faulty_videos.FAULTS:  # the bad ones gone, the rest must come out as before
        if not fault.kept:
            (folder.videos / fault.file).unlink()
    code, _, complaint = folder.run(tmp_path / "alone")
    assert code == 0 and _stored(tmp_path / "alone") == stored, complaint


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB and a function that changes its size; unmounted afterwards."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no small file system can be mounted here: {done.stderr.strip()}")
    yield place, lambda size: subprocess.run(["mount", "-o", f"remount,size={size}", str(place)], check=True)
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_fills_up(good, undisturbed, small_disk, record):
    """While files are worked on; before shards are written; while they are, because of somebody else."""
    place, resize = small_disk
    output = place / "out"
    code, _, complaint = good.run(output)
    message = _message(complaint, output)
    assert code == 3 and "the disk is full; make room and run the same command again" in message
    done = _results(output)
    assert len(done) < 6 and not _halves(output) and not (output / DATA_SET).exists()
    record("disk full while files are worked on (1 MB)", code, message, results_left=len(done))

    resize("3m")
    code, _, complaint = good.run(output)
    message = _message(complaint, output)
    assert code == 3 and "the disk is too full" in message and not (output / DATA_SET).exists()
    assert len(_results(output)) == 6
    record("disk too full for the shards (enlarged to 3 MB)", code, message, results_left=6)

    resize("16m")
    child = good.start(output)
    _wait(child, lambda: list(output.glob("*/*/incomplete.*")))
    filler = place / "of somebody else"
    _fill(filler)
    _, complaint = child.communicate(timeout=DEADLINE)
    message = _message(complaint, output)
    assert child.returncode == 3 and "make room" in message and not (output / DATA_SET).exists()
    record("disk filled by another while shards are written (16 MB)", child.returncode, message, results_left=6)

    filler.unlink()
    code, said, complaint = good.run(output)
    assert code == 0, complaint
    _same(output, undisturbed)
    record("run again with room", code, "", kept=6, identical_to_undisturbed=True)


def _fill(path: pathlib.Path) -> None:
    """Writes until nothing more fits."""
    with open(path, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass


def _results(output: pathlib.Path) -> list[pathlib.Path]:
    return list((output / STAGING).glob("??/[!.]*.npz"))


def _halves(output: pathlib.Path) -> list[pathlib.Path]:
    return list((output / STAGING).glob("??/.*.tmp"))


def _wait(child: subprocess.Popen, until: Callable[[], object]) -> None:
    """Returns as soon as it is so; looks every millisecond."""
    deadline, pause = time.monotonic() + DEADLINE, threading.Event()
    while not until():
        assert child.poll() is None, f"ended before it was caught: {child.stderr.read()}"
        assert time.monotonic() < deadline
        pause.wait(0.001)


def test_killed_at_one_moment_after_the_other(good, undisturbed, tmp_path, record):
    """Each run goes on where the one before was killed; the last one is left to its end."""
    moments = {
        "a file's result is half written": lambda: _halves(tmp_path),
        "two files are done": lambda: len(_results(tmp_path)) > 1,
        "storing begins": lambda: (tmp_path / STAGING / "storing").exists(),
        "a shard is half written": lambda: list(tmp_path.glob("*/*/incomplete.*/*.array_record-*")),
        "the data set is there without its report": lambda: (tmp_path / DATA_SET).exists(),
    }
    for moment, come in moments.items():
        child = good.start(tmp_path)
        _wait(child, come)
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=DEADLINE)  # until its workers have gone too: they hold the pipes
        assert child.returncode == -signal.SIGKILL and not (tmp_path / "quality.json").exists()
        record(f"kill -9 when {moment}", child.returncode, "", results_left=len(_results(tmp_path)))
    code, _, complaint = good.run(tmp_path)
    assert code == 0, complaint
    _same(tmp_path, undisturbed)
    record("run again after the kills", code, "", kept=6, identical_to_undisturbed=True)
