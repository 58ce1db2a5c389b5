"""Damaged uploads by the hundred to a listening server: every one is taken or refused with a clean 4xx.

python -m tests.serve.fuzz_uploads --count=500 --fresh=10 --result=experiments/results/fuzz_uploads.json

Portraits go to POST /v1/videos and to a WebSocket's start, recordings to POST. The models are stand-ins; server,
messages and decoders are real. A decoder's process takes half a second to start, so only the first `fresh` files of a
format get processes that start anew; the others are children of one that has imported all, under the same bounds.
"""

import argparse
import asyncio
import base64
import collections
import contextlib
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import types
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import numpy as np
import soundfile
from PIL import Image
from websockets.sync.client import connect

from tests import fuzz_pictures, fuzz_sound
from tests.damage import mutated
from tests.inference.stand_ins import live_face
from tests.serve.running import served
from vasa_jax.files import write_json
from vasa_jax.inference import portrait as portraits
from vasa_jax.serve import uploads
from vasa_jax.serve.engine import Engine
from vasa_jax.serve.settings import Settings

IMAGES = ("png", "jpg", "webp")
FORMATS = (*IMAGES, *fuzz_sound.FORMATS)
PATIENCE = 120.0
"""Seconds by the wall for an answer; the server gives a decoder 60."""
ROOT = Path(__file__).parents[2]

# ---------------------------------------------------------------- a decoder that has imported all


def nursery() -> None:
    """Forks a decoder for every line of standard input, tells its number, and what became of it."""
    from vasa_jax import images, media  # noqa: F401
    from vasa_jax.serve import decoding

    for line in sys.stdin:
        words = json.loads(line)
        said = words[2] + ".said"
        child = os.fork()
        if not child:
            os.dup2(os.open(said, os.O_CREAT | os.O_WRONLY | os.O_TRUNC), 2)
            os._exit(decoding.main([*words[:-1], str(os.getppid())]))
        print(child, flush=True)
        _, status, used = os.wait4(child, 0)
        code = os.waitstatus_to_exitcode(status)
        answer = {"code": code, "said": Path(said).read_text(errors="replace"), "mib": used.ru_maxrss >> 10}
        os.unlink(said)
        print(json.dumps(answer), flush=True)


class _Child:
    """What `asyncio.create_subprocess_exec` would give."""

    def __init__(self, nursery: "_Nursery", pid: int) -> None:
        self._nursery, self.pid, self.returncode = nursery, pid, None

    async def communicate(self) -> tuple[None, bytes]:
        answer = json.loads(await asyncio.to_thread(self._nursery.process.stdout.readline))
        self.returncode, said = answer["code"], answer["said"]
        self._nursery.peak = max(self._nursery.peak, answer["mib"])
        return None, said.encode()

    def kill(self) -> None:
        os.kill(self.pid, 9)

    async def wait(self) -> None:
        raise AssertionError("a decoder hangs")


class _Nursery:
    """In a server's place of new processes; `fresh` of them are new all the same. One child at a time."""

    def __init__(self, start: Any) -> None:
        self._start, self.fresh, self.peak = start, 0, 0
        words = [sys.executable, "-m", "tests.serve.fuzz_uploads", "--nursery"]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)

    async def __call__(self, *words: str, **options: Any) -> Any:
        if self.fresh:
            return await self._start(*words, **options)
        self.process.stdin.write(json.dumps(words[3:]) + "\n")
        self.process.stdin.flush()
        return _Child(self, int(await asyncio.to_thread(self.process.stdout.readline)))

    def close(self) -> None:
        self.process.communicate()


# ---------------------------------------------------------------- the server and its clients


class _Face:
    """Makes no videos: what is tried is what comes before."""

    def __init__(self, face: Any) -> None:
        self._face = face

    def __getattr__(self, name: str) -> Any:
        return getattr(self._face, name)

    def animate(self, *_: Any, **__: Any) -> Any:
        return mock.Mock()


def _saved(kind: str) -> bytes:
    out = io.BytesIO()
    if kind == "png":
        Image.fromarray(np.full((90, 90, 3), 100, np.uint8)).save(out, "PNG")
    else:
        soundfile.write(out, np.zeros(8000), 16_000, format="WAV")
    return out.getvalue()


def posted(client: httpx.Client, portrait: bytes, audio: bytes) -> tuple[str, str]:
    """The status of a video asked for, and a fault if it is not clean."""
    answer = client.post("/v1/videos", files={"portrait": ("a", portrait), "audio": ("b", audio)})
    status, told = answer.status_code, answer.json()
    if status == 202:
        client.delete(f"/v1/videos/{told['id']}")
        return "202", ""
    clean = 400 <= status < 500 and isinstance(told.get("error"), str) and "\n" not in told["error"]
    return str(status), "" if clean else f"{status} {told}"


