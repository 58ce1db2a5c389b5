"""What all sources of a data set gave, read from the staged results: clips to store, and the numbers about them."""

import collections
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from data_pipelines import schema
from data_pipelines.prepare import duplicates, filters, staging, stretches
from data_pipelines.prepare.source import Dropped, Processed, Source
from data_pipelines.prepare.steps import Job
from vasa_jax.errors import InputError
from vasa_jax.metrics import blinks

_LABELS = ("pose", "gaze", "distance", "lids", "valid")
HISTOGRAMS: dict[str, tuple[float, float, int, str]] = {
    "yaw": (-45, 45, 30, "degrees, + is to the image's right"),
    "pitch": (-45, 45, 30, "degrees, + is down"),
    "roll": (-45, 45, 30, "degrees, + is clockwise"),
    "gaze_theta": (-45, 45, 30, "degrees, + is to the image's right"),
    "gaze_phi": (-45, 45, 30, "degrees, + is up"),
    "distance": (-0.5, 0.5, 20, "log of the head's scale, + is nearer"),
    "duration": (0, 10, 20, "seconds"),
}
"""Name -> (low, high, bins, unit); what lies beyond is counted in the outermost bins."""


class Results:
    """The results of a job, complete.

    Args:
      job: that was done.
      sources: for all of these.

    Attributes:
      sources: the same.
      copies: clip id -> the earlier clip of which it is a duplicate.

    Raises:
      InputError: a source has no result, or a damaged one.
    """

    def __init__(self, job: Job, sources: Sequence[Source]):
        self.sources = sources
        self._job = job
        self._stretches = {source.name: stretches.split(source) for source in sources}
        self._summaries: dict[str, dict[str, Any]] = {}
        for source in sources:
            for stretch in self._stretches[source.name]:
                summary = staging.read_summary(job.staging, stretch, job.made_from(stretch))
                if summary is None:
                    raise InputError(f"{stretch.name}: its result is not in {job.staging}; run the same command again")
                self._summaries[stretch.name] = summary
        signed = (
            (clip_id, frames, bytes.fromhex(sign))
            for summary in self._summaries.values()
            for (clip_id, _, frames), sign in zip(summary["clips"], summary["signatures"], strict=True)
        )
        self.copies = duplicates.find(signed)

    def produce(self, source: Source) -> Processed:
        """What is kept of a source: that of its stretches, without copies."""
        whole = Processed()
        for stretch in self._stretches[source.name]:
            part = staging.read(self._job.staging, stretch)
            whole.examples += [e for e in part.examples if e["clip_id"] not in self.copies]
            whole.dropped += part.dropped
            whole.dropped += [self._copy(e["clip_id"]) for e in part.examples if e["clip_id"] in self.copies]
            whole.measured |= part.measured
            whole.thumbnails |= part.thumbnails
        return whole

    def thumbnail(self, source: Source, clip_id: str) -> bytes | None:
        """JPEG of something that was dropped; None if it has no image."""
        for stretch in self._stretches[source.name]:
            if clip_id in self._summaries[stretch.name]["thumbnails"]:
                return staging.read(self._job.staging, stretch).thumbnails[clip_id]
        return None

    def kept(self) -> Iterator[tuple[Source, str, int]]:
        """(source, clip id, frames) of every clip to store, in order."""
        for source, summary in self._each():
            yield from ((source, clip, frames) for clip, _, frames in summary["clips"] if clip not in self.copies)

    def dropped(self) -> Iterator[tuple[Source, Dropped]]:
        """Everything that is left out, in order."""
        for source, summary in self._each():
            yield from ((source, Dropped(*entry)) for entry in summary["dropped"])
            yield from ((source, self._copy(clip)) for clip, _, _ in summary["clips"] if clip in self.copies)

    def quality(self) -> dict[str, Any]:
        """The content of quality.json: the same for the same results, whenever they were made."""
        kept, dropped = list(self.kept()), list(self.dropped())
        kinds = collections.Counter(filters.kind(entry.reason) for _, entry in dropped)
        splits = collections.Counter(source.split for source, _, _ in kept)
        speakers = collections.defaultdict(lambda: {"kept": 0, "dropped": 0, "seconds": 0.0})
        for source, _, frames in kept:
            speakers[source.speaker]["kept"] += 1
            speakers[source.speaker]["seconds"] += frames / schema.FRAME_RATE
        for source, _ in dropped:
            speakers[source.speaker]["dropped"] += 1
        return {
            "kept": sorted(clip for _, clip, _ in kept),
            "dropped": sorted((dataclasses.asdict(entry) for _, entry in dropped), key=str),
            "counts": {"sources": len(self.sources), "kept": len(kept), "dropped": len(dropped)},
            "reasons": dict(kinds.most_common()),
            "splits": dict(sorted(splits.items())),
            "speakers": dict(sorted(speakers.items())),
            "labels": {"from": self._labels_from(), "networks": self._job.networks.state()} | self.labels(),
            "measured": {clip: numbers for _, s in self._each() for clip, numbers in sorted(s["measured"].items())},
        }

    def labels(self) -> dict[str, Any]:
        """Sanity of the labels: histograms and percentiles of poses, gazes, distances and durations, and blinks."""
        tally, frames, blinked = _Tally(), 0, 0
        for _, stretch in self._every_stretch():
            summary = self._summaries[stretch.name]
            every = staging.read_labels(self._job.staging, stretch, _LABELS) if summary["clips"] else []
            for (clip, _, count), label in zip(summary["clips"], every, strict=True):
                if clip in self.copies:
                    continue
                seen = label["valid"]
                angles = np.degrees(np.concatenate([label["pose"][:, :3], label["gaze"]], -1)[seen])
                for name, values in zip(("pitch", "yaw", "roll", "gaze_theta", "gaze_phi"), angles.T, strict=True):
                    tally.add(name, values)
                tally.add("distance", label["distance"][seen])
                tally.add("duration", np.asarray([count / schema.FRAME_RATE]))
                frames += count
                blinked += len(blinks.find_blinks(label["lids"]))
        rate = blinks.blinks_per_minute(blinked, frames) if frames else None
        return {"frames": frames, "blinks": blinked, "blinks_per_minute": rate, "histograms": tally.as_dict()}

    def _labels_from(self) -> str:
        by = [f"{kind} by {entry['file']}" for kind, entry in self._job.networks.state().items()]
        return ", ".join([self._job.tracker.describe(), *by])

    def _copy(self, clip_id: str) -> Dropped:
        return Dropped(clip_id, f"duplicate: the same recording as {self.copies[clip_id]}")

    def _every_stretch(self) -> Iterator[tuple[Source, Source]]:
        for source in self.sources:
            yield from ((source, stretch) for stretch in self._stretches[source.name])

    def _each(self) -> Iterator[tuple[Source, dict[str, Any]]]:
        yield from ((source, self._summaries[stretch.name]) for source, stretch in self._every_stretch())


class _Tally:
    """Histograms that grow clip by clip."""

    def __init__(self):
        self._counts = {name: np.zeros(bins, np.int64) for name, (_, _, bins, _) in HISTOGRAMS.items()}
        self._sums = {name: np.zeros(3) for name in HISTOGRAMS}

    def add(self, name: str, values: np.ndarray) -> None:
        low, high, bins, _ = HISTOGRAMS[name]
        values = values.astype(np.float64)
        at = np.clip(((values - low) / (high - low) * bins).astype(int), 0, bins - 1)
        self._counts[name] += np.bincount(at, minlength=bins)
        self._sums[name] += [len(values), values.sum(), np.square(values).sum()]

    def as_dict(self) -> dict[str, Any]:
        out = {}
        for name, (low, high, _, unit) in HISTOGRAMS.items():
            count, total, squares = self._sums[name]
            mean = total / max(count, 1)
            std = np.sqrt(max(squares / max(count, 1) - mean**2, 0))
            counts = self._counts[name].tolist()
            out[name] = {"low": low, "high": high, "unit": unit, "mean": mean, "std": float(std), "counts": counts}
        return out
