"""Takes a recipe's or a run's folder to another machine in pieces of at most 16 MiB, and puts it together there.

    python -m experiments.carry --input=W --output=PIECES       # here
    python -m experiments.carry --input=PIECES --output=W       # there: pieces.json in it says that it is pieces

Of every training only the newest checkpoint goes along, which is enough to go on; images and logs stay.
"""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

from absl import flags

from experiments.common import app
from vasa_jax import files
from vasa_jax.errors import InputError, UsageError

NAME = "pieces.json"
_STAY = {"pictures", "logs", "profile", "gallery.html", ".lock"}


def define_flags() -> None:
    """Here and not at import: other commands have flags of these names."""
    flags.DEFINE_string("input", None, "Folder to take along, or folder of pieces to put together.")
    flags.DEFINE_string("output", None, "Folder for the pieces, or for what comes of them.")
    flags.DEFINE_integer("megabytes", 16, "MiB a piece holds at most.", 1)


class _Pieces(io.RawIOBase):
    """A stream that is written into files of at most `size` bytes."""

    def __init__(self, folder: Path, size: int):
        self.folder, self.size = folder, size
        self.names: list[str] = []
        self.waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.waiting += data
        while len(self.waiting) >= self.size:
            self._store(self.size)
        return len(data)

    def finish(self) -> None:
        if self.waiting:
            self._store(len(self.waiting))

    def _store(self, count: int) -> None:
        name = f"{len(self.names):05d}.piece"
        with files.replacing(self.folder / name) as temporary:
            temporary.write_bytes(self.waiting[:count])
        del self.waiting[:count]
        self.names.append(name)


class _Whole(io.RawIOBase):
    """The pieces of a folder as one stream."""

    def __init__(self, paths: list[Path]):
        self.paths, self.file = list(paths), None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            if self.file is None:
                if not self.paths:
                    return 0
                self.file = open(self.paths.pop(0), "rb")
            if count := self.file.readinto(buffer):
                return count
            self.file.close()
            self.file = None


def taken(folder: Path) -> list[Path]:
    """The files below a folder that are needed to go on."""
    chosen = []
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_dir() or _STAY & set(parts) or path.name.startswith("events.out."):
            continue
        if "checkpoints" in parts[:-1]:
            at = parts.index("checkpoints")
            steps = [int(other.name) for other in folder.joinpath(*parts[: at + 1]).iterdir() if other.name.isdigit()]
            if parts[at + 1] != str(max(steps, default=-1)):
                continue
        chosen.append(path)
    return chosen


def pack(folder: Path, pieces: Path, size: int) -> dict[str, Any]:
    """Writes the pieces of a folder; links are followed. Returns what pieces.json holds."""
    chosen = taken(folder)
    if not chosen:
        raise InputError(f"--input={folder} holds no files; name the folder of a recipe or of a run")
    pieces.mkdir(parents=True, exist_ok=True)
    (pieces / NAME).unlink(missing_ok=True)
    for old in pieces.glob("*.piece"):
        old.unlink()
    stream = _Pieces(pieces, size)
    with tarfile.open(fileobj=stream, mode="w|", dereference=True) as archive:
        for path in chosen:
            archive.add(path, path.relative_to(folder).as_posix(), recursive=False)
    stream.finish()
    about = {"files": len(chosen), "pieces": {name: files.fingerprint(pieces / name) for name in stream.names}}
    files.write_json(pieces / NAME, about)
    return about


def unpack(pieces: Path, folder: Path) -> dict[str, Any]:
    """Puts a folder together; files that are there already are replaced.

    Raises:
      InputError: a piece is missing or damaged; nothing was written.
    """
    about = json.loads((pieces / NAME).read_text(encoding="utf-8"))
    for name, entry in about["pieces"].items():
        if said := files.damage(pieces / name, entry):
            raise InputError(f"{pieces / name} {said}; bring it again")
    stream = io.BufferedReader(_Whole([pieces / name for name in about["pieces"]]))
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        archive.extractall(folder, filter="data")
    return about


def main() -> dict[str, Any]:
    given = flags.FLAGS
    if not given.input or not given.output:
        raise UsageError("--input and --output are needed; see --help")
    source, target = Path(given.input), Path(given.output)
    if not source.is_dir():
        raise InputError(f"--input={source} is no folder")
    if (source / NAME).is_file():
        about = unpack(source, target)
    else:
        about = pack(source, target, given.megabytes << 20)
    print(f"{target}: {about['files']} files, {len(about['pieces'])} pieces")
    return about


def run() -> None:
    define_flags()
    app.run(main, info=app.Help("--input=runs/bundled --output=pieces"))


if __name__ == "__main__":
    run()
