"""One video file to one example of `data_pipelines.schema`."""

import os
from typing import Any

from data_pipelines import schema
from data_pipelines.prepare import crops, labels, tracking, video
from vasa_jax import landmarks
from vasa_jax.errors import InputError

MIN_TRACKED = 0.9
"""Clips in which the face is found in a smaller share of the frames are dropped."""
MIN_HALF = 16.0
"""Pixels of the crop's half side, below which a face has no mouth to learn from."""


def make_example(
    path: str | os.PathLike, clip_id: str, speaker: str, tracker: tracking.FaceTracker, size: int
) -> dict[str, Any]:
    """Reads, tracks, crops and labels one clip.

    Args:
      path: a video with sound.
      clip_id: unique name; also what the tracker knows it by.
      speaker: who it is.
      tracker: finds the face.
      size: side of the stored pictures in pixels, margin included.

    Raises:
      InputError: the clip is of no use; the message says why.
    """
    raw = video.read_clip(path)
    track = tracker.track(clip_id, raw.pictures).take(raw.frame_indices)
    share = track.valid.mean()
    if share < MIN_TRACKED:
        raise InputError(f"{path}: a face in {share:.0%} of the frames, fewer than {MIN_TRACKED:.0%}")
    points = landmarks.from_mediapipe(track.points)
    box = crops.find_crop(points[track.valid])
    if box.half < MIN_HALF:
        raise InputError(f"{path}: the face is only {box.half:.0f} pixels wide")
    frame_labels = labels.label_frames(box.normalise(points), track.valid, track.blendshapes)
    frames = [schema.encode_jpeg(crops.cut(raw.pictures[i], box, size)) for i in raw.frame_indices]
    return schema.make_example(clip_id, speaker, frames, raw.audio, **frame_labels)
