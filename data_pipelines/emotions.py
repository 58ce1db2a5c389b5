"""Emotion labels as data sets publish them, turned into the coefficients of `data_pipelines.schema`.

A published label holds for a whole clip and says what was acted or judged; a network's estimate holds for a frame.
Where a data set publishes one, the published one is stored.
"""

from typing import Any

import numpy as np
from jaxtyping import Float

from data_pipelines import schema

_SPELLINGS = {
    "anger": ("angry", "ang"),
    "contempt": ("contemptuous",),
    "disgust": ("disgusted", "dis"),
    "fear": ("fearful", "afraid", "fea"),
    "happiness": ("happy", "hap"),
    "neutral": ("neu",),
    "sadness": ("sad",),
    "surprise": ("surprised",),
}
_NAMES = {spelling: name for name, spellings in _SPELLINGS.items() for spelling in (name, *spellings)}


def from_label(label: str) -> str | None:
    """The name in `schema.EMOTIONS` of a label such as "angry", "HAP" or "Sadness"; None for any other word."""
    return _NAMES.get(label.strip().lower())


def coefficients(emotion: str, intensity: float) -> Float[np.ndarray, "8"]:
    """`intensity` (0..1) of the emotion, and neutral for the rest; they sum to 1."""
    values = np.zeros(len(schema.EMOTIONS), np.float32)
    values[schema.EMOTIONS.index(emotion)] = intensity
    values[schema.EMOTIONS.index("neutral")] += 1 - intensity
    return values


def labelled(example: dict[str, Any], emotion: str | None, intensity: float) -> dict[str, Any]:
    """The example with the published emotion in every frame; the example itself where none is published."""
    if emotion is None:
        return example
    return example | {"emotion": np.tile(coefficients(emotion, intensity), (len(example["frames"]), 1))}
