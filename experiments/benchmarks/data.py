"""Suite `data`: does the clip stream keep up?

  decoders   time of one stored image with each library, and whether they give the same bits
  pairs      stage 1's batches as a share of bare decoding of the same JPEG bytes: with records in memory, from disk,
             and from disk with each clip used eight times while it is in memory (`reuse`)
  clips      25 successive frames with audio, likewise
  windows    stage 2's windows from cached latents, frames a second (those of the window, not those before it)
  log_mel    what the audio features of such a batch cost when they are not cached
  data_wait  share of the step time that training runs spent waiting for data, from their metrics.jsonl

Bare decoding is the same decoder in a loop, in as many threads as the stream has, over the very images of the
batches measured beside it, already in memory: what is left to lose is order, reading, labels and stacking.
"""

import concurrent.futures
import json
import pathlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from data_pipelines import order
from experiments.common import timing
from vasa_jax.errors import InputError

Options = dict[str, Any]
_CLIP_LENGTH = 25
_STATES = {
    "in_memory": {"cache_bytes": 8 << 30},  # filled by the rounds before
    "from_disk": {"cache_bytes": 0},
    "from_disk_reused": {"cache_bytes": 512 << 20, "reuse": 8},
}
_SHARD_BYTES = 16 << 20  # of a shard, hashed for the time of --checksums


def run(options: Options) -> dict[str, Any]:
    """Measures what there is data for; the rest says why it was not run.

    Raises:
      InputError: nothing can be measured, or a training run cannot be read.
    """
    from data_pipelines import engines

    names = [engines.choose(name) for name in options["engines"]] or engines.available()
    report: dict[str, Any] = {
        "threads": options["threads"],
        "engines": names,
        "rounds": options["rounds"],
        "compared_with": "bare decoding of the same JPEG bytes, in as many threads, in the same run",
        "data_wait": {name: data_wait(pathlib.Path(name)) for name in options["workdirs"]},
    }
    parts: dict[str, Callable[[], Any]] = {
        "decoders": lambda: decoders(options),
        "records": lambda: reading(options),
        "pairs": lambda: images(options, names, "pairs"),
        "clips": lambda: images(options, names, "clips"),
        "windows": lambda: windows(options, names),
        "log_mel": lambda: log_mel(options),
    }
    errors = []
    for name, part in parts.items():
        try:
            report[name] = part()
        except InputError as error:
            errors.append(error)
            report[name] = {"not_run": str(error)}
        else:
            print(f"{name}: {json.dumps(report[name])}", flush=True)
    if len(errors) == len(parts) and not report["data_wait"]:
        raise errors[0]
    return report


def decoders(options: Options) -> dict[str, Any]:
    """Milliseconds an image, one thread, of the libraries at hand; the project's one is `schema.decode_jpeg`."""
    import io

    from PIL import Image

    from data_pipelines import schema

    stored = [bytes(j) for j in _stream(options, "pairs").sources[0][0].jpeg]
    candidates = {
        "opencv (used)": schema.decode_jpeg,
        "pillow": lambda data: np.asarray(Image.open(io.BytesIO(data)).convert("RGB")),
    }
    jobs = {name: _loop(decode, stored) for name, decode in candidates.items()}
    laps = timing.in_turns(jobs, options["rounds"])
    first, second = ([decode(data) for data in stored] for decode in candidates.values())
    return {
        "bytes_per_picture": int(np.mean([len(data) for data in stored])),
        "same_bits": all(np.array_equal(a, b) for a, b in zip(first, second, strict=True)),
        **{name: timing.rate(laps[name]) for name in candidates},
    }


