"""One person's photographs to a clip of as many frames, without audio.

    process(Source(path, "london_set_001", "london_set_001", further=(smiling,)), tracker, size=320)

Each photograph is tracked, labelled and cut by itself, so in every frame the head has scale 1 and translation 0. What
only time can tell (jitter, sync, pauses) is not judged.
"""

import pathlib
from collections.abc import Sequence

import numpy as np

from data_pipelines import schema
from data_pipelines.prepare import crops, cutting, filters, labels, measures, tracking
from data_pipelines.prepare.networks import CROP_SIZE, ClipLabels, FrameNetwork
from data_pipelines.prepare.source import Dropped, Processed, Source
from vasa_jax import images, landmarks
from vasa_jax.errors import InputError

_BLINKS = (10, 9)  # MediaPipe's eyeBlinkRight and eyeBlinkLeft: left and right of the image
_OPEN, _CLOSED = 0.35, 0.65
"""Blink scores of open and closed eyes: of 2,700 portraits 98% lie below the first."""


def process(
    source: Source,
    tracker: tracking.FaceTracker,
    size: int,
    limits: filters.Limits | None = None,
    networks: Sequence[FrameNetwork] = (),
) -> Processed:
    """The clip of a source of photographs, named like it; what is of no use is dropped by the photograph.

    Args:
      source: photographs.
      tracker: finds the face.
      size: side of the stored images in pixels, margin included.
      limits: what a photograph must have; None: it is measured only.
      networks: whose labels replace those of the landmarks.
    """
    result, views = Processed(), []
    paths = (source.path, *source.further)
    for k, path in enumerate(paths):
        name = source.name if len(paths) == 1 else f"{source.name}_{k}"
        try:
            view = _view(name, path, source.box, tracker, size, limits, networks, result)
        except InputError as error:
            view = str(error).removeprefix(f"{path}").lstrip(": ")
        if isinstance(view, str):
            result.dropped.append(Dropped(name, view))
        else:
            views.append(view)
    if views:
        joined = {name: np.concatenate([view[name] for view in views]) for name in views[0] if name != "frames"}
        frames, mattes = [view["frames"] for view in views], joined.pop("matte", ())
        silence = np.zeros(len(frames) * schema.SAMPLES_PER_FRAME, np.float32)
        result.examples.append(schema.make_example(source.name, source.speaker, frames, silence, mattes, **joined))
    return result


def _view(
    name: str,
    path: pathlib.Path,
    where: tracking.Box | None,
    tracker: tracking.FaceTracker,
    size: int,
    limits: filters.Limits | None,
    networks: Sequence[FrameNetwork],
    result: Processed,
) -> dict | str:
    """JPEG bytes under "frames" and labels [1, ...] of a photograph, or why it is of no use."""
    image = images.read_image(path)
    numbers = result.measured.setdefault(name, {"seconds": 1 / schema.FRAME_RATE})
    track = tracker.track(name, [image], *(() if where is None else (where,)))
    if not track.valid[0]:
        result.thumbnails[name] = cutting.thumbnail(image)
        return "no face: none was found in the photograph"
    points = landmarks.from_mediapipe(track.points)
    box = crops.find_crop(points)
    cut = crops.cut(image, box, size)
    height, width = image.shape[:2]
    numbers |= {"face_share": 1.0, "half": box.half, "outside": measures.outside(box, width, height)}
    numbers["sharpness"] = measures.sharpness(cut)
    if track.faces is not None:
        numbers["people_share"] = float(track.faces[0] > 1)
    if limits is not None and (reason := filters.judge(numbers, limits)):
        result.thumbnails[name] = cutting.thumbnail(image)
        return reason
    points = box.normalise(points)
    fields = labels.label_frames(points, track.valid, track.blendshapes)
    fields["lids"] = np.maximum(fields["lids"], _closure(track.blendshapes))
    if networks:
        by_networks = ClipLabels(networks, points, size)
        by_networks.add(crops.cut(image, box, CROP_SIZE))
        fields |= by_networks.labels()
    return {"frames": schema.encode_jpeg(cut)} | fields


def _closure(blendshapes: np.ndarray) -> np.ndarray:
    """Lid closure [1, 2] by the tracker's blink scores [1, 52].

    `labels.lid_closure` measures a clip's eyes by how far they open in it: of one photograph that says "open" always.
    """
    return np.clip((blendshapes[:, _BLINKS] - _OPEN) / (_CLOSED - _OPEN), 0, 1).astype(np.float32)
