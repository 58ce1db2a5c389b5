"""Without TensorFlow, what writes data sets says so before it begins."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from data_pipelines import requirements
from vasa_jax.errors import InputError

ROOT = Path(__file__).parents[2]
_WITHOUT = "import runpy, sys; sys.modules['tensorflow'] = None; runpy.run_module(sys.argv.pop(1), run_name='__main__')"


def test_what_is_not_there_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(InputError, match=r"needs tensorflow, .*pip install|no release for Python 3\.1[4-9]"):
        requirements.check_writing()
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    with pytest.raises(InputError, match=r"no release for Python 3\.14 yet; take 3\.13 or older"):
        requirements.check_writing()


@pytest.mark.parametrize("command", ["experiments.prepare", "data_pipelines.synthetic"])
def test_commands_that_write_leave_with_one_line_and_nothing_else(command, tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_bytes(b"x")
    flags = {
        "experiments.prepare": [f"--input={tmp_path}/videos", f"--output={tmp_path}/data", "--name=folder_x"],
        "data_pipelines.synthetic": [f"--data_dir={tmp_path}/data"],
    }
    words = [sys.executable, "-c", _WITHOUT, command, *flags[command]]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env=os.environ)
    assert done.returncode == 3, done.stderr
    assert len(done.stderr.splitlines()) == 1 and "writing a data set needs" in done.stderr
    assert not (tmp_path / "data").exists()
