"""Twins of rigged heads: one performance by several heads, each in a scene and with turns of its own.

A clip is one moment's face, and every frame of it shows another head that makes it.
"""

import dataclasses
import pathlib
from typing import Any, NamedTuple

import cv2
import numpy as np

from data_pipelines import schema
from data_pipelines.rigged_heads import acting, clip
from data_pipelines.synthetic import voice

_TAKE = 50
_BY_FRAME = ("eyes", "rotation", "sway", "scale", "emotion")
_EACH = 2
"""Moments taken of each performance."""


class Group(NamedTuple):
    """Heads that make the same faces, as many clips as there are faces."""

    paths: tuple[pathlib.Path, ...]
    seed: int
    clips: int
    size: int
    photographs: tuple[pathlib.Path, ...] = ()


def _take(seed: list[int]) -> acting.Take:
    rng = np.random.default_rng([*seed, 7701])
    speaker = voice.sample_speaker(int(rng.integers(2**31)))
    speech = voice.synthesise(voice.babble(rng, _TAKE / schema.FRAME_RATE, speaker.rate), speaker, seed=seed[-1])
    return acting.perform(speech, _TAKE, rng)


def faces(seed: int, count: int) -> acting.Take:
    """`count` moments of performances, two of each, one after another as the frames of one take."""
    takes = [_take([seed, k]) for k in range(-(-count // _EACH))]
    rng = np.random.default_rng([seed, 7702])
    at = [(take, int(i)) for take in takes for i in rng.choice(_TAKE, _EACH, replace=False)][:count]
    names = sorted({name for take in takes for name in take.weights})
    zero = np.zeros(_TAKE)
    return acting.Take(
        weights={name: np.array([take.weights.get(name, zero)[i] for take, i in at]) for name in names},
        body=np.zeros(3),
        **{name: np.stack([getattr(take, name)[i] for take, i in at]) for name in _BY_FRAME},
    )


def make_group(group: Group) -> list[dict[str, Any]]:
    """Examples of `schema`: one face a clip, one head a frame. A pure function of its argument."""
    cv2.setNumThreads(1)
    paths, seed, clips, size, photographs = group
    shared, drawn = faces(seed, clips), []
    for k, path in enumerate(paths):
        rng = np.random.default_rng([seed, k, 7703])
        # The face and where the eyes look from it are shared; how the head is turned is another moment's.
        other = rng.integers(clips, size=clips)
        turned = {name: getattr(shared, name)[other] for name in ("rotation", "sway", "scale")}
        person = clip.figure(path)
        take = dataclasses.replace(shared, **turned)
        drawn.append(clip.draw(person, take, list(range(clips)), size, rng, photographs))
    name = f"rigged_twins{seed:06d}"
    return [_example(f"{name}_{k:04d}", name, k, drawn) for k in range(clips)]


def _example(clip_id: str, speaker: str, face: int, drawn: list[dict[str, np.ndarray]]) -> dict[str, Any]:
    stacked = {name: np.stack([one[name][face] for one in drawn]) for name in drawn[0]}
    labels = {name: stacked[name] for name in schema.PER_FRAME if name in stacked}
    labels["valid"] = np.ones(len(drawn), bool)
    silence = np.zeros(len(drawn) * schema.SAMPLES_PER_FRAME, np.float32)
    return schema.make_example(clip_id, speaker, stacked["frames"], silence, stacked["mattes"], **labels)
