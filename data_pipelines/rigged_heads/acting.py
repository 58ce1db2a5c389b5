"""What a rigged head does while it speaks: strengths of its expression targets per frame.

The sounds, blinks, gaze, emotion and nods are those of `synthetic.motion`; here they become the names that the heads
know: 13 visemes that blend into each other, jaw, tongue, lids, brows and corners of the mouth by side.
"""

import dataclasses

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from data_pipelines import schema
from data_pipelines.synthetic import expression_basis, motion
from data_pipelines.synthetic import phonemes as ph
from data_pipelines.synthetic.voice import Speech

VISEMES = ("AE_AA", "AO_a", "Ax_E", "TD_I", "UH_OO", "UW_U", "H_EST", "FV", "S", "SH_CH", "MPB_Up", "MPB_Down", "KG")
_TONGUE = ("Up_tg", "OutMiddle_tg")
_SHUT = {"MPB_Up": 0.75, "MPB_Down": 0.35}
_TIP = {"TD_I": 0.50, "MouthOpen": 0.10, "Up_tg": 0.6}
_BACK = {"KG": 0.65}
LOOKS: dict[str, dict[str, float]] = {
    "sil": {"MPB_Up": 0.25},
    "aa": {"AE_AA": 0.75}, "ae": {"AE_AA": 0.50, "H_EST": 0.30}, "ah": {"AO_a": 0.65},
    "ao": {"AO_a": 0.60, "UH_OO": 0.35},
    "eh": {"Ax_E": 0.45, "H_EST": 0.35, "MouthOpen": 0.1}, "er": {"Ax_E": 0.40, "UH_OO": 0.40},
    "ih": {"TD_I": 0.45, "Ax_E": 0.25}, "iy": {"H_EST": 0.60}, "uh": {"UH_OO": 0.60}, "uw": {"UW_U": 0.85},
    "ax": {"Ax_E": 0.55}, "w": {"UW_U": 0.90}, "y": {"H_EST": 0.35, "TD_I": 0.2}, "r": {"UH_OO": 0.45, "SH_CH": 0.15},
    "l": _TIP, "m": _SHUT, "n": _TIP, "ng": _BACK, "b": _SHUT, "d": _TIP, "g": _BACK, "p": _SHUT, "t": _TIP,
    "k": _BACK, "f": {"FV": 0.9}, "v": {"FV": 0.8},
    "th": {"TD_I": 0.35, "MouthOpen": 0.15, "OutMiddle_tg": 0.25},
    "dh": {"TD_I": 0.35, "MouthOpen": 0.15, "OutMiddle_tg": 0.2},
    "s": {"S": 0.7, "TD_I": 0.35}, "z": {"S": 0.6, "TD_I": 0.35}, "sh": {"SH_CH": 0.85}, "zh": {"SH_CH": 0.75},
    "hh": {"Ax_E": 0.30, "AO_a": 0.15},
}  # fmt: skip
"""Phoneme -> target strengths."""
_SPOKEN = (*VISEMES, "MouthOpen", *_TONGUE)
_QUICK, _SLOW = 0.026, 0.042
"""Standard deviation of the smoothing, seconds: lips and tongue are quicker than the jaw."""
_SIDED: dict[str, dict[str, float]] = {
    "frown": {"{}mouthSad": 0.9}, "upper_lip": {"{}lipUp": 0.35, "{}disgust": 0.5},
    "lower_lids": {"{}lowLid": 0.35, "{}squint": 0.3}, "brow_up": {"{}browUp": 0.8, "{0}{0}browUp": 0.8},
    "brow_inner": {"{}sad": 0.6, "{}pityful": 0.4}, "cheeks": {"{}squint": 0.25},
    "brow_down": {"{}browDown": 0.9, "{0}{0}browDown": 0.5, "{}squint": 0.1},
}  # fmt: skip
"""Strength of `expression_basis` -> targets; {} is the side, R or L."""
TURNS = np.radians([20.0, 30.0, 15.0])
"""Most that a head turns about x, y and z."""


