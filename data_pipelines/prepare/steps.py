"""The work on one source, the same under every runner: into stretches, each processed and kept on disk."""

import dataclasses
import errno
import pathlib
import resource
import time

from data_pipelines.prepare import backends, process, staging, stretches, tracking
from data_pipelines.prepare.networks import FrameNetwork, NetworkFiles
from data_pipelines.prepare.source import Source
from vasa_jax.errors import InputError

FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the quota is used up", errno.EFBIG: "a file became too large"}


@dataclasses.dataclass(frozen=True)
class Job:
    """What to do with every source; sent to the processes that do it.

    Attributes:
      staging: folder of the results.
      tracker: which tracker to make.
      options: how clips are made.
      networks: whose labels replace those of the landmarks.
    """

    staging: pathlib.Path
    tracker: backends.Spec
    options: process.Options
    networks: NetworkFiles = NetworkFiles()

    def made_from(self, stretch: Source) -> str:
        """Fingerprint of the result of a stretch."""
        networks = {kind: entry["sha256"] for kind, entry in self.networks.state().items()}
        return staging.fingerprint(stretch, f"{self.options} {self.tracker.state(stretch.name)} {networks}")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a source, in numbers: clips, entries dropped, whether it had been done before.

    Attributes:
      peak_mb: the most memory that the process has held so far.
      cpu_seconds: that the source took.
    """

    name: str
    clips: int
    dropped: int
    old: bool
    peak_mb: float = 0.0
    cpu_seconds: float = 0.0


class Worker:
    """Does a job; makes the tracker and opens the networks when they are first needed."""

    def __init__(self, job: Job):
        self._job = job
        self._tracker: tracking.FaceTracker | None = None
        self._networks: list[FrameNetwork] = []

    def do(self, source: Source) -> Outcome:
        """Processes what is not yet there.

        Raises:
          InputError: the tracker cannot be made, a network not be opened, or the disk is full. Never for a bad video.
        """
        clips = dropped = 0
        old, started = True, time.process_time()
        for stretch in stretches.split(source):
            made_from = self._job.made_from(stretch)
            summary = staging.read_summary(self._job.staging, stretch, made_from)
            if summary is None:
                old = False
                summary = self._process(stretch, made_from)
            clips += len(summary["clips"])
            dropped += len(summary["dropped"])
        return Outcome(source.name, clips, dropped, old, peak_memory(), time.process_time() - started)

    def _process(self, stretch: Source, made_from: str) -> dict:
        if self._tracker is None:
            self._tracker = self._job.tracker.make()
            self._networks = self._job.networks.open()
        try:
            processed = process.process(stretch, self._tracker, self._job.options, self._networks)
            return staging.write(self._job.staging, stretch, processed, made_from)
        except OSError as error:
            raise disk_error(error, self._job.staging) from error

    def close(self) -> None:
        """Closes the tracker, lets go of the networks."""
        if self._tracker is not None:
            self._tracker.close()
            self._tracker, self._networks = None, []


def disk_error(error: OSError, folder: pathlib.Path) -> InputError:
    """What to say when something could not be written."""
    what = FULL.get(error.errno or 0, error.strerror or str(error))
    return InputError(f"{folder}: {what}; make room and run the same command again: it goes on where it was")


def peak_memory() -> float:
    """The most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
