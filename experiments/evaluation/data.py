"""Held-out clips as the model sees them."""

import collections
import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float, UInt8

from data_pipelines import records, schema
from data_pipelines.prepare.latents import model_image
from vasa_jax.errors import InputError


@dataclasses.dataclass(frozen=True)
class HeldOutClip:
    """One clip: images of the model's size, audio, and the labels of the data set."""

    clip_id: str
    speaker: str
    images: UInt8[np.ndarray, "t s s 3"]
    audio: Float[np.ndarray, " n"]
    labels: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.images)


class HeldOut:
    """Clips of one split.

    Args:
      data_dir: TFDS data folder.
      name: data set.
      split: its split.
      size: of the model's images.
    """

    def __init__(self, data_dir: str, name: str, split: str, size: int):
        known = {resolution: config for config, resolution in schema.RESOLUTIONS.items()}
        if size not in known:
            raise InputError(f"a model of {size} px; data sets are made for {sorted(known)} px")
        self._records = records.RecordSplit(records.find_dataset(data_dir, name, known[size]), split, cache_bytes=0)
        self.name, self.split, self._size = name, split, size

    def choose(self, count: int, speakers: Sequence[str] = ()) -> list[int]:
        """At most `count` clips (0: all), the speakers in turn, each one's clips in the order of their names."""
        waiting: dict[str, list[int]] = {}
        for index in sorted(range(len(self._records)), key=lambda i: self._records.clip_ids[i]):
            if not speakers or self._records.speakers[index] in speakers:
                waiting.setdefault(self._records.speakers[index], []).append(index)
        if not waiting:
            asked = ", ".join(speakers)
            raise InputError(f"{self._records.folder}: split {self.split} has no clip of {asked}; correct --speakers")
        chosen = []
        while any(waiting.values()) and (not count or len(chosen) < count):
            for name in sorted(waiting):
                if waiting[name] and (not count or len(chosen) < count):
                    chosen.append(waiting[name].pop(0))
        return chosen

    def main_speaker(self) -> str:
        """The one with most clips."""
        return collections.Counter(self._records.speakers).most_common(1)[0][0]

    def clip(self, index: int, every: int = 1) -> HeldOutClip:
        """One clip with its images decoded; with `every`, only every so many frames of it (the audio is whole)."""
        clip = self._records[index]
        at = range(0, len(clip), every)
        images = np.stack([model_image(clip.image(k), self._size) for k in at])
        labels = {name: value[::every] for name, value in clip.labels.items()}
        return HeldOutClip(clip.clip_id, clip.speaker, images, clip.audio, labels)

    def tracks(self, speaker: str | None = None, count: int = 0) -> Iterator[records.Clip]:
        """Clips whose images stay undecoded: audio and labels, of one speaker, at most `count`."""
        indices = [i for i, name in enumerate(self._records.speakers) if speaker in (None, name)]
        for index in indices[: count or None]:
            yield self._records[index]
