"""Single moments of performances, and one moment's pose with another's face."""

import dataclasses

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from data_pipelines import schema
from data_pipelines.synthetic import motion, voice
from data_pipelines.synthetic.head import FrameState

_FRAMES = 50


@dataclasses.dataclass(frozen=True)
class Moment:
    """What a head does in one frame, and the emotion of the performance it is from."""

    state: FrameState
    emotion: Float[np.ndarray, " 8"]


def moments(performances: int, each: int, seed: int) -> list[Moment]:
    """Moments of performances, `each` of one after another, whose heads stand about the middle of the crop."""
    found = []
    for k in range(performances):
        rng = np.random.default_rng([seed, k, 7401])
        speaker = voice.sample_speaker(int(rng.integers(10_000)))
        speech = voice.synthesise(voice.babble(rng, _FRAMES / schema.FRAME_RATE, speaker.rate), speaker, seed=k)
        performance = motion.perform(speech, _FRAMES, rng)
        middle = np.median(performance.translation, axis=0)
        for i in rng.choice(_FRAMES, each, replace=False):
            state = performance.state(int(i))
            state = dataclasses.replace(state, translation=state.translation - middle)
            found.append(Moment(state, performance.emotion))
    return found


def combine(pose: FrameState, face: FrameState) -> FrameState:
    """Where the head of one moment is, with expression, lips and eyes of the other, which turn with the head."""
    turns = [Rotation.from_euler("xyz", state.rotation).as_matrix() for state in (face, pose)]
    direction = turns[1] @ turns[0].T @ schema.gaze_direction(np.asarray(face.gaze))
    gaze = schema.gaze_angles(direction)
    return dataclasses.replace(pose, expression=face.expression, tongue=face.tongue, gaze=gaze)
