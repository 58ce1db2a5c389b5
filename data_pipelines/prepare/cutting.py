"""The second reading of a stretch: cuts the head out of every image of its pieces, labels it, makes clips."""

import dataclasses
import io
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from data_pipelines import schema
from data_pipelines.prepare import crops, filters, labels, measures, pieces, tracking
from data_pipelines.prepare.networks import CROP_SIZE, ClipLabels, FrameNetwork
from data_pipelines.prepare.source import Dropped, Processed

_THUMBNAIL = 96  # pixels of the longer side
_SHARPNESS_EVERY = 10  # images


@dataclasses.dataclass
class Candidate:
    """A piece on its way to be a clip.

    Attributes:
      clip_id: its name if it becomes one.
      piece: the images.
      reason: why it becomes none; None: it may.
      box: what to cut out.
      points: [t, K, 3] crop-normalised, gaps filled.
      curve: of `measures.sync_curve`.
      measured: numbers for the report.
    """

    clip_id: str
    piece: pieces.Piece
    reason: str | None
    box: crops.CropBox | None = None
    points: np.ndarray | None = None
    curve: np.ndarray | None = None
    measured: dict[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Cutter:
    """Makes clips of candidates.

    Attributes:
      speaker: who is seen.
      track: of the stretch.
      audio: [t * 640] of the stretch.
      size: side of the stored images in pixels.
      limits: what a clip must have; None: it is measured only.
      networks: whose labels replace those of the landmarks.
    """

    speaker: str
    track: tracking.Track
    audio: np.ndarray
    size: int
    limits: filters.Limits | None
    networks: Sequence[FrameNetwork] = ()

    def cut(self, images: Iterator[np.ndarray], candidates: Sequence[Candidate], result: Processed) -> None:
        """Goes through the images of the stretch once; examples, thumbnails and reasons go to `result`.

        Args:
          images: all of the stretch, in order.
          candidates: every image in exactly one of them.
          result: is added to.
        """
        for candidate in candidates:
            if candidate.reason:
                _skip(images, candidate, result)
            else:
                self._one(images, candidate, result)
            result.measured[candidate.clip_id] = candidate.measured
            if candidate.reason:
                result.dropped.append(Dropped(candidate.clip_id, candidate.reason))

    def _one(self, images: Iterator[np.ndarray], candidate: Candidate, result: Processed) -> None:
        piece, box = candidate.piece, candidate.box
        at = slice(piece.start, piece.stop)
        by_networks = ClipLabels(self.networks, candidate.points, self.size) if self.networks else None
        frames: list[bytes] = []
        sharpness: list[float] = []
        last = None
        for k in range(piece.stop - piece.start):
            image = next(images)
            if image is not last:  # else repeated: the video has fewer than 25 a second
                cut = crops.cut(image, box, self.size)
                jpeg, last = schema.encode_jpeg(cut), image
            frames.append(jpeg)
            if by_networks is not None:
                by_networks.add(crops.cut(image, box, CROP_SIZE))
            if k % _SHARPNESS_EVERY == 0:
                sharpness.append(measures.sharpness(cut))
        candidate.measured["sharpness"] = float(np.median(sharpness))
        if self.limits is not None:
            candidate.reason = filters.judge(candidate.measured, self.limits)
        if candidate.reason:
            result.thumbnails[candidate.clip_id] = frames[len(frames) // 2]
            return
        blendshapes = None if self.track.blendshapes is None else self.track.blendshapes[at]
        fields = labels.label_frames(candidate.points, self.track.valid[at], blendshapes)
        fields |= {} if by_networks is None else by_networks.labels()
        mattes = fields.pop("matte", ())
        audio = audio_of(self.audio, piece)
        result.examples.append(schema.make_example(candidate.clip_id, self.speaker, frames, audio, mattes, **fields))


def audio_of(audio: np.ndarray, piece: pieces.Piece) -> np.ndarray:
    """The samples of a piece."""
    return audio[piece.start * schema.SAMPLES_PER_FRAME : piece.stop * schema.SAMPLES_PER_FRAME]


def _skip(images: Iterator[np.ndarray], candidate: Candidate, result: Processed) -> None:
    """Passes over a piece that is of no use, and keeps its middle image, small."""
    piece = candidate.piece
    middle = (piece.start + piece.stop) // 2
    for k in range(piece.start, piece.stop):
        image = next(images)
        if k == middle:
            result.thumbnails[candidate.clip_id] = thumbnail(image)


def thumbnail(image: np.ndarray) -> bytes:
    """A small JPEG of an image, for the report."""
    small = Image.fromarray(image)
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=80)
    return stream.getvalue()
