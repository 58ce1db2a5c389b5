"""What the suite of talking portraits is made of: stills, pieces of speech, and real talking faces beside them."""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jaxtyping import Float, UInt8

import vasa_jax
from data_pipelines import layout, schema
from data_pipelines.portraits import portraits
from data_pipelines.prepare import crops, ingest, measures, sheets, tracking
from vasa_jax import landmarks, media
from vasa_jax.errors import InputError

SECONDS = 3.0
REAL_CLIPS = 12
OWN_SPEECH = pathlib.Path(vasa_jax.__file__).parent / "assets" / "speech.flac"
GROUPS = ("source", "age", "skin")
_LOOK_EVERY = 5  # images: one crop serves the whole clip
_SPOKEN_DB, _SPOKEN_SHARE = 25.0, 0.5
"""A piece is speech if this share of its frames lies within so much of the recording's loudest."""


@dataclasses.dataclass(frozen=True)
class Still:
    """A portrait, and the value of each of GROUPS for it, "-" where nobody says."""

    path: pathlib.Path
    groups: dict[str, str]

    @property
    def name(self) -> str:
        """Folder and file."""
        return f"{self.path.parent.name}/{self.path.name}"


@dataclasses.dataclass(frozen=True)
class RealClip:
    """A real talking face, cut out like the images of a generated video."""

    name: str
    images: UInt8[np.ndarray, "t s s 3"]
    audio: Float[np.ndarray, " n"]


def find_stills(folder: str | os.PathLike, count: int = 0) -> list[Still]:
    """The held-out portraits that lie in the folder (`data_pipelines.portraits`), else every photograph in it.

    Args:
      folder: of photographs, or of sets of them.
      count: at most so many, spread over all; 0: all.

    Raises:
      InputError: there is none.
    """
    root = pathlib.Path(folder)
    if not root.is_dir():
        raise InputError(f"{folder}: no such folder; give --data a folder of portraits")
    held = [entry for entry in portraits.held_out() if (root / entry.set / entry.file).is_file()]
    found = [Still(root / e.set / e.file, dict(zip(GROUPS, (e.set, e.age, e.skin), strict=True))) for e in held]
    if not found:
        plain = dict.fromkeys(GROUPS, "-")
        found = [Still(path, plain | {"source": path.parent.name}) for path in layout.walk_images(root)]
    if not found:
        raise InputError(f"{folder}: no image in it; give --data a folder of portraits (JPEG, PNG, WebP)")
    return sheets.evenly(found, count or len(found))


def find_speech(
    paths: Sequence[str | os.PathLike], seconds: float, count: int
) -> list[tuple[str, Float[np.ndarray, " n"]]]:
    """Pieces of speech of that length as (name, 16 kHz mono), the recordings in turn, at most `count`.

    Args:
      paths: recordings, or folders of them; what is no recording in a folder is passed over.

    Raises:
      InputError: fewer than two pieces: whether a mouth follows its own audio needs another to compare.
    """
    pieces = [_pieces(reader, seconds) for reader in _recordings(paths)]
    turns: list[tuple[str, np.ndarray]] = []
    for k in range(max(map(len, pieces), default=0)):
        turns += [piece[k] for piece in pieces if k < len(piece)]
    if len(turns) < 2:
        given = ", ".join(map(str, paths))
        raise InputError(f"{given}: {len(turns)} pieces of {seconds:g} s of speech; give --audio a longer recording")
    return turns[:count]


def _recordings(paths: Sequence[str | os.PathLike]) -> Iterator[media.AudioReader]:
    for path in map(pathlib.Path, paths):
        if not path.is_dir():
            yield media.AudioReader(path)
            continue
        for entry in layout.entries(path):
            try:
                if entry.is_file():
                    yield media.AudioReader(entry)
            except InputError:
                continue  # notes, texts, images


def _pieces(reader: media.AudioReader, seconds: float) -> list[tuple[str, np.ndarray]]:
    audio = np.concatenate(list(reader.mono()))
    frames = round(seconds * schema.FRAME_RATE)
    size = frames * schema.SAMPLES_PER_FRAME
    level = measures.loudness(audio)
    spoken = level > level.max() - _SPOKEN_DB
    if len(level) < frames:
        return []
    starts = np.linspace(0, len(level) - frames, round(len(level) / frames)).astype(int)  # the last may overlap
    return [
        (f"{reader.path.stem} at {start / schema.FRAME_RATE:g} s", audio[start * schema.SAMPLES_PER_FRAME :][:size])
        for start in starts
        if spoken[start : start + frames].mean() >= _SPOKEN_SHARE
    ]


def real_clips(
    folder: str | os.PathLike,
    tracker: tracking.FaceTracker,
    size: int,
    seconds: float = SECONDS,
    count: int = REAL_CLIPS,
    show_progress: Callable = iter,
) -> Iterator[RealClip]:
    """Videos of talking people, the sub-folders (speakers) in turn, the head cut out as the data sets do it.

    Args:
      folder: SPEAKER/CLIP.mp4 at any depth.
      tracker: finds the face.
      size: side of the images in pixels.
      seconds: of each.
      count: at most so many.

    Raises:
      InputError: no video in it.
    """
    root = pathlib.Path(folder)
    speakers: dict[pathlib.Path, list[pathlib.Path]] = {}
    for path in layout.walk_videos(root) if root.is_dir() else ():
        speakers.setdefault(path.parent, []).append(path)
    if not speakers:
        raise InputError(f"{folder}: no video in it; give --real a folder of real talking people, such as GRID's")
    each = -(-count // len(speakers))
    taken = [sheets.evenly(paths, each) for paths in speakers.values()]
    chosen = [paths[k] for k in range(each) for paths in taken if k < len(paths)]
    for path in show_progress(chosen[:count]):
        video = ingest.Video(path, end=seconds)
        images = list(video.images())
        track = tracker.track(path.stem, images[::_LOOK_EVERY])
        if track.valid.any():
            box = crops.find_crop(landmarks.from_mediapipe(track.points)[track.valid])
            cut = np.stack([crops.cut(image, box, size, margin=1.0) for image in images])
            yield RealClip(f"{path.parent.name}/{path.stem}", cut, video.audio(len(images)))
