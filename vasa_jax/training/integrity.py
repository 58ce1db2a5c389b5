"""A seal on a folder: the size and SHA-256 of every file, and what else is to be known, in one manifest.json.

The manifest is the last file written and carries a digest of itself, so a folder whose seal is whole is complete and
unchanged to the last bit; a damaged one says which file is wrong.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from vasa_jax import files

NAME = "manifest.json"


def _render(content: dict[str, Any]) -> str:
    """The manifest's text; its digest is that of the text without it."""
    plain = json.dumps(content, indent=1, sort_keys=True)
    digest = hashlib.sha256(plain.encode()).hexdigest()
    return json.dumps({**content, "sha256": digest}, indent=1, sort_keys=True) + "\n"


def _files(folder: Path) -> list[str]:
    """Paths below the folder of all its files but the manifest, sorted."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if name != NAME)


def _flush(path: Path) -> None:
    """Onto the disk, so that it outlives a loss of power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def seal(folder: Path, facts: dict[str, Any]) -> None:
    """Writes the manifest of everything in the folder; `facts` are JSON values that it holds beside the files."""
    listed = {}
    for name in _files(folder):
        _flush(folder / name)
        listed[name] = files.fingerprint(folder / name)
    with files.replacing(folder / NAME) as temporary:
        temporary.write_text(_render({**facts, "files": listed}), encoding="utf-8")
        _flush(temporary)
    _flush(folder)


def is_sealed(folder: Path) -> bool:
    return (folder / NAME).exists()


def facts(folder: Path) -> dict[str, Any]:
    """What the manifest holds, unchecked.

    Raises:
      ValueError: it cannot be read, or is not as it was written.
    """
    try:
        text = (folder / NAME).read_text(encoding="utf-8")
        content = json.loads(text)
        content.pop("sha256")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{NAME} cannot be read ({type(error).__name__})") from error
    if _render(content) != text:
        raise ValueError(f"{NAME} is not as it was written")
    return content


def damage(folder: Path) -> str | None:
    """What is wrong with a sealed folder, or None; every file is read."""
    try:
        listed = facts(folder)["files"]
    except ValueError as error:
        return str(error)
    present = set(_files(folder))
    if missing := sorted(set(listed) - present):
        return f"{missing[0]} is missing"
    if added := sorted(present - set(listed)):
        return f"{added[0]} does not belong there"
    wrong = ((name, files.damage(folder / name, expected)) for name, expected in listed.items())
    return next((f"{name} {said}" for name, said in wrong if said), None)
