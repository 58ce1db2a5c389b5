"""All of `vasa-prepare` but its flags: sources, work, records, report.

    OUTPUT/.staging-NAME-CONFIG/   results of single sources, until the data set is complete
    OUTPUT/NAME/CONFIG/VERSION/    shards, manifest.json, quality.json, quality.html, sheets/SPEAKER.jpg
    OUTPUT/quality.json, .html     copies of the last run's

Killed at any moment and run again, it goes on where it was, and the shards come out the same, byte by byte.
"""

import contextlib
import dataclasses
import fcntl
import os
import pathlib
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tqdm

from data_pipelines import datasets, records, requirements
from data_pipelines.prepare import backends, local, results, shard_manifest, staging
from data_pipelines.prepare.networks import NetworkFiles
from data_pipelines.prepare.process import Options
from data_pipelines.prepare.source import Source
from data_pipelines.prepare.steps import FULL, Job, Outcome, disk_error, peak_memory
from vasa_jax import files
from vasa_jax.errors import InputError

BEAM_RUNNERS = {
    "direct": "DirectRunner",
    "flink": "FlinkRunner",
    "spark": "SparkRunner",
    "dataflow": "DataflowRunner",
}
_STORING = "storing"  # stands in the staging folder while the data set may be there without its report
_SHUFFLED_IN_MEMORY = 128 << 20  # bytes; TFDS would take 1 GB before it turns to files
_SPACE = 2.2  # of the staged results' size: TFDS shuffles through temporary files beside the shards


@dataclasses.dataclass(frozen=True)
class Request:
    """What to make.

    Attributes:
      name, config: of the data set.
      videos: its folder, or a list of videos.
      output: where the data set goes.
      tracker, options: see there.
      networks: files of those whose labels replace those of the landmarks.
      runner: "local" or one of BEAM_RUNNERS.
      processes: of the local runner.
      runner_flags: for Beam.
      overwrite: make a data set again that exists.
      keep_staging: leave the results of single sources, so that making it again with more videos takes less time.
    """

    name: str
    config: str
    videos: str
    output: pathlib.Path
    tracker: backends.Spec
    options: Options
    runner: str = "local"
    processes: int = 1
    runner_flags: Sequence[str] = ()
    overwrite: bool = False
    keep_staging: bool = False
    networks: NetworkFiles = NetworkFiles()


def prepare(request: Request) -> dict[str, Any]:
    """Does all of it; returns the report.

    Raises:
      InputError: a folder, file or package is missing, nothing is of use, or the disk is full.
    """
    sources = datasets.find_sources(request.name, request.videos)  # complains before trackers are loaded
    requirements.check_writing()
    request.tracker.make().close()
    request.networks.open()  # wrong files are refused before the work begins; each worker opens its own
    run_beam = None if request.runner == "local" else _beam()
    folder = pathlib.Path(request.output, request.name, request.config)
    staged = request.output / f".staging-{request.name}-{request.config}"
    job = Job(staged, request.tracker, request.options, request.networks)
    if list(folder.glob("[0-9]*")) and not request.overwrite and not (job.staging / _STORING).exists():
        raise InputError(f"{folder}: exists; use it, or give --overwrite to make it again")
    watch = _Watch(len(sources))
    try:
        job.staging.mkdir(parents=True, exist_ok=True)
        with _alone(job.staging):
            staging.sweep(job.staging)
            if run_beam is None:
                with watch.bar():
                    local.run(sources, job, request.processes, watch.see)
            else:
                run_beam(sources, job, [f"--runner={BEAM_RUNNERS[request.runner]}", *request.runner_flags])
            report = _store(request, job, sources)
    except OSError as error:
        raise disk_error(error, request.output) from error
    if not request.keep_staging:
        shutil.rmtree(job.staging)
    return report | watch.report()


def _store(request: Request, job: Job, sources: Sequence[Source]) -> dict[str, Any]:
    """Staged results to shards, quality.json and the pages."""
    found = results.Results(job, sources)
    kept = list(found.kept())
    if not kept:
        shutil.rmtree(job.staging)
        with contextlib.suppress(OSError):  # something else is in it
            request.output.rmdir()
        _, first = next(found.dropped())
        raise InputError(
            f"{request.videos}: none of {len(sources)} videos is of use; the first: {first.clip}: {first.reason}"
        )
    _check_space(request.output, job.staging)
    (job.staging / _STORING).touch()
    folder = _build(request, found)
    quality = found.quality()
    counts = quality["splits"]
    _check_counts(folder, counts)
    from data_pipelines.prepare import quality_page, sheets

    sheets.write(folder / "sheets", found)
    page = quality_page.render(f"{request.name}, {request.config}", quality, found)
    for place in (request.output, folder):
        files.write_json(place / "quality.json", quality)
        with files.replacing(place / "quality.html") as temporary:
            temporary.write_text(page, encoding="utf-8")
    (job.staging / _STORING).unlink()
    return {"data_set": os.fspath(folder), "examples": counts} | {
        "kept": len(quality["kept"]),
        "dropped": len(quality["dropped"]),
        "reasons": quality["reasons"],
    }