def reading(options: Options) -> dict[str, Any]:
    """Reading and parsing whole records from disk, one thread; and the SHA-256 of a shard."""
    import hashlib

    from data_pipelines import records

    source = _stream(options, "pairs").sources[0]
    numbers = range(min(24, len(source)))

    def read() -> int:
        for i in numbers:
            source._read(i)
        return len(numbers)

    raw = [source._readers[0].read([i])[0] for i in range(min(24, source._readers[0].num_records()))]
    piece = source._paths[0].read_bytes()[:_SHARD_BYTES]
    jobs = {
        "read_and_parse": lambda: timing.lap(read),
        "parse": _loop(records.parse_example, raw),
        "sha256": lambda: timing.lap(lambda: len(hashlib.sha256(piece).digest()) and len(piece)),
    }
    laps = timing.in_turns(jobs, options["rounds"])
    seconds = np.median([lap.wall / lap.items for lap in laps.pop("sha256")])
    return {
        "bytes_per_record": int(np.mean([len(data) for data in raw])),
        **{name: timing.rate(value) for name, value in laps.items()},
        "sha256_gigabytes_per_second": round(1e-9 / float(seconds), 3),
    }


def images(options: Options, names: list[str], kind: str) -> dict[str, Any]:
    """A stream that decodes, against bare decoding of the bytes of its first batches; see `_STATES`."""
    batch_size = options["batch_size"] if kind == "pairs" else max(options["batch_size"] // 4, 1)
    report: dict[str, Any] = {"batch_size": batch_size}
    for state, more in _STATES.items():
        engines = names if state == "in_memory" else names[:1]
        streams = {name: _stream(options, kind, batch_size, name, **more) for name in engines}
        stored = _stored_images(next(iter(streams.values())), options)
        goes_on = "reuse" in more  # from the start again, all its clips would be in memory
        runs = {name: StreamRun(stream, options, len(stored[0]), goes_on) for name, stream in streams.items()}
        jobs: dict[str, Callable] = {"bare": lambda stored=stored: timing.lap(lambda: _decode_all(stored, options))}
        laps = timing.in_turns(jobs | runs, options["rounds"])
        report["pictures_per_batch"] = len(stored[0])
        report[state] = {"bare": timing.rate(laps["bare"])} | {
            name: timing.rate(laps[name]) | timing.share(laps[name], laps["bare"]) | {"batch": run.batch_times()}
            for name, run in runs.items()
        }
        if "threads" in runs:  # engines beside each other in every round: what else the machine does falls out
            for name in set(runs) - {"threads"}:
                report[state][name]["beside_threads"] = timing.share(laps[name], laps["threads"])
    return report


def windows(options: Options, names: list[str]) -> dict[str, Any]:
    """Windows of a latents cache; frames a second counts the windows' own frames."""
    batch_size = 4 * options["batch_size"]
    streams = {name: _stream(options, "windows", batch_size, name) for name in names}
    window = next(iter(streams.values()))._window
    runs = {name: StreamRun(stream, options, batch_size * window) for name, stream in streams.items()}
    laps = timing.in_turns(runs, options["rounds"])
    return {"batch_size": batch_size, "window": window} | {
        name: timing.rate(laps[name]) | {"batch": run.batch_times()} for name, run in runs.items()
    }


def log_mel(options: Options) -> dict[str, Any]:
    """Log-mel features of one batch of windows, compiled, on this machine's first device."""
    import jax

    from vasa_jax.models.audio import log_mel as front_end

    @jax.jit
    def features(audio):
        power = front_end.mel_power(audio, 80)
        return front_end.features(power, front_end.speech_level(power))

    batch = _stream(options, "windows", 4 * options["batch_size"]).batch(0)["audio"]

    def work() -> int:
        features(batch).block_until_ready()
        return 1

    laps = timing.in_turns({"log_mel": lambda: timing.lap(work)}, 3 * options["rounds"])["log_mel"]
    return {"windows": len(batch), **timing.rate(laps), **timing.quantiles(lap.wall for lap in laps)}


def data_wait(workdir: pathlib.Path) -> dict[str, Any]:
    """Percent of the step time spent waiting for a batch: an upper bound of what data cost that run."""
    path = workdir / "metrics.jsonl"
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); give --workdir a training run") from error
    rows = [row for row in rows[1:] if "data_wait_percent" in row]  # the first report holds the compilation
    if not rows:
        raise InputError(f"{path}: no data_wait_percent in it; give --workdir a run of more than one report")
    percent = np.asarray([row["data_wait_percent"] for row in rows])
    rates = np.asarray([row["steps_per_second"] for row in rows])
    return {
        "percent_p50": round(float(np.median(percent)), 3),
        "percent_p95": round(float(np.quantile(percent, 0.95)), 3),
        "percent_mean": round(float(np.average(percent, weights=1 / rates)), 3),  # over steps as long as they took
        "steps_per_second_p50": round(float(np.median(rates)), 4),
        "reports": len(rows),
        "last_step": rows[-1]["step"],
    }


