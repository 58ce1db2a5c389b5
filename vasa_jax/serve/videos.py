"""Jobs: a portrait and a recording become a signed file. One at a time, and never before a live session's window."""

import dataclasses
import logging
import queue
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from vasa_jax.errors import UserError
from vasa_jax.serve.settings import Settings

QUEUED, RUNNING, DONE, FAILED, CANCELLED = "queued", "running", "done", "failed", "cancelled"
_ENDED = (DONE, FAILED, CANCELLED)
_PATIENCE = 0.5  # seconds that a frame waits for live sessions at most, so that it comes to its end all the same


class Full(Exception):
    """As many videos wait as may."""


class _Cancelled(Exception):
    pass


@dataclasses.dataclass
class Job:
    """One video; `state`, `progress` 0..1 and `error` are what a client sees."""

    portrait: UInt8[np.ndarray, "h w 3"] | None
    audio: Path
    controls: dict[str, Any]
    file: Path
    id: str = dataclasses.field(default_factory=lambda: uuid.uuid4().hex)
    state: str = QUEUED
    progress: float = 0.0
    error: str | None = None
    cancelled: bool = False

    def seen(self) -> dict[str, Any]:
        """For clients."""
        return {"id": self.id, "state": self.state, "progress": round(self.progress, 4), "error": self.error}


class Videos:
    """The jobs of a server.

    Args:
      face: makes the videos.
      settings: limits, and the folder.
      pressed: whether live sessions wait for the device.
    """

    def __init__(self, face: Any, settings: Settings, pressed: Callable[[], bool] = lambda: False) -> None:
        self._face, self._settings, self._pressed = face, settings, pressed
        self._jobs: dict[str, Job] = {}
        self._lock, self._stopped = threading.Lock(), False
        self._waiting: queue.Queue[Job | None] = queue.Queue()
        self._thread = threading.Thread(target=self._work, name="videos", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Cancels all."""
        self._stopped = True
        for job in list(self._jobs.values()):
            job.cancelled = True
        self._waiting.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def room(self) -> bool:
        """Whether one more may wait."""
        return sum(job.state == QUEUED for job in list(self._jobs.values())) < self._settings.queued

    def add(self, portrait: UInt8[np.ndarray, "h w 3"], audio: Path, controls: dict[str, Any]) -> Job:
        """A job that waits for its turn; it owns `audio` from now on.

        Raises:
          Full: too many wait.
        """
        job = Job(portrait, audio, controls, self._settings.folder / f"{uuid.uuid4().hex}.mp4")
        with self._lock:
            if not self.room():
                raise Full
            self._forget()
            self._jobs[job.id] = job
        self._waiting.put(job)
        return job

    def find(self, id: str) -> Job | None:
        """The job of that name."""
        return self._jobs.get(id)

    def cancel(self, job: Job) -> None:
        """Stops it, or deletes its file."""
        job.cancelled = True
        if job.state in (QUEUED, DONE):
            job.state = CANCELLED
            self._clear(job)
            job.file.unlink(missing_ok=True)

    def _forget(self) -> None:
        """The oldest that have ended, so that the folder does not grow for ever."""
        ended = [job for job in self._jobs.values() if job.state in _ENDED]
        for job in ended[: max(0, len(ended) - self._settings.kept + 1)]:
            job.file.unlink(missing_ok=True)
            del self._jobs[job.id]

    def _clear(self, job: Job) -> None:
        job.audio.unlink(missing_ok=True)
        job.portrait = None

    def _work(self) -> None:
        while (job := self._waiting.get()) is not None and not self._stopped:
            if job.cancelled:
                continue
            job.state = RUNNING
            try:
                self._make(job)
                job.state, job.progress = DONE, 1.0
            except _Cancelled:
                job.state = CANCELLED
            except UserError as error:
                job.state, job.error = FAILED, " ".join(str(error).replace(str(job.audio), "the audio").split())
            except Exception as error:
                logging.exception("a video failed")
                job.state, job.error = FAILED, f"the server failed ({type(error).__name__})"
            finally:
                self._clear(job)
                if job.cancelled:
                    job.state = CANCELLED
                    job.file.unlink(missing_ok=True)

    def _make(self, job: Job) -> None:
        def progress(done: int, frames: int) -> None:
            job.progress = 0.99 * done / frames
            end = time.monotonic() + _PATIENCE
            while not job.cancelled and self._pressed() and time.monotonic() < end:
                time.sleep(0.005)
            if job.cancelled:
                raise _Cancelled

        video = self._face.animate(job.portrait, job.audio, **job.controls)
        video.save(job.file, progress=progress)
