import json
import os
import pathlib
import subprocess
import sys

import pytest

from tests.data_pipelines.conftest import grid_folder  # noqa: F401

ROOT = pathlib.Path(__file__).parents[2]


def _run(*flags: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "experiments.prepare", *flags]
    return subprocess.run(command, cwd=ROOT, env=os.environ | {"JAX_PLATFORMS": "cpu"}, capture_output=True, text=True)


def test_grid_folder_to_data_set(grid_folder, tmp_path):  # noqa: F811
    videos, tracks = grid_folder
    flags = [f"--input={videos}", f"--output={tmp_path}", "--name=grid", f"--landmarks={tracks}", "--size=tiny_64"]
    done = _run(*flags, f"--report={tmp_path}/report.json")
    assert done.returncode == 0, done.stderr[-2000:]
    quality = json.loads((tmp_path / "quality.json").read_text())
    assert len(quality["kept"]) == 9 and [d["clip"] for d in quality["dropped"]] == ["s1_clip5"]
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["examples"] == {"train": 7, "validation": 1, "unseen": 1} and report["dropped"] == 1
    version = tmp_path / "grid" / "tiny_64" / "1.0.0"
    manifest = json.loads((version / "manifest.json").read_text())
    assert len(manifest["shards"]) == 3 and (version / "index-train.json").exists()
    assert (version / "sheets" / "s1.jpg").exists() and (version / "quality.json").exists()
    assert "s1_clip5" in (tmp_path / "quality.html").read_text()
    assert quality["counts"] == {"sources": 10, "kept": 9, "dropped": 1} and quality["reasons"] == {"face lost": 1}
    assert not list(tmp_path.glob(".staging*")), "left behind"
    again = _run(*flags)
    assert again.returncode == 3 and "--overwrite" in again.stderr and len(again.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("flags", "code", "says"),
    [
        (["--output=x"], 2, "--input"),
        (["--input=.", "--output=x"], 3, "no video"),
        (["--input=absent", "--output=x", "--face_model=absent.task"], 3, "no such folder"),
        (["--stage=latents", "--input=absent", "--output=x", "--name=grid"], 3, "no data set"),
        (["--input=.", "--output=x", "--name=films"], 2, "films"),
        (["--stage=latents", "--input=.", "--output=x"], 2, "--name"),
        (["--input=.", "--output=x", "--min_seconds=9", "--max_seconds=3"], 2, "--min_seconds"),
    ],
    ids=["no input", "no video", "no folder", "no data set", "unknown name", "no name", "no length"],
)
def test_one_line_that_says_what_is_wrong(tmp_path, flags, code, says):
    done = _run(*(flag.replace("=.", f"={tmp_path}").replace("=x", f"={tmp_path}/out") for flag in flags))
    assert done.returncode == code, done.stderr[-2000:]
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1 and says in lines[0] and "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
