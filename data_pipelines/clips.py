"""The clip stream: batches for training, as a pure function of (seed, step).

    stream = ClipStream("data", {"grid": 0.7, "procedural_heads": 0.3}, kind="pairs", batch_size=16, seed=0)
    batch = stream.batch(step)              # dict of arrays, always the same for the same step
    for batch in stream.iterate(step): ...  # the same batches, prepared ahead in threads

Hosts read disjoint slices of one global batch: host i of n holds rows i*b/n .. (i+1)*b/n.
"""

import collections
import concurrent.futures
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from data_pipelines import order, records, schema
from vasa_jax.errors import InputError, UsageError

Batch = dict[str, np.ndarray]
_PAIR_LABELS = ("landmarks", "pose", "eyes", "gaze", "lids", "mouth", "emotion")
_CANDIDATES = 6


class ClipStream:
    """Batches of one kind from a mixture of data sets.

    Kinds:
      "pairs": source and driver, two frames of a clip, and other, a frame of another speaker of that data set: uint8
        [b, s, s, 3] of stored size (`schema.MARGIN`), each with NAME_landmarks [b, K, 3], NAME_pose [b, 7], NAME_eyes,
        NAME_gaze, NAME_lids, NAME_mouth [b, 2] and NAME_emotion [b, 8].
      "clips": `length` successive frames from a random start: frames uint8 [b, t, s, s, 3], audio [b, t * 640], and
        every label of `schema.PER_FRAME` [b, t, ...]. `start` fixes the first frame.
      "windows": `previous` + `window` frames of a latents cache (`data_pipelines.prepare.latents`, NAME.npz):
        audio [b, t * 640], motion [b, t, m] as encoded (not standardised), mouth [b, t, 2], valid [b, t]; and per
        item, averaged over the window's valid frames: gaze [b, 2], distance [b] standardised, emotion [b, 8].
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
      size: another way to say it: side of the stored pictures, for instance 160.
      speaker_power: see `order.ClipOrder`; by default 0.5 for training pairs (GRID has one speaker with most of
        the clips, and appearance needs the others), else 1.
      length, start: of kind "clips".
      previous, window: of kind "windows".
      cache_bytes: per data set, of undecoded examples kept in memory.
      threads: that prepare batches ahead.
      engine: "tf.data", "threads" (where TensorFlow is absent), or "auto". The batches are the same.

    Raises:
      InputError: a data set is missing or damaged; the message says which command makes it.
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
        previous: int = 10,
        window: int = 50,
        cache_bytes: int = 2 << 30,
        threads: int = 2,
        engine: str = "auto",
    ):
        if kind not in ("pairs", "clips", "windows"):
            raise UsageError(f"clip stream: unknown kind {kind!r}; it is pairs, clips or windows")
        if engine not in ("auto", "tf.data", "threads"):
            raise UsageError(f"clip stream: unknown engine {engine!r}; it is auto, tf.data or threads")
        if batch_size % process_count or not 0 <= process_index < process_count:
            raise UsageError(f"clip stream: batch size {batch_size} does not divide among {process_count} hosts")
        try:
            self._mixture = order.Mixture(mixture)
        except ValueError as error:
            raise UsageError(f"clip stream: {error}") from error
        self.kind, self.split, self.batch_size, self.seed = kind, split, batch_size, seed
        self._rows = range(
            batch_size * process_index // process_count, batch_size * (process_index + 1) // process_count
        )
        self._length, self._start, self._previous, self._window = length, start, previous, window
        self._threads, self._engine = threads, engine
        if kind == "windows":
            self.sources = [LatentSplit(_latents_path(data_dir, name), split) for name in mixture]
        else:
            config = config or _config_of_size(size)
            folders = [records.find_dataset(data_dir, name, config) for name in mixture]
            self.sources = [records.RecordSplit(folder, split, cache_bytes) for folder in folders]
        if speaker_power is None:
            speaker_power = 0.5 if kind == "pairs" and split == "train" else 1.0
        self._orders = [order.ClipOrder(s.speakers, seed * 1000 + i, speaker_power) for i, s in enumerate(self.sources)]

    def __len__(self) -> int:
        """How many clips there are in all data sets together."""
        return sum(len(source) for source in self.sources)

    def batch(self, step: int) -> Batch:
        """This host's rows of the batch of a step."""
        items = [self._item(step, row) for row in self._rows]
        return {name: np.stack([item[name] for item in items]) for name in items[0]}

    def iterate(self, start_step: int = 0, stop_step: int | None = None) -> Iterator[Batch]:
        """The batches of start_step, start_step + 1, ... (up to stop_step, exclusive), prepared ahead."""
        stop = np.iinfo(np.int64).max if stop_step is None else stop_step
        if self._engine != "threads":
            try:
                import tensorflow as tf
            except ImportError:
                if self._engine == "tf.data":
                    raise InputError(
                        "data.engine=tf.data needs the package tensorflow; pip install tensorflow-cpu, or use threads"
                    ) from None
            else:
                return self._iterate_tf(tf, start_step, stop)
        return self._iterate_threads(start_step, stop)

    def motion_stats(self) -> dict[str, list[float]]:
        """Mean and standard deviation of the motion [m] over the training split, data sets weighted alike."""
        means = np.stack([source.arrays["motion_mean"] for source in self.sources])
        squares = np.stack(
            [source.arrays["motion_std"] ** 2 + source.arrays["motion_mean"] ** 2 for source in self.sources]
        )
        mean = means.mean(0)
        return {"mean": mean.tolist(), "std": np.sqrt(np.maximum(squares.mean(0) - mean**2, 1e-12)).tolist()}

    def _iterate_tf(self, tf: Any, start: int, stop: int) -> Iterator[Batch]:
        tf.config.set_visible_devices([], "GPU")  # the accelerators are JAX's
        example = self.batch(start)
        names = list(example)
        types = [tf.as_dtype(example[name].dtype) for name in names]

        def load(step: int) -> list[np.ndarray]:
            batch = self.batch(int(step))
            return [batch[name] for name in names]

        dataset = tf.data.Dataset.range(start, stop)
        dataset = dataset.map(
            lambda s: tf.numpy_function(load, [s], types, stateful=False), num_parallel_calls=self._threads
        )
        options = tf.data.Options()
        options.deterministic = True
        options.threading.private_threadpool_size = self._threads
        dataset = dataset.with_options(options).prefetch(self._threads)
        for values in dataset.as_numpy_iterator():
            yield dict(zip(names, values, strict=True))

    def _iterate_threads(self, start: int, stop: int) -> Iterator[Batch]:
        pool = concurrent.futures.ThreadPoolExecutor(self._threads, thread_name_prefix="clips")
        waiting: collections.deque[concurrent.futures.Future] = collections.deque()
        try:
            for step in range(start, stop):
                waiting.append(pool.submit(self.batch, step))
                if len(waiting) > 2 * self._threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _item(self, step: int, row: int) -> dict[str, Any]:
        position = step * self.batch_size + row
        domain, ordinal = self._mixture.at(position)
        clip = self._orders[domain].at(ordinal)
        rng = order.item_rng(self.seed, 2, position)
        make = {"pairs": self._pair, "clips": self._clip, "windows": self._latents}[self.kind]
        item = make(domain, clip, rng)
        item |= {"index": np.int32(row), "domain": np.int32(domain), "clip": np.int32(clip)}
        return item

    def _pair(self, domain: int, index: int, rng: np.random.Generator) -> dict[str, Any]:
        clip = self.sources[domain][index]
        usable = np.flatnonzero(clip.labels["valid"])
        source, *candidates = usable[rng.integers(len(usable), size=1 + _CANDIDATES)]
        driver = max(candidates, key=lambda k: difference(clip.labels, source, k))
        foreign = self.sources[domain][self._orders[domain].other(index, rng)]
        usable = np.flatnonzero(foreign.labels["valid"])
        chosen = {
            "source": (clip, source),
            "driver": (clip, driver),
            "other": (foreign, usable[rng.integers(len(usable))]),
        }
        item: dict[str, Any] = {}
        for name, (where, k) in chosen.items():
            item[name] = where.picture(k)
            item |= {f"{name}_{label}": where.labels[label][k] for label in _PAIR_LABELS}
        return item

    def _clip(self, domain: int, index: int, rng: np.random.Generator) -> dict[str, Any]:
        clip, length = self.sources[domain][index], self._length
        start = _start(len(clip), length, rng) if self._start is None else min(self._start, len(clip) - 1)
        at = np.arange(start, start + length)
        inside, at = at < len(clip), np.minimum(at, len(clip) - 1)
        pictures = {k: clip.picture(k) for k in np.unique(at)}
        item = {"frames": np.stack([pictures[k] for k in at])}
        item |= {name: value[at] for name, value in clip.labels.items()}
        item["valid"] = item["valid"] & inside
        item["audio"] = schema.fit_audio(clip.audio[start * schema.SAMPLES_PER_FRAME :], length)
        return item

    def _latents(self, domain: int, index: int, rng: np.random.Generator) -> dict[str, Any]:
        source, length = self.sources[domain], self._previous + self._window
        frames = source.frames(index)
        start = _start(len(frames), length, rng)
        at = frames[0] + start + np.arange(length)
        inside, at = at < frames[-1] + 1, np.minimum(at, frames[-1])
        arrays = source.arrays
        item = {"motion": arrays["motion"][at], "mouth": arrays["mouth"][at], "valid": arrays["valid"][at] & inside}
        sound = arrays["audio"][at[0] * schema.SAMPLES_PER_FRAME : (frames[-1] + 1) * schema.SAMPLES_PER_FRAME]
        item["audio"] = schema.fit_audio(sound.astype(np.float32) / 32767, length)
        weights = item["valid"][self._previous :].astype(np.float32) + 1e-6
        for name in ("gaze", "distance", "emotion"):
            item[name] = np.average(arrays[name][at[self._previous :]], axis=0, weights=weights).astype(np.float32)
        item["distance"] = ((item["distance"] - arrays["distance_mean"]) / arrays["distance_std"]).astype(np.float32)
        return item