@dataclasses.dataclass(frozen=True)
class Take:
    """A performance by no head in particular, arrays over t frames.

    weights: target -> strengths [t]. eyes: (theta, phi) in the head's frame. rotation: of the head, Euler angles.
    sway: its translation about the neck's foot, in half crop widths. scale: about 1. body: the shoulders' rotation.
    """

    weights: dict[str, Float[np.ndarray, " t"]]
    eyes: Float[np.ndarray, "t 2"]
    rotation: Float[np.ndarray, "t 3"]
    sway: Float[np.ndarray, "t 3"]
    scale: Float[np.ndarray, " t"]
    emotion: Float[np.ndarray, "t 8"]
    body: Float[np.ndarray, " 3"]

    def at(self, i: int) -> dict[str, float]:
        """Target strengths of frame i."""
        return {name: float(track[i]) for name, track in self.weights.items() if track[i]}


def _spoken(speech: Speech, frames: int, effort: float) -> dict[str, np.ndarray]:
    """Visemes, jaw and tongue per frame."""
    table = np.array([[LOOKS[p].get(name, 0.0) for name in _SPOKEN] for p in ph.NAMES])
    quick = ("FV", "MPB_Up", "MPB_Down", "S", *_TONGUE)
    tracks = motion.coarticulate(speech, frames, table, [_QUICK if name in quick else _SLOW for name in _SPOKEN])
    out = dict(zip(_SPOKEN, tracks.T, strict=True))
    shut = np.clip(1.3 * out["MPB_Up"] / _SHUT["MPB_Up"] - 0.35, 0, 1)  # lips that meet, meet, however short
    for name in _SPOKEN:
        if name not in ("MPB_Up", "MPB_Down", "S", *_TONGUE):
            out[name] = out[name] * (1 - 0.9 * shut) * (effort if name not in ("FV", "UW_U") else min(effort, 1.1))
    out["MPB"] = out["MPB_Up"]  # the jaw's name for it
    return out | {"shut": shut}


def perform(speech: Speech, frames: int, rng: np.random.Generator) -> Take:
    """Acts a clip of `frames` frames that begins with the speech."""
    base = motion.perform(speech, frames, rng)
    plain = dict(zip(expression_basis.NAMES, base.expression.T, strict=True))
    weights = _spoken(speech, frames, float(np.exp(rng.normal(0.05, 0.22))))
    shut = weights.pop("shut")
    weights["MouthOpen"] = weights["MouthOpen"] + rng.uniform(0, 0.25) * motion.loudness_of(speech, frames) * (1 - shut)
    bare = rng.uniform(0, 1)  # share of a smile that shows the teeth
    for side, lid in (("R", "lid_left"), ("L", "lid_right")):  # the person's right is the image's left
        uneven = np.exp(rng.normal(0, 0.08))
        for name, targets in _SIDED.items():
            for target, share in targets.items():
                strength = share * uneven * np.clip(plain[name], 0, 1.4) * (1 - 0.6 * shut * ("lip" in target))
                weights[target.format(side)] = weights.get(target.format(side), 0.0) + strength
        smile = uneven * np.clip(plain["smile"], 0, 1.2)
        weights[side + "smileOpen"] = smile * bare * (1 - 0.8 * shut)
        weights[side + "smileClose"] = 0.8 * smile * (1 - bare)
        weights[side + "eyeClose"] = np.clip(plain[lid], 0, 1)
        weights[side + "eyeOpen"] = np.clip(-2.2 * plain[lid], 0, 0.8)
    turn = Rotation.from_euler("xyz", base.rotation).as_matrix()
    eyes = schema.gaze_angles(np.einsum("tji,tj->ti", turn, schema.gaze_direction(base.gaze)))
    return Take(
        weights={name: np.asarray(track, np.float64) for name, track in weights.items()},
        eyes=eyes,
        rotation=TURNS * np.tanh(base.rotation / TURNS),
        sway=0.02 * motion.drift(rng, frames, 3, 0.08, 0.5) * [1, 0.6, 0.3],
        scale=base.scale / np.median(base.scale) * np.exp(np.clip(rng.normal(0, 0.07), -0.15, 0.15)),
        emotion=np.tile(base.emotion, (frames, 1)),
        body=base.body,
    )
