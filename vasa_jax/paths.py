"""Input paths that are really there and output paths that can really be written.

Light to import, so that a command can look at its paths before anything heavy is loaded.
"""

import os
import tempfile
from pathlib import Path

from vasa_jax.errors import InputError, UsageError

PathLike = str | os.PathLike


def check_file(path: PathLike, what: str) -> Path:
    """The path of a file with something in it; InputError for a missing one, a folder or an empty file."""
    path = Path(path)
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder: give {what}")
        if not path.exists():
            raise InputError(f"{path} does not exist: give {what}")
        if path.is_file() and path.stat().st_size == 0:
            raise InputError(f"{path} is empty: give {what}")
        with path.open("rb"):
            return path
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): give {what}") from None


def check_output(path: PathLike, suffixes: tuple[str, ...] = (".mp4",)) -> Path:
    """The path of a file that can be written; the folder is really tried, since permissions can mislead."""
    path = Path(path)
    if path.suffix.lower() not in suffixes:
        raise UsageError(f"{path}: the output's name must end in {' or '.join(suffixes)}")
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder: give the name of the file to write")
        if not path.parent.is_dir():
            raise InputError(f"{path}: the folder {path.parent} does not exist; make it first")
        handle, probe = tempfile.mkstemp(dir=path.parent, prefix=".probe.")
        os.close(handle)
        os.unlink(probe)
    except OSError as error:
        raise InputError(f"{path}: the folder {path.parent} is not writable ({error.strerror})") from None
    return path