class LatentSplit:
    """One split of a latents cache (`data_pipelines.prepare.latents`), in memory.

    Attributes:
      arrays: those of the file, frames of all clips one after another.
      speakers, clip_ids: one entry a clip of the split.
    """

    def __init__(self, path: pathlib.Path, split: str):
        command = "python -m experiments.prepare --stage=latents --input=DATA --checkpoint=DIR"
        command += f" --name={path.stem} --output={path.parent}"
        if not path.exists():
            raise InputError(f"{path}: no latents there; make them with: {command}")
        try:
            with np.load(path) as file:
                self.arrays = {name: file[name] for name in file.files}
            chosen = np.flatnonzero(self.arrays["split"] == split)
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise InputError(f"{path}: not a latents cache ({error}); make it again with: {command}") from error
        if not len(chosen):
            raise InputError(f"{path}: no split {split!r}; it has {', '.join(np.unique(self.arrays['split']))}")
        self._clips = chosen
        self.speakers = self.arrays["speaker"][chosen].tolist()
        self.clip_ids = self.arrays["clip_id"][chosen].tolist()

    def __len__(self) -> int:
        return len(self._clips)

    def frames(self, index: int) -> range:
        """Where the frames of a clip lie in the arrays."""
        first, end = self.arrays["offsets"][self._clips[index] : self._clips[index] + 2]
        return range(int(first), int(end))


