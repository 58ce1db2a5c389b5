"""The clip stream: batches for training, as a pure function of (seed, step).

    stream = ClipStream("data", {"grid": 0.7, "procedural_heads": 0.3}, kind="pairs", batch_size=16, seed=0)
    batch = stream.batch(step)              # dict of arrays, always the same for the same step
    for batch in stream.iterate(step): ...  # the same batches, prepared ahead by an engine

All that has to be kept to resume is the step. Hosts read disjoint slices of one global batch: host i of n holds rows
i*b/n .. (i+1)*b/n, so a run may go on with another number of hosts.
"""

import pathlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from data_pipelines import engines, items, latent_cache, order, records, schema
from data_pipelines.domain import Domain
from data_pipelines.engines import Batch
from data_pipelines.latent_cache import LatentSplit
from vasa_jax import conditions
from vasa_jax.errors import UsageError

__all__ = ["Batch", "ClipStream", "LatentSplit"]

_KINDS = ("pairs", "clips", "windows")


class ClipStream:
    """Batches of one kind from a mixture of data sets.

    Kinds:
      "pairs": source and driver, two frames of a clip, and other, a frame of another speaker of that data set: uint8
        [b, s, s, 3] of stored size (`schema.MARGIN`), each with NAME_landmarks [b, K, 3], NAME_pose [b, 7], NAME_eyes,
        NAME_gaze, NAME_lids, NAME_mouth [b, 2] and NAME_emotion [b, 8].
      "clips": `length` successive frames from a random start: frames uint8 [b, t, s, s, 3], audio [b, t * 640], and
        every label of `schema.PER_FRAME` [b, t, ...]. `start` fixes the first frame.
      With `mattes`, pairs have NAME_matte [b, s, s, 1] and clips matte [b, t, s, s, 1], uint8: how much of the pixel is
        the person, 255 everywhere in a clip that has none.
      "windows": `previous` + `window` frames of a latents cache (`data_pipelines.prepare.latents`, NAME.npz):
        audio [b, t * 640], motion [b, t, m] as encoded (not standardised), mouth [b, t, 2], valid [b, t]; and per
        item, averaged over the window's valid frames, what `told` names (`vasa_jax.conditions`): gaze [b, 2],
        distance [b] standardised, emotion [b, 8]. With `tracks`, those of every frame side by side too: tracks
        [b, t, 2 + 1 + 8].
    In all: index int32 [b], the row in the global batch; domain int32 [b], the place in the mixture; clip int32 [b].
    Clips too short are filled up with their last frame and silence, and valid is False there.

    Args:
      data_dir: TFDS data folder; the latents caches lie in it or in its sub-folder latents.
      mixture: data set -> share of the batch.
      split: split of every data set.
      kind: see above.
      batch_size: of all hosts together.
      seed: of the order and all draws.
      process_index, process_count: this host and how many there are.
      config: builder configuration of the data sets, for instance "small_128"; needed if there are several.
      size: another way to say it: side of the stored images, for instance 160.
      speaker_power: see `order.ClipOrder`; by default 0.5 for training pairs (GRID has one speaker with most of
        the clips, and appearance needs the others), else 1.
      length, start: of kind "clips".
      mattes: of kinds "pairs" and "clips".
      previous, window, tracks, told: of kind "windows".
      cache_bytes: per data set, of undecoded examples kept in memory.
      threads: that prepare batches ahead.
      engine: "tf.data", "grain", "threads", or "auto", the first that is installed. The batches are the same.
      checksums: compare every shard's SHA-256 with its manifest first (seconds a gigabyte).
      max_damaged: share of a data set's records that may be damaged; see `domain.Domain`.
      reuse: items that a clip serves once it was read, for data sets larger than memory; see `order.ClipOrder`.

    Raises:
      InputError: a data set is missing, cut short or damaged; the message says what to do.
      UsageError: options that do not go together.
    """

    def __init__(
        self,
        data_dir: str,
        mixture: Mapping[str, float],
        split: str = "train",
        kind: str = "pairs",
        batch_size: int = 16,
        seed: int = 0,
        process_index: int = 0,
        process_count: int = 1,
        *,
        config: str | None = None,
        size: int | None = None,
        speaker_power: float | None = None,
        length: int = 25,
        start: int | None = None,
        mattes: bool = False,
        previous: int = 10,
        window: int = 50,
        tracks: bool = False,
        told: Sequence[str] = conditions.PAPER,
        cache_bytes: int = 2 << 30,
        threads: int = 2,
        engine: str = "auto",
        checksums: bool = False,
        max_damaged: float = 0.01,
        reuse: int = 1,
    ):
        if kind not in _KINDS:
            raise UsageError(f"clip stream: unknown kind {kind!r}; it is pairs, clips or windows")
        if mattes and kind == "windows":
            raise UsageError("clip stream: windows hold no images, so no mattes; kinds pairs and clips have some")
        if batch_size % process_count or not 0 <= process_index < process_count:
            raise UsageError(f"clip stream: batch size {batch_size} does not divide among {process_count} hosts")
        if min(length, window, threads, reuse) < 1 or previous < 0:
            raise UsageError(f"clip stream: {length=}, {window=}, {previous=}, {threads=}, {reuse=}")
        try:
            self._mixture = order.Mixture(mixture)
        except ValueError as error:
            raise UsageError(f"clip stream: {error}") from error
        self.kind, self.split, self.batch_size, self.seed = kind, split, batch_size, seed
        rows = [batch_size * i // process_count for i in (process_index, process_index + 1)]
        self._rows = range(*rows)
        self._length, self._start, self._previous, self._window = length, start, previous, window
        self._mattes, self._tracks = mattes, tracks
        self._threads, self._engine = threads, engines.choose(engine)
        self._draws = order.Draws(seed, 2, items.DRAWS)
        self.decode: items.Decode = schema.decode_jpeg
        if kind == "windows":
            self.sources = [LatentSplit(latent_cache.find(data_dir, name), split, told) for name in mixture]
        else:
            config = config or _config_of_size(size)
            folders = [records.find_dataset(pathlib.Path(data_dir), name, config) for name in mixture]
            self.sources = [records.RecordSplit(folder, split, cache_bytes, checksums) for folder in folders]
        if speaker_power is None:
            speaker_power = 0.5 if kind == "pairs" and split == "train" else 1.0
        self._domains = [
            Domain(name, source, order.ClipOrder(source.speakers, seed * 1000 + i, speaker_power, reuse), max_damaged)
            for i, (name, source) in enumerate(zip(mixture, self.sources, strict=True))
        ]

    def __len__(self) -> int:
        """How many clips there are in all data sets together."""
        return sum(len(source) for source in self.sources)

    @property
    def damaged(self) -> dict[str, list[int]]:
        """Data set -> numbers of the records that could not be read so far, in this process; others stood in."""
        return {domain.name: sorted(domain.damaged) for domain in self._domains}

    def batch(self, step: int) -> Batch:
        """This host's rows of the batch of a step."""
        return self._collated(self._items(step))

    def iterate(self, start_step: int = 0, stop_step: int | None = None) -> Iterator[Batch]:
        """The batches of start_step, start_step + 1, ... (up to stop_step, exclusive), prepared ahead."""
        return engines.iterate(self._engine, self._items, self._collated, start_step, stop_step, self._threads)

    def motion_stats(self) -> dict[str, list[float]]:
        """Mean and standard deviation of the motion [m] over the training split, data sets weighted alike."""
        means = np.stack([source.arrays["motion_mean"] for source in self.sources])
        squares = np.stack(
            [source.arrays["motion_std"] ** 2 + source.arrays["motion_mean"] ** 2 for source in self.sources]
        )
        mean = means.mean(0)
        return {"mean": mean.tolist(), "std": np.sqrt(np.maximum(squares.mean(0) - mean**2, 1e-12)).tolist()}

    def _items(self, step: int) -> list[items.Item]:
        return [self._item(step, row) for row in self._rows]

    def _collated(self, made: Sequence[items.Item]) -> Batch:
        return items.collate(made, self.decode)

    def _item(self, step: int, row: int) -> items.Item:
        position = step * self.batch_size + row
        number, ordinal = self._mixture.at(position)
        domain = self._domains[number]
        clip = domain.order.at(ordinal)
        draws = self._draws.at(position)
        if self.kind == "pairs":
            item = items.pair(domain, clip, draws, ordinal, self._mattes)
        elif self.kind == "clips":
            item = items.clip(domain, clip, draws, self._length, self._start, self._mattes)
        else:
            item = items.window(domain, clip, draws, self._previous, self._window, self._tracks)
        item |= {"index": np.int32(row), "domain": np.int32(number)}
        return item


def _config_of_size(size: int | None) -> str | None:
    if size is None:
        return None
    for name, resolution in schema.RESOLUTIONS.items():
        if schema.stored_size(resolution) == size:
            return name
    known = ", ".join(str(schema.stored_size(r)) for r in schema.RESOLUTIONS.values())
    raise UsageError(f"clip stream: no images of {size} px are stored; sizes are {known}")