def _build(request: Request, found: results.Results) -> pathlib.Path:
    """Writes the shards with TFDS; returns the version folder."""
    import tensorflow as tf
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core import shuffle

    tfds.disable_progress_bar()
    shuffle.MAX_MEM_BUFFER_SIZE = _SHUFFLED_IN_MEMORY
    _allow_open_files()
    parent = pathlib.Path(request.output, request.name, request.config)
    for left in parent.glob("incomplete.*"):  # of a run that was killed here; we are alone
        shutil.rmtree(left)
    bar = tqdm.tqdm(total=len(found.sources), desc="store", unit="file", mininterval=1, disable=None)

    def produce(source: Source) -> Any:
        bar.update()
        return found.produce(source)

    builder = datasets.builder(
        request.name, produce=produce, sources=found.sources, config=request.config, data_dir=os.fspath(request.output)
    )
    mode = tfds.GenerateMode.REUSE_CACHE_IF_EXISTS  # replaces a data set that is there: `prepare` has asked
    config = tfds.download.DownloadConfig(manual_dir=request.videos, download_mode=mode)
    try:
        with bar, tempfile.TemporaryDirectory() as downloads:  # TFDS wants one; nothing is downloaded
            builder.download_and_prepare(download_dir=downloads, download_config=config)
    except (tf.errors.OpError, RuntimeError) as error:  # of TensorFlow's files, and of ArrayRecord's
        if isinstance(error, RuntimeError) and not any(os.strerror(code) in str(error) for code in FULL):
            raise
        reason = f"{_why(error)}; make room and run the same command again: it goes on where it was"
        raise InputError(f"{request.output}: {reason}") from error
    return pathlib.Path(builder.data_dir)


def _why(error: Exception) -> str:
    """Which of the reasons for which nothing can be written it was, else what it says."""
    known = (text for code, text in FULL.items() if os.strerror(code) in str(error))
    return next(known, f"cannot be written ({getattr(error, 'message', error)})")


def _allow_open_files() -> None:
    """TFDS shuffles through a thousand files at once, about what a process may have open by default."""
    usual, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(usual, 8192), most), most))


def _check_counts(folder: pathlib.Path, counts: dict[str, int]) -> None:
    """Every clip that was kept must be in the shards: full disks and bad ones lose records without a word."""
    shard_manifest.check(folder)
    for split, count in counts.items():
        stored = len(records.RecordSplit(folder, split))  # leaves its index beside the shards
        if stored != count:
            shutil.rmtree(folder)
            raise InputError(f"{folder}: {split} holds {stored} of {count} clips; make room on the disk and run again")


def _check_space(output: pathlib.Path, staged: pathlib.Path) -> None:
    size = sum(path.stat().st_size for path in staged.rglob("*.npz"))
    free = shutil.disk_usage(output).free
    if free < _SPACE * size:
        raise InputError(
            f"{output}: the disk is too full: {free / 1e9:.2f} GB free, about {_SPACE * size / 1e9:.2f} GB needed; "
            "make room and run the same command again: it goes on where it was"
        )


def _beam() -> Callable[..., None]:
    try:
        from data_pipelines.prepare import beam_steps
    except ImportError as error:
        raise InputError(
            f"--runner other than local needs the package apache-beam ({error}); docs/prepare.md says how to install it"
        ) from error
    return beam_steps.run


@contextlib.contextmanager
def _alone(folder: pathlib.Path) -> Iterator[None]:
    """Holds the folder for this process; gone with it, however it ends."""
    with open(folder / "lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{folder}: another run is at work here; wait for it, or stop it") from None
        yield


class _Watch:
    """The progress bar, and what the report says of speed and memory."""

    def __init__(self, total: int):
        self._bar = tqdm.tqdm(total=total, desc="prepare", unit="file", mininterval=1, disable=None)
        self._started = time.monotonic()
        self._new = self._clips = self._dropped = self._old = 0
        self._peak = self._cpu = 0.0

    @contextlib.contextmanager
    def bar(self) -> Iterator[None]:
        """Shows the bar, and stops the clock behind it."""
        self._started = time.monotonic()
        with self._bar:
            yield
        self._seconds = time.monotonic() - self._started

    def see(self, outcome: Outcome) -> None:
        """Counts an outcome."""
        self._clips += outcome.clips
        self._dropped += outcome.dropped
        self._old += outcome.old
        self._new += 0 if outcome.old else outcome.clips
        self._cpu += outcome.cpu_seconds
        self._peak = max(self._peak, outcome.peak_mb)
        rate = self._new / max(time.monotonic() - self._started, 1e-3)
        self._bar.set_postfix_str(f"{self._clips} clips, {rate:.1f} clips/s, {self._dropped} dropped", refresh=False)
        self._bar.update()

    def report(self) -> dict[str, Any]:
        """Speed of what was newly done, and the most memory of this process and of any worker."""
        seconds = getattr(self, "_seconds", None)
        return {
            "seconds": seconds,
            "clips_per_second": self._new / seconds if seconds else None,
            "cpu_seconds_per_clip": self._cpu / self._new if self._new else None,
            "sources_done_before": self._old,
            "peak_memory_mb": {"main": peak_memory(), "worker": self._peak or None},
        }
