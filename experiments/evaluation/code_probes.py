"""What the dynamics code gives away of pose and person, by linear probes (`vasa_jax.metrics.probes`).

The images are those of `puppets.Act.fit` and `.test`: poses and faces paired at random, so that nothing but a leak
lets a face tell of the pose; people, moments and images of the tests are not those of the fit.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from experiments.evaluation.puppets import Act
from vasa_jax.metrics import probes

_LEAKS = ("pitch", "yaw", "roll")
_HELD = ("mouth", "eyes_horizontal", "lids")
_SHUFFLES = 20


@dataclasses.dataclass(frozen=True)
class Probed:
    """Codes of one person's images, with the truth; `fit` tells the two parts apart."""

    codes: Float[np.ndarray, "n d"]
    truth: dict[str, Float[np.ndarray, " n"]]
    fit: Bool[np.ndarray, " n"]


def encode(model: Any, act: Act) -> Probed:
    """Dynamics codes of the images drawn for probes."""
    parts = act.fit, act.test
    codes = model.motion(np.concatenate([part.images for part in parts]))[:, 7:]
    labels = {name: np.concatenate([part.labels[name] for part in parts]) for name in ("pose", "mouth", "eyes", "lids")}
    truth = {name: labels["pose"][:, k] for k, name in enumerate(_LEAKS)}
    truth |= {
        "mouth": labels["mouth"][:, 0],
        "eyes_horizontal": labels["eyes"][:, 0],
        "lids": labels["lids"].mean(-1),
    }
    return Probed(codes, truth, np.arange(len(codes)) < len(act.fit.images))


def ranges(people: Sequence[Probed]) -> dict[str, float]:
    """5th to 95th percentile of the true mouth opening (share of the face) and horizontal eye angle (degrees)."""
    spans = {}
    for name in ("mouth", "eyes_horizontal"):
        low, high = np.percentile(np.concatenate([person.truth[name] for person in people]), [5, 95])
        spans[name] = float(high - low)
    return {"mouth": spans["mouth"], "gaze_degrees": float(np.degrees(spans["eyes_horizontal"]))}


def probe(people: Sequence[Probed]) -> dict[str, Any]:
    """Explained variance of pose (a leak) and of mouth, eyes and lids (what the code is for); identity; spectrum.

    Labels are fitted on two thirds of the people and tested on the others' other moments; identity is fitted and tested
    on all. `*_chance`: the same with the values shuffled.
    """
    codes = np.concatenate([person.codes for person in people])
    who = np.repeat(np.arange(len(people)), [len(person.codes) for person in people])
    fit = np.concatenate([person.fit for person in people])
    known = who < max(1, 2 * len(people) // 3)
    kept = (known & fit) | (~known & ~fit)
    rng, report = np.random.default_rng(0), {"pictures": len(codes), "dimensions": codes.shape[1]}
    for name in (*_LEAKS, *_HELD):
        values = np.concatenate([person.truth[name] for person in people])[kept]
        mixed = [probes.explained_variance(codes[kept], rng.permutation(values), fit[kept]) for _ in range(_SHUFFLES)]
        report[f"{name}_explained"] = probes.explained_variance(codes[kept], values, fit[kept])
        report[f"{name}_explained_chance"] = float(np.mean(mixed))
    report["identity_accuracy"] = probes.accuracy(codes, who, fit)
    report["identity_chance"] = 1 / len(people)
    report["identity_times_chance"] = report["identity_accuracy"] * len(people)
    report["spectrum_area"] = probes.spectrum_area(codes)
    return report


@dataclasses.dataclass(frozen=True)
class ProbedClip:
    """Codes of some frames of a real clip, with its labels."""

    speaker: str
    codes: Float[np.ndarray, "t d"]
    labels: dict[str, np.ndarray]


def probe_clips(clips: Sequence[ProbedClip]) -> dict[str, Any] | None:
    """Yaw and speaker from the codes of real clips: fitted on the first half of each speaker's clips.

    In real video the eyes turn against the head, so that even exact labels of mouth, lids and eyes tell of the yaw:
    `yaw_explained_by_labels` is what they tell. Speakers with one clip are left out; None if fewer than two stay.
    """
    by_speaker: dict[str, list[ProbedClip]] = {}
    for clip in clips:
        by_speaker.setdefault(clip.speaker, []).append(clip)
    kept = [group for group in by_speaker.values() if len(group) > 1]
    if len(kept) < 2:
        return None
    halves = [(clip, k < len(group) // 2) for group in kept for k, clip in enumerate(group)]
    lengths = [len(clip.codes) for clip, _ in halves]
    fit = np.repeat([first for _, first in halves], lengths)
    codes = np.concatenate([clip.codes for clip, _ in halves])
    yaw = np.concatenate([clip.labels["pose"][:, 1] for clip, _ in halves])
    exact = [np.concatenate([clip.labels[n] for n in ("mouth", "lids", "eyes")], -1) for clip, _ in halves]
    who = np.repeat([clip.speaker for clip, _ in halves], lengths)
    right = probes.accuracy(codes, who, fit)
    return {
        "speakers": len(kept),
        "clips": len(halves),
        "yaw_explained": probes.explained_variance(codes, yaw, fit),
        "yaw_explained_by_labels": probes.explained_variance(np.concatenate(exact), yaw, fit),
        "identity_accuracy": right,
        "identity_chance": 1 / len(kept),
        "identity_times_chance": right * len(kept),
    }
