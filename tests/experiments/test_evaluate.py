"""The command as a user runs it: what it says when something is missing. The suites have tests of their own."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("flags", "code", "says"),
    [
        ([], 2, "--suite"),
        (["--suite=beauty"], 2, "suite"),
        (["--suite=face", "--identity_model=absent.onnx"], 3, "absent.onnx"),
        (["--suite=face", "--lpips_linear=alex.pth"], 2, "give both"),
        (["--suite=motion", "--checkpoint=absent"], 3, "--checkpoint"),
        (["--suite=talking_portraits"], 2, "--face_model"),
    ],
    ids=["no suite", "unknown suite", "no identity model", "half of LPIPS", "no checkpoint", "no reader"],
)
def test_one_line_that_says_what_is_wrong(tmp_path, flags, code, says):
    command = [sys.executable, "-m", "experiments.evaluate", *flags, f"--report={tmp_path}/report.json"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"JAX_PLATFORMS": "cpu"}, capture_output=True, text=True)
    assert done.returncode == code, done.stderr[-2000:]
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1 and says in lines[0]
    assert not (tmp_path / "report.json").exists()
