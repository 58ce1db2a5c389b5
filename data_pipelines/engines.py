"""Engines: how the batches of successive steps are prepared ahead of their use.

A batch is a pure function of its step, so an engine only decides who calls that function, and when. All engines give
the same batches in the same order, and all that has to be kept of an iterator is one integer, the next step.

  tf.data  a map over a range of steps, run in TensorFlow's own threads;
  grain    the same for machines without TensorFlow (package grain, which needs neither TensorFlow nor JAX);
  threads  a thread pool of the standard library, where neither package is installed.

Decoding and reading hold no lock of Python's, so threads serve.
"""

import collections
import concurrent.futures
from collections.abc import Callable, Iterator

import numpy as np

from data_pipelines import requirements
from vasa_jax.errors import InputError, UsageError

Batch = dict[str, np.ndarray]
Load = Callable[[int], Batch]
"""Step -> batch; called from several threads at once."""

_PACKAGES = {"tf.data": "tensorflow", "grain": "grain", "threads": None}
_HINTS = {"tf.data": "tensorflow-cpu", "grain": "grain"}
ENDLESS = 1 << 62
AHEAD = 2
"""Batches prepared ahead, per thread."""


def available() -> list[str]:
    """The engines whose package is installed, the default one first."""
    return [name for name, package in _PACKAGES.items() if package is None or requirements.installed(package)]


def choose(name: str) -> str:
    """The engine of a name; "auto" is the first available one.

    Raises:
      UsageError: no such engine.
      InputError: its package is not installed.
    """
    if name == "auto":
        return available()[0]
    if name not in _PACKAGES:
        raise UsageError(f"clip stream: unknown engine {name!r}; it is auto, {', '.join(_PACKAGES)}")
    if name not in available():
        raise InputError(
            f"engine {name} needs the package {_PACKAGES[name]}: pip install {_HINTS[name]}, or choose "
            f"another engine ({', '.join(available())}); the batches are the same"
        )
    return name


def iterate(name: str, load: Load, start: int = 0, stop: int | None = None, threads: int = 2) -> Iterator[Batch]:
    """The batches of start, start + 1, ... (to stop, exclusive; endless if None), prepared ahead by the named engine.

    What `load` raises for a step is raised here when that step's turn has come.
    """
    run = {"tf.data": _tf_data, "grain": _grain, "threads": _threads}[choose(name)]
    return run(load, start, ENDLESS if stop is None else stop, threads)


def _attempt(load: Load, step: int) -> Batch | Exception:
    """The batch of a step, or what its making raised: engines change or lengthen the errors that pass through them."""
    try:
        return load(step)
    except Exception as error:
        return error


def _batch(outcome: Batch | Exception) -> Batch:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _tf_data(load: Load, start: int, stop: int, threads: int) -> Iterator[Batch]:
    import tensorflow as tf

    tf.config.set_visible_devices([], "GPU")  # the accelerators are JAX's
    # TensorFlow decides when a step is prepared and hands on its number only: batches would be copied twice on the
    # way through its tensors, and errors would arrive as their text.
    done: dict[int, Batch | Exception] = {}

    def prepare(step: np.ndarray) -> np.ndarray:
        done[int(step)] = _attempt(load, int(step))
        return step

    dataset = tf.data.Dataset.range(start, stop).map(
        lambda step: tf.numpy_function(prepare, [step], tf.int64, stateful=False),
        num_parallel_calls=threads,
        deterministic=True,
    )
    options = tf.data.Options()
    options.threading.private_threadpool_size = threads
    for step in dataset.with_options(options).prefetch(AHEAD * threads).as_numpy_iterator():
        yield _batch(done.pop(int(step)))


def _grain(load: Load, start: int, stop: int, threads: int) -> Iterator[Batch]:
    import grain

    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=AHEAD * threads)
    steps = grain.MapDataset.range(start, stop)
    for outcome in steps.map(lambda step: _attempt(load, int(step))).to_iter_dataset(options):
        yield _batch(outcome)


def _threads(load: Load, start: int, stop: int, threads: int) -> Iterator[Batch]:
    pool = concurrent.futures.ThreadPoolExecutor(threads, thread_name_prefix="clips")
    waiting: collections.deque[concurrent.futures.Future] = collections.deque()
    try:
        for step in range(start, stop):
            waiting.append(pool.submit(load, step))
            if len(waiting) > AHEAD * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