def started(url: str, portrait: bytes) -> tuple[str, str]:
    """The same of a live session: "ready", or the error's status."""
    with connect(url.replace("http", "ws") + "/v1/stream", max_size=None) as socket:
        socket.send(json.dumps({"type": "start", "portrait": base64.b64encode(portrait).decode()}))
        told = json.loads(socket.recv(timeout=PATIENCE))
    if told["type"] == "ready":
        return "ready", ""
    clean = told["type"] == "error" and 400 <= told["status"] < 500 and "\n" not in told["error"]
    return str(told.get("status")), "" if clean else str(told)


def mutants(form: str, count: int, folder: Path) -> list[bytes]:
    """The damaged files of a format: the same for ever."""
    if form in IMAGES:
        audio = fuzz_pictures.seeds(form)
        return [fuzz_pictures.mutant(form, number, audio) for number in range(count)]
    data = fuzz_sound.original(folder, form).read_bytes()
    return [mutated(data, 3000 + number) for number in range(count)]


def fuzz(form: str, count: int, fresh: int, url: str, new: _Nursery, folder: Path) -> dict[str, Any]:
    """What became of `count` files of a format."""
    posts, starts, faults, slowest = collections.Counter(), collections.Counter(), [], 0.0
    good, new.peak = {"png": _saved("png"), "wav": _saved("wav")}, 0
    with httpx.Client(base_url=url, timeout=PATIENCE) as client:
        for number, data in enumerate(mutants(form, count, folder)):
            new.fresh = number < fresh
            tries = [(posts, lambda data=data: posted(client, good["png"], data))]
            if form in IMAGES:
                tries = [(posts, lambda data=data: posted(client, data, good["wav"]))]
                tries.append((starts, lambda data=data: started(url, data)))
            for counted, ask in tries:
                begin = time.monotonic()
                try:
                    outcome, fault = ask()
                except Exception as error:  # no answer at all
                    outcome, fault = "none", f"{type(error).__name__}: {error}"
                slowest = max(slowest, time.monotonic() - begin)
                counted[outcome] += 1
                faults += [f"{number}: {fault}"] if fault else []
    ends = {"posts": dict(posts)} | ({"starts": dict(starts)} if starts else {})
    return {
        "files": count,
        **ends,
        "slowest_seconds": round(slowest, 2),
        "decoder_peak_mib": new.peak,
        "faults": faults,
    }


@contextlib.contextmanager
def server(folder: Path) -> Any:
    """(address, nursery, its folder)."""
    box = portraits.FaceBox(45.0, 45.0, 40.0)
    new = _Nursery(asyncio.create_subprocess_exec)
    swapped = types.SimpleNamespace(**vars(asyncio) | {"create_subprocess_exec": new})
    with (
        mock.patch.object(portraits, "find_face", lambda *_, **__: box),
        mock.patch.object(uploads, "asyncio", swapped),
    ):
        look = live_face().look(np.full((90, 90, 3), 100, np.uint8))
        engine = Engine(live_face(), sessions=2, warm=lambda: look)
        settings = Settings(sessions=2, folder=folder / "serve", decoders=1)
        try:
            with served(_Face(live_face()), settings, engine) as url:
                yield url, new, settings.folder
        finally:
            new.close()


def _resident() -> int:
    """MiB of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


def left(folder: Path) -> list[str]:
    """What decoders and clients left in a server's folder."""
    return [path.name for path in folder.iterdir() if path.name != uploads._OURS]


def main() -> None:
    """Writes what became of all formats."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--fresh", type=int, default=10)
    parser.add_argument("--result", type=Path)
    parser.add_argument("--nursery", action="store_true")
    flags = parser.parse_args()
    if flags.nursery:
        return nursery()
    report = {
        "command": "python -m tests.serve.fuzz_uploads " + " ".join(sys.argv[1:]),
        "about": "damaged uploads to a listening server with stand-in models: statuses of POST /v1/videos and of "
        "WebSocket starts; the first `fresh` files of a format get decoders that start anew",
        "date": time.strftime("%Y-%m-%d"),
        "device": f"{platform.machine()}, {os.cpu_count()} cores",
        "fresh": flags.fresh,
        "formats": {},
    }
    with tempfile.TemporaryDirectory() as name, server(Path(name)) as (url, new, folder):
        for form in FORMATS:
            before = _resident()
            row = fuzz(form, flags.count, flags.fresh, url, new, Path(name))
            report["formats"][form] = row | {"server_growth_mib": _resident() - before}
            print(form, report["formats"][form], flush=True)
        report["alive"] = httpx.get(url + "/healthz", timeout=PATIENCE).status_code == 200
        report["files_left"] = len(left(folder))
    if flags.result:
        write_json(flags.result, report)


if __name__ == "__main__":
    main()
