"""Files that are either whole or absent: written beside their target under a temporary name, then moved over it."""

import contextlib
import hashlib
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

_unfinished: set[Path] = set()


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Yields a temporary path in the target's folder; moves it over the target on success, deletes it on failure.

    A link is followed: what it points to is written, and the link stays. The temporary name is short, whatever the
    target's: names that a file system takes may leave no room for more.
    """
    path = Path(os.path.realpath(path))
    temporary = path.with_name(f".{uuid.uuid4().hex[:8]}.tmp")
    _unfinished.add(temporary)
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
        _unfinished.discard(temporary)


def discard_unfinished() -> None:
    """Deletes what `replacing` has begun and not ended, for a process that ends without unwinding."""
    for temporary in list(_unfinished):
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray) or hasattr(value, "__array__"):
        return np.asarray(value).tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"cannot write a {type(value).__name__} as JSON")


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Writes `value` (arrays become lists, paths become strings) as indented JSON; makes the folder."""
    write_text(path, as_json(value))


def as_json(value: Any) -> str:
    """`value` (arrays become lists, paths become strings) as indented JSON."""
    return json.dumps(value, indent=2, default=_plain) + "\n"


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes `text` in UTF-8; makes the folder."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def fingerprint(path: str | os.PathLike) -> dict[str, Any]:
    """What a manifest says of a file: its size and SHA-256."""
    return {"bytes": os.stat(path).st_size, "sha256": sha256(path)}


def damage(path: str | os.PathLike, entry: Mapping[str, Any], checksum: bool = True) -> str | None:
    """How a file differs from its `fingerprint`, to be said behind its name; None where it is as it was.

    Args:
      checksum: whether every byte is read; otherwise the size has to do.
    """
    if not os.path.isfile(path):
        return "is missing"
    if (size := os.stat(path).st_size) != entry["bytes"]:
        return f"has {size} bytes instead of {entry['bytes']}"
    return "is not as it was written (SHA-256)" if checksum and sha256(path) != entry["sha256"] else None


def sha256(path: str | os.PathLike) -> str:
    """Hexadecimal SHA-256 of a file, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