def difference(labels: Mapping[str, np.ndarray], a: int, b: int) -> float:
    """How much two frames differ in mouth, lids and pose; each term is about 1 for a clear change.

    Lids count three times: a blink takes few frames, and a face that has been seen to blink rarely cannot.
    """
    mouth = np.abs(labels["mouth"][a] - labels["mouth"][b]) @ np.asarray([10.0, 1.5])
    lids = np.abs(labels["lids"][a] - labels["lids"][b]).mean()
    pose = np.abs(labels["pose"][a] - labels["pose"][b])
    return float(mouth + 3 * lids + 3 * pose[:3].sum() + 3 * pose[3:5].sum())


def _latents_path(data_dir: str, name: str) -> pathlib.Path:
    path = pathlib.Path(data_dir) / f"{name}.npz"
    return path if path.exists() or path.parent.name == "latents" else path.parent / "latents" / path.name


def _config_of_size(size: int | None) -> str | None:
    if size is None:
        return None
    for name, resolution in schema.RESOLUTIONS.items():
        if schema.stored_size(resolution) == size:
            return name
    known = ", ".join(str(schema.stored_size(r)) for r in schema.RESOLUTIONS.values())
    raise UsageError(f"clip stream: no pictures of {size} px are stored; sizes are {known}")


def _start(available: int, length: int, rng: np.random.Generator) -> int:
    return int(rng.integers(max(available - length, 0) + 1))
