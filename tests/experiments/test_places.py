"""Where files are and what they are called decides nothing: names, links, pipes, homes, terminals."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.common import app
from tests.test_media import gradient, write_video
from vasa_jax import files, media, paths
from vasa_jax.errors import InputError
from vasa_jax.provenance import keys

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["take:1.mp4", "http:x.mp4", "n" * 251 + ".mp4", "字" * 83 + ".mp4", "a?b#c%d.mp4"])
def test_any_name_is_written_and_read(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_video(name, [gradient()] * 5)
    assert os.listdir() == [name] and len(list(media.VideoReader(name))) == 5


def test_a_name_that_no_file_can_have_is_refused_at_once(tmp_path):
    with pytest.raises(InputError, match="too long"):
        paths.check_output(tmp_path / ("n" * 252 + ".mp4"))
    os.mkfifo(tmp_path / "pipe.mp4")
    os.symlink("b.mp4", tmp_path / "a.mp4")
    os.symlink("a.mp4", tmp_path / "b.mp4")
    for name, word in (("pipe.mp4", "is a pipe"), ("a.mp4", "in a circle"), ("missing/o.mp4", "does not exist")):
        with pytest.raises(InputError, match=word):
            paths.check_output(tmp_path / name)


def test_a_link_stays_and_its_target_is_written(tmp_path):
    (tmp_path / "real").mkdir()
    os.symlink("real/target.mp4", tmp_path / "link.mp4")
    for _ in range(2):  # the target is made, then replaced
        write_video(tmp_path / "link.mp4", [gradient()] * 3)
        assert (tmp_path / "link.mp4").is_symlink() and os.listdir(tmp_path / "real") == ["target.mp4"]
        assert len(list(media.VideoReader(tmp_path / "real" / "target.mp4"))) == 3
    os.symlink("nowhere/target.mp4", tmp_path / "loose.mp4")
    with pytest.raises(InputError, match="nowhere does not exist"):
        paths.check_output(tmp_path / "loose.mp4")


def test_pipes_are_called_so(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")  # nobody writes: opening it would wait for ever
    for path in (tmp_path / "pipe.wav", "/dev/zero"):
        with pytest.raises(InputError, match="is a (pipe|device).*save it to a file"):
            paths.check_file(path, "a recording")


def test_unfinished_files_can_be_discarded(tmp_path):
    with files.replacing(tmp_path / "a") as temporary:
        temporary.write_text("half")
        files.discard_unfinished()
        assert os.listdir(tmp_path) == []
        temporary.write_text("whole")
    assert os.listdir(tmp_path) == ["a"]


HOMELESS = """
import os, pathlib
from experiments.common import app
from vasa_jax.provenance import keys
for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "VASA_KEYS"):
    os.environ.pop(name, None)
import pwd
def nobody(number): raise KeyError(number)
pwd.getpwuid = nobody  # as in a container: no such user
for home in (None, "", "relative", "/proc/nothing"):
    if home is not None:
        os.environ["HOME"] = home
    app.compile_cache()
    key = keys.signing_key()
    assert not key.kept and key == keys.signing_key() and b"PRIVATE KEY" in key.key
    assert keys.trust_anchors() == ""
"""


def test_without_a_home_nothing_is_kept_and_all_works(tmp_path):
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", HOMELESS]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert os.listdir(tmp_path) == []  # no key in a folder called "~"


def test_a_place_that_was_asked_for_must_do(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("VASA_KEYS", str(tmp_path / "file" / "keys"))
    with pytest.raises(InputError, match="cannot be stored"):
        keys.signing_key()
    monkeypatch.delenv("VASA_KEYS")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    assert not keys.signing_key().kept


SAYS = """
import sys
from experiments.common import app
app.run(lambda: print("sorti\\u00e9 \\udce9 \\u5b57") or {"frames": 3})
"""


def says(folder, stdout=subprocess.PIPE, **environment):
    report = folder / "r.json"
    done = subprocess.run(
        [sys.executable, "-c", SAYS, f"--report={report}"],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        stdout=stdout,
        stderr=subprocess.PIPE,
    )
    return done.returncode, done.stdout, done.stderr.decode(), json.loads(report.read_text())


def test_what_is_printed_decides_nothing(tmp_path):
    narrow = says(tmp_path, PYTHONIOENCODING="ascii")
    assert narrow == (0, b"sorti\\xe9 \\udce9 \\u5b57\n", "", {"frames": 3})
    with open("/dev/full", "w") as full:
        code, _, said, report = says(tmp_path, full)
    assert (code, report) == (0, {"frames": 3}) and said.count("\n") == 1 and "cannot be written" in said
    read, write = os.pipe()
    os.close(read)
    assert says(tmp_path, write)[::2] == (0, "")
    os.close(write)


def test_a_report_goes_through_a_pipe_too(tmp_path, capfd):
    assert app.call(lambda: {"frames": 3}, ["command", "--report=/dev/stdout"]) == 0
    assert json.loads(capfd.readouterr().out) == {"frames": 3}
    long = tmp_path / ("n" * 300)
    assert app.call(lambda: pytest.fail("ran"), ["command", f"--report={long}"]) == 3
    app.flags.FLAGS.unparse_flags()
