"""A procedural clip: images, speech and exact labels, all from four integers."""

from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from data_pipelines import schema
from data_pipelines.synthetic import motion, voice
from data_pipelines.synthetic.head import Head, head
from data_pipelines.synthetic.scene import Renderer, sample_scene
from vasa_jax import landmarks


def _lid_closure(canonical: np.ndarray, person: Head) -> np.ndarray:
    """Closure [t, 2]: 0 as the eye is at rest, 1 when the lids meet."""
    neutral = person.neutral_lids()
    return np.clip(1 - landmarks.lids(canonical) / neutral, 0, 1)


def exact_labels(
    marks: np.ndarray, canonical: np.ndarray, rotation: np.ndarray, gaze: np.ndarray, emotion: np.ndarray, person: Head
) -> dict[str, np.ndarray]:
    """The labels of `schema.PER_FRAME` that a drawing knows.

    Args:
      marks, canonical: landmarks [t, k, 3] in the image and in the head's own space.
      rotation: Euler angles of the head [t, 3].
      gaze: [t, 2], camera frame.
      emotion: [8] of all frames.
      person: whose head it is.
    """
    pose = landmarks.fit_pose(marks)
    turn = Rotation.from_euler("xyz", rotation).as_matrix()
    opening, width = np.moveaxis(landmarks.mouth(marks), -1, 0)
    return {
        "landmarks": marks,
        "pose": pose,
        "gaze": gaze,
        "eyes": schema.gaze_angles(np.einsum("tji,tj->ti", turn, schema.gaze_direction(gaze))),
        "lids": _lid_closure(canonical, person),
        "mouth": np.stack([opening, np.clip(1 - (width - 0.22) / 0.16, 0, 1)], -1),
        "distance": np.log(pose[:, 6]),
        "emotion": np.broadcast_to(emotion, (len(marks), 8)),
    }


def make_clip(seed: int, identity: int, frames: int, size: int) -> dict[str, Any]:
    """One clip of `frames` images of `size` px (stored: spanning -MARGIN..MARGIN). A pure function of its integers.

    Returns:
      the fields of `schema.PER_FRAME` and clip_id, speaker, frames (uint8 [t, size, size, 3]), mattes (uint8
      [t, size, size]), audio (float32 [t * 640]), and beyond the schema rotation [t, 3] (the head's true Euler angles)
      and expression [t, e].
    """
    rng = np.random.default_rng([seed, identity, 7301])
    speaker = voice.sample_speaker(identity)
    sounds = voice.babble(rng, frames / schema.FRAME_RATE + 0.5, speaker.rate)
    speech = voice.synthesise(sounds, speaker, seed=int(rng.integers(2**31)))
    person = head(identity, 512 if size <= 320 else 1024)
    clip = render_speech(speech, person, frames, size, rng)
    return {"clip_id": f"head{identity:06d}_{seed:04d}", "speaker": f"head{identity:06d}", **clip}


def render_speech(
    speech: voice.Speech, person: Head, frames: int, size: int, rng: np.random.Generator
) -> dict[str, Any]:
    """The clip of a person speaking given speech, as `make_clip` without the names."""
    performance = motion.perform(speech, frames, rng)
    states = [performance.state(i) for i in range(frames)]
    # The crop: the median pose of the clip has its translation at the centre.
    posed = [person.pose(state) for state in states]
    marks = np.stack([p.landmarks for p in posed])
    centre = np.median(landmarks.fit_pose(marks)[:, 3:6], axis=0)
    renderer = Renderer(person, sample_scene(int(rng.integers(2**31))), size)
    drawn = []
    for p in posed:
        p.points = p.points - centre
        drawn.append(renderer.with_matte(p))
    images, mattes = zip(*drawn, strict=True)
    canonical = np.stack([p.canonical for p in posed])
    labels = exact_labels(
        marks - centre, canonical, performance.rotation, performance.gaze, performance.emotion, person
    )
    labels |= {"rotation": performance.rotation, "expression": performance.expression}
    labels = {name: np.ascontiguousarray(value, np.float32) for name, value in labels.items()}
    return {
        "frames": np.stack(images),
        "mattes": np.stack(mattes),
        "audio": schema.fit_audio(speech.audio, frames),
        "valid": np.ones(frames, bool),
        "phonemes": voice.frame_phonemes(speech.segments, frames),
        **labels,
    }
