"""Input paths that are really there and output paths that can really be written.

Light to import, so that a command can look at its paths before anything heavy is loaded.
"""

import errno
import os
import stat
import tempfile
from pathlib import Path

from vasa_jax.errors import InputError, UsageError

PathLike = str | os.PathLike


def check_file(path: PathLike, what: str) -> Path:
    """The path of a file with something in it; InputError for a missing one, a folder, a pipe or an empty file."""
    path = Path(path)
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise InputError(f"{path} is a folder: give {what}")
        if not stat.S_ISREG(mode):
            raise InputError(
                f"{path} is {_kind(mode)}, which can be read but once, and files are read more often: save it to a "
                f"file, then give {what}"
            )
        if not path.stat().st_size:
            raise InputError(f"{path} is empty: give {what}")
        with path.open("rb"):
            return path
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise InputError(f"{path} does not exist: give {what}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): give {what}") from None


def check_output(path: PathLike, suffixes: tuple[str, ...] = (".mp4",)) -> Path:
    """The path of a file that can be written; the folder is really tried, since permissions can mislead.

    Of a link, what it points to is looked at: that is what is written.
    """
    path = Path(path)
    if path.suffix.lower() not in suffixes:
        raise UsageError(f"{path}: the output's name must end in {' or '.join(suffixes)}")
    target = Path(os.path.realpath(path))
    folder = path.parent if target.parent == path.parent.resolve() else target.parent
    try:
        mode = _mode(target)
        if mode is not None and stat.S_ISDIR(mode):
            raise InputError(f"{path} is a folder: give the name of the file to write")
        if mode is not None and not stat.S_ISREG(mode):
            raise InputError(f"{path} is {_kind(mode)}: give the name of a file to write")
        if not folder.is_dir():
            raise InputError(f"{path}: the folder {folder} does not exist; make it first")
        with tempfile.TemporaryFile(dir=folder):  # without a name, so that nothing can stay of it
            pass
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise InputError(f"{path}: the name is too long for a file; give a shorter one") from None
        raise InputError(f"{path}: the folder {folder} is not writable ({error.strerror})") from None
    except ValueError as error:
        raise InputError(f"{str(path)!r} is no name for a file ({error})") from None
    return path


def user_folder(variable: str, below: str) -> Path | None:
    """The user's folder of some kind: $variable if it is an absolute path, else ~/below; None without a home.

    XDG's rules; containers and services run as users who have no home and are in no list.
    """
    given = os.environ.get(variable, "")
    if os.path.isabs(given):
        return Path(given)
    home = os.path.expanduser("~") if os.environ.get("HOME", "~") else ""
    return Path(home) / below if os.path.isabs(home) else None


def _mode(path: Path) -> int | None:
    """What is there; None where nothing is."""
    try:
        return os.lstat(path).st_mode  # of a link only where links go in a circle
    except (FileNotFoundError, NotADirectoryError):
        return None


def _kind(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "a pipe"
    if stat.S_ISLNK(mode):
        return "a link in a circle"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"
