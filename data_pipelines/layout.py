"""Reading the folders and lists in which data sets are published: files, names, splits, video headers."""

import dataclasses
import functools
import hashlib
import os
import pathlib
import re
from collections.abc import Callable, Iterator

import av

from vasa_jax import containers
from vasa_jax.errors import InputError
from vasa_jax.video_images import square_size

VIDEO_ENDINGS = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".flv"})
IMAGE_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
_LONGEST_NAME = 120


def entries(folder: pathlib.Path) -> list[pathlib.Path]:
    """What lies in a folder, sorted by name; hidden files, such as those that macOS leaves, are not seen.

    Raises:
      InputError: the folder may not be read.
    """
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise InputError(f"{folder}: cannot be listed ({error.strerror}); allow this user to read it") from None


def folders(folder: pathlib.Path) -> list[pathlib.Path]:
    """The sub-folders, sorted; none where there is no such folder."""
    return [path for path in entries(folder) if path.is_dir()] if folder.is_dir() else []


def videos(folder: pathlib.Path) -> list[pathlib.Path]:
    """The videos right in the folder, sorted; none where there is no such folder."""
    return [path for path in entries(folder) if is_video(path)] if folder.is_dir() else []


def is_video(path: pathlib.Path) -> bool:
    """Whether the name is a video's; what the file holds is found out when it is read."""
    return path.suffix.lower() in VIDEO_ENDINGS and not path.is_dir()


def is_image(path: pathlib.Path) -> bool:
    """Whether the name is a photograph's."""
    return path.suffix.lower() in IMAGE_ENDINGS and not path.is_dir()


def walk_videos(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """The videos at any depth, in order; links are followed, but never round in a circle."""
    return _walk(folder, is_video)


def walk_images(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """The photographs at any depth, like `walk_videos`."""
    return _walk(folder, is_image)


def _walk(
    folder: pathlib.Path, wanted: Callable[[pathlib.Path], bool], above: frozenset[str] = frozenset()
) -> Iterator[pathlib.Path]:
    here = os.path.realpath(folder)
    if here in above:
        return
    for path in entries(folder):
        if path.is_dir():
            yield from _walk(path, wanted, above | {here})
        elif wanted(path):
            yield path


def safe_name(text: str) -> str:
    """A name fit for a file: other characters than letters, digits, "_", "-" and "." become "_".

    Where that, or cutting a long name, loses something, a few hexadecimal digits keep different names apart.
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", text).lstrip(".-") or "_"
    if name == text and len(name) <= _LONGEST_NAME:
        return name
    return f"{name[:_LONGEST_NAME]}-{_digest(text)[:8]}"


def split_of(speaker: str, test: float = 0.05, validation: float = 0.05) -> str:
    """ "test", "validation" or "train", drawn by the speaker's name alone.

    So it does not depend on who else is there, and a data set of which only a part was fetched is split as the whole.

    Args:
      speaker: who.
      test, validation: shares of the speakers.
    """
    place = int(_digest(speaker)[:8], 16) / 16**8
    return "test" if place < test else "validation" if place < test + validation else "train"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def table(path: pathlib.Path, separator: str | None = None) -> list[list[str]]:
    """The lines of a text file, each split into fields (by white space, if no separator is given); none is empty.

    Raises:
      InputError: the file is absent or not text.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        what = getattr(error, "strerror", None) or "not a text file"
        raise InputError(f"{path}: cannot be read ({what}); fetch it again") from None
    return [[field.strip() for field in line.split(separator)] for line in lines if line.strip()]


@dataclasses.dataclass(frozen=True)
class Header:
    """What a video file says of its images: their number a second, and their size in square pixels."""

    rate: float
    width: int
    height: int


@functools.lru_cache(maxsize=1024)
def header(path: pathlib.Path) -> Header | None:
    """Reads the head of a video; None if it cannot be read: whoever decodes the file later says why, and counts it."""
    try:
        with containers.open_container(path) as container:
            if not container.streams.video:
                return None
            video = container.streams.video[0]
            if not (video.average_rate and video.width and video.height):
                return None
            return Header(float(video.average_rate), *square_size(video))
    except (av.FFmpegError, OSError, ValueError):
        return None
