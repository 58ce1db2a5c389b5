"""Files of strangers: kept under names of our own, bounded in size, decoded by a child process, swept away.

No name that a client sends is ever used. A server's folder belongs to one server: what an earlier one left there,
because it was killed, is deleted when the next one starts.
"""

import asyncio
import contextlib
import math
import os
import shutil
import sys
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from vasa_jax.serve import decoding
from vasa_jax.serve.settings import Settings

_OURS = "vasa-serve"
"""A file that says whose folder it is, so that nothing else is ever deleted."""
_STATUS = {decoding.BAD: 422, decoding.LARGE: 413, decoding.OTHER: 415}
_WORDS = {"image": "the portrait", "audio": "the audio"}


class Refused(Exception):
    """An upload that is not taken, with the status to answer."""

    def __init__(self, status: int, said: str):
        super().__init__(said)
        self.status = status


def sweep(folder: Path) -> int:
    """Makes the folder, or empties the one that an earlier server left; how many entries it deleted.

    Raises:
      FileExistsError: the folder holds other things than a server's.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / _OURS).is_file():
        raise FileExistsError(f"{folder} holds other things than a server's files; name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    old = [entry for entry in folder.iterdir() if entry.name != _OURS]
    for entry in old:
        shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink(missing_ok=True)
    (folder / _OURS).write_text("Files of a running vasa-serve; deleted when the next one starts.\n", encoding="utf-8")
    return len(old)


class Uploads:
    """Takes files in.

    Args:
      settings: limits, and the folder.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._turns = asyncio.Semaphore(settings.decoders)

    def new(self, suffix: str = "") -> Path:
        """A path that nothing has."""
        return self._settings.folder / f"{uuid.uuid4().hex}{suffix}"

    async def save(self, part: Any, limit: int, what: str) -> Path:
        """Writes what `part.read(n)` gives to a file; the caller deletes it.

        Raises:
          Refused: it is empty, or larger than `limit` bytes.
        """
        path, size = self.new(), 0
        try:
            with path.open("wb") as file:
                while block := await part.read(1 << 20):
                    size += len(block)
                    if size > limit:
                        raise Refused(413, f"{what} has more than {limit >> 20} MiB")
                    file.write(block)
            if not size:
                raise Refused(422, f"{what} is empty")
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    async def image(self, path: Path) -> UInt8[np.ndarray, "h w 3"]:
        """The pixels of an upload.

        Raises:
          Refused: it is no image, or too large.
        """
        out = self.new(".npy")
        try:
            await self._decode("image", path, out, self._settings.pixels)
            return np.load(out, allow_pickle=False)
        finally:
            out.unlink(missing_ok=True)

    async def audio(self, path: Path) -> Path:
        """A plain WAV of an upload; the caller deletes it.

        Raises:
          Refused: it is no recording, or too long.
        """
        out = self.new(".wav")
        try:
            await self._decode("audio", path, out, self._settings.seconds)
        except BaseException:
            out.unlink(missing_ok=True)
            raise
        return out

    async def _decode(self, kind: str, path: Path, out: Path, limit: float) -> None:
        s = self._settings
        processor = math.ceil(s.decode_seconds)  # the system counts whole seconds, and 0 would end it at once
        words = [kind, path, out, limit, s.decode_bytes, processor, os.getpid()]
        threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
        async with self._turns:
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "vasa_jax.serve.decoding", *map(str, words),
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
                env=os.environ | threads,
            )  # fmt: skip
            try:
                _, said = await asyncio.wait_for(child.communicate(), s.decode_seconds)
            except TimeoutError:
                raise Refused(422, f"{_WORDS[kind]} takes too long to decode") from None
            finally:
                if child.returncode is None:
                    with contextlib.suppress(ProcessLookupError):
                        child.kill()
                    await child.wait()
        if child.returncode:
            lines = said.decode("utf-8", "replace").strip().splitlines()
            line = lines[-1] if lines and child.returncode in _STATUS else "it cannot be decoded"
            prefix = "" if line.startswith(_WORDS[kind]) else f"{_WORDS[kind]}: "
            raise Refused(_STATUS.get(child.returncode, 422), prefix + line)
