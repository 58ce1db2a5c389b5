"""One stretch of a video to its clips: find shots and the face, cut the head out, label, judge.

The video is read twice, once to look and once to cut, so that of its images only the crops are ever kept. What comes
out depends on nothing but the file, the tracker, the networks and the options. The second reading is `cutting`.
Photographs go through `stills` instead.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from data_pipelines import layout, schema
from data_pipelines.prepare import crops, filters, ingest, labels, measures, pieces, shots, stills, tracking
from data_pipelines.prepare.cutting import Candidate, Cutter, audio_of
from data_pipelines.prepare.networks import FrameNetwork
from data_pipelines.prepare.source import Dropped, Processed, Source
from vasa_jax import landmarks
from vasa_jax.errors import InputError


@dataclasses.dataclass(frozen=True)
class Options:
    """How clips are made.

    Attributes:
      size: side of the stored images in pixels, margin included.
      min_seconds, max_seconds: length of a clip.
      limits: what a clip must have.
      filters: False keeps clips that fall short of the limits, other than those without a face, and only measures.
    """

    size: int = schema.stored_size(128)
    min_seconds: float = 2.0
    max_seconds: float = 10.0
    limits: filters.Limits = dataclasses.field(default_factory=filters.Limits)
    filters: bool = True


def process(
    source: Source,
    tracker: tracking.FaceTracker,
    options: Options,
    networks: Sequence[FrameNetwork] = (),
) -> Processed:
    """All clips of a source. A bad file is a `Dropped` of the source's name; it never raises for one.

    A source with one piece gives a clip of the source's name; others are numbered by their first image. What the
    networks say of a clip replaces the labels that its landmarks give.

    Raises:
      OSError: something could not be written (a tracker that saves its tracks, on a full disk).
    """
    try:
        return _process(source, tracker, options, networks)
    except InputError as error:
        reason = str(error).removeprefix(f"{source.path}: ")
    except (OSError, MemoryError):
        raise
    except Exception as error:  # decoders and trackers raise nearly anything; one file must not end a long run
        reason = f"unexpected {type(error).__name__}: {error}"
    return Processed(dropped=[Dropped(source.name, " ".join(reason.split()))])


def _process(
    source: Source,
    tracker: tracking.FaceTracker,
    options: Options,
    networks: Sequence[FrameNetwork],
) -> Processed:
    if layout.is_image(source.path):
        limits = options.limits if options.filters else None
        return stills.process(source, tracker, options.size, limits, networks)
    video = ingest.Video(source.path, source.start, source.end, source.audio)
    watch = shots.Watch()
    # Trackers written before sources had boxes take two arguments.
    boxed = () if source.box is None else (source.box,)
    track = tracker.track(source.name, watch.over(video.images()), *boxed)
    points = landmarks.from_mediapipe(track.points)
    found = pieces.find(track.valid, points, watch.cuts(), options.min_seconds, options.max_seconds)
    candidates = [Candidate(_name(source, piece, len(found)), piece, piece.reason) for piece in found]
    result = Processed()
    if (missing := video.shortfall()) is not None:
        result.dropped.append(Dropped(source.name if len(found) > 1 else f"{source.name}_rest", missing))
    audio = video.audio(len(watch))
    result.dropped += [Dropped(f"{source.name}_damaged", line) for line in video.damages()]
    for candidate in candidates:
        _measure(candidate, track, points, audio, video.size, options)
    _check_sync(candidates, options)
    limits = options.limits if options.filters else None
    cutter = Cutter(source.speaker, track, audio, options.size, limits, networks)
    cutter.cut(video.images(), candidates, result)
    return result


def _name(source: Source, piece: pieces.Piece, count: int) -> str:
    return source.name if count == 1 else f"{source.name}_{piece.start:05d}"


def _measure(
    candidate: Candidate,
    track: tracking.Track,
    points: np.ndarray,
    audio: np.ndarray,
    size: tuple[int, int],
    options: Options,
) -> None:
    """All numbers but sharpness, and the judgement on them; `size` is width and height of the images."""
    piece = candidate.piece
    at = slice(piece.start, piece.stop)
    valid = track.valid[at]
    numbers = candidate.measured
    numbers |= {"seconds": piece.seconds, "face_share": float(valid.mean())}
    if candidate.reason:
        return
    if valid.mean() < options.limits.face_share:
        share, least = valid.mean(), options.limits.face_share
        candidate.reason = f"face lost: a face in {share:.0%} of the frames, fewer than {least:.0%}"
        return
    candidate.box = crops.find_crop(points[at][valid])
    candidate.points = labels.fill_gaps(candidate.box.normalise(points[at]), valid)
    excerpt = audio_of(audio, piece)
    if track.faces is not None:
        numbers["people_share"] = float((track.faces[at] > 1).mean())
    numbers["half"] = candidate.box.half
    numbers["outside"] = measures.outside(candidate.box, *size)
    numbers["jitter_degrees"], numbers["jitter_share"] = measures.jitter(landmarks.fit_pose(candidate.points))
    numbers |= measures.audio(excerpt)
    candidate.curve = measures.sync_curve(candidate.points, excerpt)
    if options.filters:
        candidate.reason = filters.judge(numbers, options.limits)


def _check_sync(candidates: list[Candidate], options: Options) -> None:
    """The audio of a file is late or early as a whole, so that all its clips are judged together."""
    judged = [c for c in candidates if c.reason is None and c.curve is not None and c.curve.any()]
    if not judged:
        return
    lengths = np.asarray([c.piece.seconds for c in judged])
    margin, lag = measures.out_of_step(np.average([c.curve for c in judged], axis=0, weights=lengths))
    wrong = filters.too_far_out_of_step(margin, lengths.sum(), options.limits)
    for candidate in judged:
        candidate.measured |= {"sync_margin": margin, "sync_lag": float(lag)}
        if wrong and options.filters:
            seconds = lag / schema.FRAME_RATE
            candidate.reason = f"audio out of step: it fits the mouth best when moved by {seconds:+.2f} s"
