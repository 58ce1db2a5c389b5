"""Twins: the very same face made by several people, each in a pose of its own.

No video holds them. A dynamics code that is to be free of who and of how the head is turned must be the same for all
images of such a clip, and that can be asked for directly.
"""

from typing import Any

import cv2
import numpy as np

from data_pipelines import schema
from data_pipelines.synthetic.clip import exact_labels
from data_pipelines.synthetic.expression_basis import NAMES
from data_pipelines.synthetic.head import FrameState, Head, head
from data_pipelines.synthetic.moments import combine, moments
from data_pipelines.synthetic.scene import Renderer, sample_scene
from vasa_jax import landmarks

_AT_REST = FrameState(np.zeros(len(NAMES)), np.zeros(3), np.zeros(3), 1.0, np.zeros(2), np.zeros(3))
_PERFORMANCES_PER_CLIP = 0.7
"""Each gives two moments: a few faces come twice, most once."""


def centre_of(person: Head) -> np.ndarray:
    """Translation [3] of a person's head at rest: landmarks are not those of the template."""
    return landmarks.fit_pose(person.pose(_AT_REST).landmarks[None])[0, 3:6]


def make_group(task: tuple[int, tuple[int, ...], int, int]) -> list[dict[str, Any]]:
    """Examples of `schema` for (seed, people, clips, size): one face a clip, one person a frame."""
    cv2.setNumThreads(1)
    seed, people, clips, size = task
    rng = np.random.default_rng([seed, 7501])
    bank = moments(max(2, round(_PERFORMANCES_PER_CLIP * clips)), 2, seed)
    faces = [bank[k] for k in rng.permutation(len(bank))[:clips]]
    poses = [[bank[k].state for k in rng.integers(len(bank), size=clips)] for _ in people]
    drawn = []
    for person, turns in zip(people, poses, strict=True):
        states = [combine(pose, face.state) for pose, face in zip(turns, faces, strict=True)]
        drawn.append(_draw(head(person), states, [face.emotion for face in faces], size, rng))
    return [_example(seed, k, [person[k] for person in drawn]) for k in range(len(faces))]


def _draw(
    person: Head, states: list[FrameState], emotions: list[np.ndarray], size: int, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Picture, matte and labels of each state."""
    renderer, centre = Renderer(person, sample_scene(int(rng.integers(2**31))), size), centre_of(person)
    out = []
    for state, emotion in zip(states, emotions, strict=True):
        posed = person.pose(state)
        posed.points = posed.points - centre
        image, matte = renderer.with_matte(posed)
        marks, turn, gaze = (np.asarray(x)[None] for x in (posed.landmarks - centre, state.rotation, state.gaze))
        labels = exact_labels(marks, posed.canonical[None], turn, gaze, emotion, person)
        out.append({"frames": image, "mattes": matte} | {name: value[0] for name, value in labels.items()})
    return out


def _example(seed: int, number: int, frames: list[dict[str, Any]]) -> dict[str, Any]:
    stacked = {name: np.stack([frame[name] for frame in frames]) for name in frames[0]}
    labels = {name: stacked[name] for name in schema.PER_FRAME if name in stacked}
    labels["valid"] = np.ones(len(frames), bool)
    silence = np.zeros(len(frames) * schema.SAMPLES_PER_FRAME, np.float32)
    name = f"twins{seed:06d}"
    return schema.make_example(f"{name}_{number:04d}", name, stacked["frames"], silence, stacked["mattes"], **labels)