class StreamRun:
    """Consumes a stream; a call is one `Lap`. The engine's start and its queues' filling are not in it.

    Every call reads the same batches, or those that follow (`goes_on`).
    """

    def __init__(self, stream: Any, options: Options, items_per_batch: int, goes_on: bool = False):
        from data_pipelines import engines

        self._stream, self._steps, self._items = stream, options["steps"], items_per_batch
        self._ahead = engines.AHEAD * options["threads"] + options["threads"]
        self._laps: list[list[float]] = []
        self._next, self._goes_on = 0, goes_on
        for step in range(order.REUSED // stream.batch_size if goes_on else 0):  # fills the memory
            stream.batch(step)

    def __call__(self) -> timing.Lap:
        # As many batches follow the measured ones as are under way when the clock starts.
        stop = self._next + self._steps + 2 * self._ahead
        batches = self._stream.iterate(self._next, stop)
        for _ in range(self._ahead):
            next(batches)
        times: list[float] = []

        def work() -> int:
            for _ in range(self._steps):
                start = time.perf_counter()
                next(batches)
                times.append(time.perf_counter() - start)
            return self._steps * self._items

        lap = timing.lap(work)
        for _ in batches:
            pass
        self._laps.append(times)
        self._next = stop if self._goes_on else 0
        return lap

    def batch_times(self) -> dict[str, Any]:
        """How long the consumer waited for each batch, without the warm-up."""
        return timing.quantiles(seconds for times in self._laps[1:] for seconds in times)


def _stream(
    options: Options, kind: str, batch_size: int = 4, engine: str = "threads", cache_bytes: int = 0, reuse: int = 1
) -> Any:
    from data_pipelines.clips import ClipStream

    folder = options["latents"] or options["data"] if kind == "windows" else options["data"]
    return ClipStream(
        folder,
        {name: 1.0 for name in options["names"]},
        split=options["split"],
        kind=kind,
        batch_size=batch_size,
        config=options["config"],
        length=_CLIP_LENGTH,
        cache_bytes=cache_bytes,
        reuse=reuse,
        threads=options["threads"],
        engine=engine,
    )


def _stored_images(stream: Any, options: Options) -> list[list[bytes]]:
    """The JPEG bytes behind the first batches, as the stream itself asks for them."""
    batches, decode = [], stream.decode
    for step in range(options["steps"]):
        asked: list[bytes] = []
        stream.decode = lambda data, asked=asked: asked.append(bytes(data)) or decode(data)
        stream.batch(step)
        batches.append(asked)
    stream.decode = decode
    return batches


def _decode_all(stored: list[list[bytes]], options: Options) -> int:
    from data_pipelines import schema

    with concurrent.futures.ThreadPoolExecutor(options["threads"]) as pool:
        done = pool.map(lambda batch: len([schema.decode_jpeg(data) for data in batch]), stored)
        return sum(done)


def _loop(call: Callable[[Any], Any], values: list) -> Callable[[], timing.Lap]:
    def work() -> int:
        for value in values:
            call(value)
        return len(values)

    return lambda: timing.lap(work)
