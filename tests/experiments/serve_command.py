"""`vasa-serve`: what is told before anything is loaded; and a real server that is killed."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from absl import flags
from absl.testing import flagsaver

from experiments import serve
from experiments.common import app

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _flags():
    with flagsaver.flagsaver():
        yield
    flags.FLAGS.unparse_flags()


def _call(*words) -> int:
    return app.call(serve.main, ["vasa-serve", *words])


def test_without_the_extra_it_says_what_to_install(monkeypatch, capsys) -> None:
    monkeypatch.setattr(serve.importlib.util, "find_spec", lambda name: name != "fastapi" or None)
    assert _call("--port=0") == 2
    assert capsys.readouterr().err == "error: vasa-serve needs fastapi: pip install 'vasa_jax[serve]'\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host=0.0.0.0"], "--token"),
        (["--port=70000"], "0 to 65535"),
        (["--sessions=0"], "1 to 256"),
        (["--live_seconds=0"], "at least 1"),
    ],
    ids=str,
)
def test_wrong_flags(words, said, capsys, monkeypatch) -> None:
    monkeypatch.delenv("VASA_TOKEN", raising=False)
    monkeypatch.setattr(serve, "_NEEDED", ())
    assert _call(*words) == 2
    assert said in capsys.readouterr().err


def test_a_port_that_is_taken(capsys, monkeypatch) -> None:
    monkeypatch.setattr(serve, "_NEEDED", ())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert _call(f"--port={taken.getsockname()[1]}") == 3
    assert "cannot be listened at" in capsys.readouterr().err


def test_a_folder_with_other_things_is_left_alone(tmp_path) -> None:
    from vasa_jax.serve import uploads

    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError):
        uploads.sweep(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def _get(url: str) -> int:
    try:
        return urllib.request.urlopen(url, timeout=30).status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def _children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def _until(true, seconds=120.0):
    end = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return value


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_killed_under_load_it_leaves_no_orphan_and_the_next_one_sweeps(tmp_path) -> None:
    pytest.importorskip("fastapi", reason="needs the extra `serve`")
    folder = tmp_path / "serve"
    words = [sys.executable, "-m", "tests.serve.child", f"--folder={folder}"]
    options = {"cwd": ROOT, "stdout": subprocess.PIPE, "text": True, "env": os.environ | {"JAX_PLATFORMS": "cpu"}}
    server = subprocess.Popen([*words, "--port=0"], **options)
    try:
        url = server.stdout.readline().split()[0]
        _until(lambda: _get(f"{url}/healthz") == 200)
        body = b'--b\r\nContent-Disposition: form-data; name="portrait"; filename="p"\r\n\r\n'
        body += (ROOT / "vasa_jax" / "assets" / "photo.jpg").read_bytes()
        body += b'\r\n--b\r\nContent-Disposition: form-data; name="audio"; filename="a"\r\n\r\n'
        body += (ROOT / "vasa_jax" / "assets" / "speech.flac").read_bytes() + b"\r\n--b--\r\n"
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as raw:
            head = f"POST /v1/videos HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
            raw.sendall(head.encode() + b"Content-Type: multipart/form-data; boundary=b\r\n\r\n" + body)
            orphans = _until(lambda: _children(server.pid))
            assert len(list(folder.iterdir())) > 1
            server.send_signal(signal.SIGKILL)
            server.wait()
        _until(lambda: not any(Path(f"/proc/{pid}").exists() and _alive(pid) for pid in orphans), 10)
    finally:
        server.kill()
        server.wait()
    again = subprocess.Popen([*words, f"--port={port}"], **options)
    try:
        assert again.stdout.readline().startswith("http://")
        assert [path.name for path in folder.iterdir()] == ["vasa-serve"]
        again.send_signal(signal.SIGTERM)
        assert again.wait(60) == 143
    finally:
        again.kill()
        again.wait()


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_help_names_what_it_does(capsys) -> None:
    assert app.call(serve.main, ["vasa-serve", "--help"], info=serve.HELP) == 0
    said = capsys.readouterr().out
    assert "--token=VALUE" in said and "other flags" not in said
