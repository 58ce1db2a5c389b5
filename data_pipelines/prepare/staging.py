"""What became of each source, one file a source: a run that was killed goes on where it was.

A file is whole or absent. It carries the fingerprint of all that it was made from, so that results of another video, of
other options or another tracker are never mistaken for it. The format is npz without pickles, with CRC-32 by zip.
"""

import dataclasses
import hashlib
import json
import pathlib
import zipfile
from typing import Any

import numpy as np

from data_pipelines import schema
from data_pipelines.prepare import duplicates
from data_pipelines.prepare.source import Dropped, Processed, Source
from vasa_jax import files
from vasa_jax.errors import InputError

FORMAT = 2
"""Raised whenever the same source and options give another result."""
_IMAGES = ("frames", "mattes")
_BROKEN = (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile)


def fingerprint(source: Source, made_by: str) -> str:
    """Of a source and of what processes it: equal means equal results.

    Args:
      source: its file's size and time of change count, not its content: hashing a thousand hours takes days.
      made_by: the options and the tracker, in words.
    """
    stamps = {"path": _stamp(source.path), "audio": _stamp(source.audio), "further": [*map(_stamp, source.further)]}
    fields = dataclasses.asdict(source) | stamps
    text = json.dumps([FORMAT, fields, made_by], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _stamp(path: pathlib.Path | None) -> tuple | None:
    if path is None:
        return None
    try:
        stat = path.stat()
    except OSError as error:
        return path.name, error.errno
    return path.name, stat.st_size, stat.st_mtime_ns


def place(folder: pathlib.Path, source: Source) -> pathlib.Path:
    """Where the result of a source lies; a thousand files a folder at most for a quarter of a million sources."""
    return folder / hashlib.sha256(source.name.encode()).hexdigest()[:2] / f"{source.name}.npz"


def write(folder: pathlib.Path, source: Source, processed: Processed, made_from: str = "") -> dict[str, Any]:
    """Keeps a result; returns its summary. Raises OSError where the disk is full; nothing half-written is left."""
    path = place(folder, source)
    path.parent.mkdir(parents=True, exist_ok=True)
    summary = {
        "made_from": made_from,
        "source": source.name,
        "clips": [[e["clip_id"], e["speaker"], len(e["frames"])] for e in processed.examples],
        "dropped": [dataclasses.astuple(d) for d in processed.dropped],
        "measured": processed.measured,
        "signatures": [duplicates.signature(e).hex() for e in processed.examples],
        "thumbnails": list(processed.thumbnails),
    }
    arrays = {"summary": _as_bytes(json.dumps(summary, sort_keys=True).encode())}
    for k, example in enumerate(processed.examples):
        for name in _IMAGES:
            arrays[f"{k}/{name}"] = _as_bytes(b"".join(example[name]))
            arrays[f"{k}/{name}_sizes"] = np.asarray([len(image) for image in example[name]], np.int64)
        arrays |= {f"{k}/{name}": example[name] for name in ("audio", *schema.PER_FRAME)}
    for k, jpeg in enumerate(processed.thumbnails.values()):
        arrays[f"thumbnail/{k}"] = _as_bytes(jpeg)
    with files.replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)
    return summary


def read(folder: pathlib.Path, source: Source) -> Processed:
    """The result of a source.

    Raises:
      InputError: there is none, or it is damaged.
    """
    path = place(folder, source)
    try:
        with np.load(path) as file:
            summary = _summary(file)
            return Processed(
                [_example(file, k, clip_id, speaker) for k, (clip_id, speaker, _) in enumerate(summary["clips"])],
                [Dropped(*entry) for entry in summary["dropped"]],
                summary["measured"],
                {name: file[f"thumbnail/{k}"].tobytes() for k, name in enumerate(summary["thumbnails"])},
            )
    except _BROKEN as error:
        raise InputError(f"{path}: damaged ({error}); delete it and run again") from error


def read_summary(folder: pathlib.Path, source: Source, made_from: str | None = None) -> dict[str, Any] | None:
    """All of a result but arrays: clips [(id, speaker, frames)], dropped, measured, signatures, thumbnails (names).

    None where there is no result, where it is damaged, or where it was made from something else.
    """
    try:
        with np.load(place(folder, source)) as file:
            summary = _summary(file)
    except _BROKEN:
        return None
    return summary if made_from in (None, summary["made_from"]) else None


def read_labels(folder: pathlib.Path, source: Source, names: tuple[str, ...]) -> list[dict[str, np.ndarray]]:
    """Some labels of each clip of a source, without its images."""
    with np.load(place(folder, source)) as file:
        return [{name: file[f"{k}/{name}"] for name in names} for k in range(len(_summary(file)["clips"]))]


def sweep(folder: pathlib.Path) -> None:
    """Deletes what a killed run left half-written."""
    for path in folder.glob("??/.*.tmp"):
        path.unlink(missing_ok=True)


def _summary(file: Any) -> dict[str, Any]:
    return json.loads(file["summary"].tobytes())


def _example(file: Any, k: int, clip_id: str, speaker: str) -> dict[str, Any]:
    frames, mattes = (_split(file[f"{k}/{name}"].tobytes(), file[f"{k}/{name}_sizes"]) for name in _IMAGES)
    arrays = {name: file[f"{k}/{name}"] for name in schema.PER_FRAME}
    return schema.make_example(clip_id, speaker, frames, file[f"{k}/audio"], mattes, **arrays)


def _split(data: bytes, sizes: np.ndarray) -> list[bytes]:
    ends = np.cumsum(sizes)
    return [data[end - size : end] for end, size in zip(ends.tolist(), sizes.tolist())]


def _as_bytes(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)
