"""A clip of a rigged head that speaks: images, mattes and exact labels."""

import functools
import pathlib
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from data_pipelines import schema
from data_pipelines.rigged_heads import acting, readers
from data_pipelines.rigged_heads.figure import Figure
from data_pipelines.rigged_heads.rig import NECK, Posed, Rig
from data_pipelines.synthetic import voice
from data_pipelines.synthetic.scene import Renderer, sample_scene
from vasa_jax import landmarks
from vasa_jax.errors import InputError

SUPERSAMPLING = 1.5
_PHOTOGRAPHED = 0.5
"""Share of the clips that stand before a photograph, where some are given."""


@functools.lru_cache(maxsize=4)
def figure(path: pathlib.Path) -> Figure:
    """The head of a file, ready to be drawn, kept for its next clips."""
    return Figure(Rig(readers.read(path)))


def lens(rng: np.random.Generator) -> float:
    """Distance of the camera in half crop widths: 3 is a phone held near, 14 a portrait lens."""
    return float(np.exp(rng.uniform(np.log(3.2), np.log(14.0))))


def place(person: Figure, posed: Posed, take: acting.Take, i: int, camera: float) -> tuple[np.ndarray, np.ndarray]:
    """Vertices [v, 3] and landmarks [K, 3] as frame i's image has them, before the crop is centred.

    Perspective by x d / (d + z) of all three, a map of planes to planes: depth stays fit to be compared.
    """
    head = Rotation.from_euler("xyz", take.rotation[i]).as_matrix()
    body = Rotation.from_euler("xyz", take.body).as_matrix()
    share = person.rig.follow

    def moved(points: np.ndarray, follow: np.ndarray | float) -> np.ndarray:
        away = points - NECK
        turned = follow * (away @ head.T) + (1 - follow) * (away @ body.T)
        solid = take.scale[i] * (turned + NECK) + take.sway[i] * follow
        return solid * (camera / (camera + solid[:, 2:]))

    return moved(posed.points, share), moved(posed.landmarks, 1.0)


def draw(
    person: Figure,
    take: acting.Take,
    frames: list[int],
    size: int,
    rng: np.random.Generator,
    photographs: Sequence[pathlib.Path] = (),
) -> dict[str, Any]:
    """Pictures, mattes and labels of some frames of a take.

    Args:
      person: whose head it is.
      take: what it does.
      frames: which of the take's.
      size: pixels of the stored image's side.
      rng: light, lens and background come from it.
      photographs: stand behind half of the clips, if there are any.
    """
    camera = lens(rng)
    gaze = schema.gaze_direction(take.eyes)
    posed = [person.rig.pose(take.at(i), gaze[i]) for i in frames]
    placed = [place(person, p, take, i, camera) for p, i in zip(posed, frames, strict=True)]
    marks = np.stack([m for _, m in placed])
    # The crop is that of the other data sets, but for the zoom: the median pose has its translation at the centre.
    pose = np.median(landmarks.fit_pose(marks), axis=0).astype(np.float64)
    zoom = np.median(take.scale) / pose[6]
    marks = zoom * (marks - pose[3:6])
    scene, behind = sample_scene(int(rng.integers(2**31))), None
    if len(photographs) and rng.random() < _PHOTOGRAPHED:
        behind = functools.partial(photograph, photographs[int(rng.integers(len(photographs)))], scene.seed)
    renderer = Renderer(person, scene, size, SUPERSAMPLING, behind)
    drawn = [renderer.with_matte(person.posed(zoom * (points - pose[3:6]))) for points, _ in placed]
    images, mattes = zip(*drawn, strict=True)
    canonical = np.stack([p.landmarks for p in posed])
    return {"frames": np.stack(images), "mattes": np.stack(mattes)} | labels(person, take, frames, marks, canonical)


def labels(
    person: Figure, take: acting.Take, frames: list[int], marks: np.ndarray, canonical: np.ndarray
) -> dict[str, np.ndarray]:
    """The labels of `schema.PER_FRAME` that a drawing knows, and `rotation`, the head's true Euler angles [t, 3]."""
    pose = landmarks.fit_pose(marks)
    turn = Rotation.from_euler("xyz", take.rotation[frames]).as_matrix()
    eyes = take.eyes[frames]
    opening, width = np.moveaxis(landmarks.mouth(marks), -1, 0)
    found = {
        "landmarks": marks,
        "pose": pose,
        "gaze": schema.gaze_angles(np.einsum("tij,tj->ti", turn, schema.gaze_direction(eyes))),
        "eyes": eyes,
        "lids": person.closure(canonical),
        "mouth": np.stack([opening, np.clip(1 - (width - 0.22) / 0.16, 0, 1)], -1),
        "distance": np.log(pose[:, 6]),
        "emotion": take.emotion[frames],
        "rotation": take.rotation[frames],
    }
    return {name: np.ascontiguousarray(value, np.float32) for name, value in found.items()}


def photograph(path: pathlib.Path, seed: int, size: int) -> np.ndarray:
    """A part of a photograph, out of focus, as a background [size, size, 3] in 0..1.

    Raises:
      InputError: it cannot be read.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise InputError(f"{path}: not an image that can be read; take it out of the folder of photographs")
    rng = np.random.default_rng([seed, 7602])
    side = round(min(image.shape[:2]) * rng.uniform(0.4, 1.0))
    top, left = (int(rng.integers(n - side + 1)) for n in image.shape[:2])
    part = cv2.resize(image[top : top + side, left : left + side], (size, size), interpolation=cv2.INTER_AREA)
    part = part[:, :: int(rng.choice([-1, 1]))].astype(np.float32) / 255
    return cv2.GaussianBlur(part, (0, 0), size / 480 * float(np.exp(rng.uniform(np.log(1.0), np.log(12.0)))))


def make_clip(
    path: pathlib.Path, seed: int, frames: int, size: int, photographs: Sequence[pathlib.Path] = ()
) -> dict[str, Any]:
    """One clip of the head in a file. A pure function of the files and the integers.

    Returns:
      the fields of `schema.PER_FRAME` and clip_id, speaker, frames (uint8 [t, size, size, 3], spanning
      -MARGIN..MARGIN), mattes (uint8 [t, size, size]), audio (float32 [t * 640]), and beyond the schema rotation
      [t, 3].
    """
    person = figure(path)
    name = readers.person_of(person.rig.name)
    rng = np.random.default_rng([seed, *name.encode(), 7601])
    speaker = voice.sample_speaker(int(rng.integers(2**31)))
    sounds = voice.babble(rng, frames / schema.FRAME_RATE + 0.5, speaker.rate)
    speech = voice.synthesise(sounds, speaker, seed=int(rng.integers(2**31)))
    take = acting.perform(speech, frames, rng)
    return {
        "clip_id": f"{name}_{seed:04d}",
        "speaker": name,
        **draw(person, take, list(range(frames)), size, rng, photographs),
        "audio": schema.fit_audio(speech.audio, frames),
        "valid": np.ones(frames, bool),
        "phonemes": voice.frame_phonemes(speech.segments, frames),
    }
