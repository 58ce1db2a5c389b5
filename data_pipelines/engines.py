"""Engines: how the batches of successive steps are prepared ahead of their use.

A batch is a pure function of its step, so an engine only decides who calls that function, and when. All engines give
the same batches in the same order, and all that has to be kept of an iterator is one integer, the next step.

  tf.data  a range of steps, whose bytes are looked up, and then decoded and batched by TensorFlow (`tf_engine`);
  grain    the same for machines without TensorFlow (package grain, which needs neither TensorFlow nor JAX);
  threads  a thread pool of the standard library, where neither package is installed.

A step's rows are looked up (`rows`), and made a batch (`collate`). Decoding and reading hold no lock of Python's, so
threads serve.
"""

import collections
import concurrent.futures
from collections.abc import Callable, Iterator, Sequence

from data_pipelines import requirements, tf_engine
from data_pipelines.items import Batch, Item
from data_pipelines.tf_engine import AHEAD
from vasa_jax.errors import InputError, UsageError

Rows = Callable[[int], Sequence[Item]]
"""Step -> its items, images still stored; called from several threads at once."""
Collate = Callable[[Sequence[Item]], Batch]
_Load = Callable[[int], Batch]

_PACKAGES = {"tf.data": "tensorflow", "grain": "grain", "threads": None}
_HINTS = {"tf.data": "tensorflow-cpu", "grain": "grain"}
ENDLESS = 1 << 62


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


def iterate(
    name: str, rows: Rows, collate: Collate, start: int = 0, stop: int | None = None, threads: int = 2
) -> Iterator[Batch]:
    """The batches of start, start + 1, ... (to stop, exclusive; endless if None), prepared ahead by the named engine.

    What `rows` or `collate` raises for a step is raised here when that step's turn has come.
    """
    stop = ENDLESS if stop is None else stop
    if choose(name) == "tf.data":
        return tf_engine.iterate(rows, collate, start, stop, threads)
    return {"grain": _grain, "threads": _threads}[name](lambda step: collate(rows(step)), start, stop, threads)


def _attempt(load: _Load, step: int) -> Batch | Exception:
    """The batch of a step, or what its making raised: engines change or lengthen the errors that pass through them."""
    try:
        return load(step)
    except Exception as error:
        return error


def _batch(outcome: Batch | Exception) -> Batch:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _grain(load: _Load, start: int, stop: int, threads: int) -> Iterator[Batch]:
    import grain

    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=AHEAD * threads)
    steps = grain.MapDataset.range(start, stop)
    for outcome in steps.map(lambda step: _attempt(load, int(step))).to_iter_dataset(options):
        yield _batch(outcome)


def _threads(load: _Load, start: int, stop: int, threads: int) -> Iterator[Batch]:
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
