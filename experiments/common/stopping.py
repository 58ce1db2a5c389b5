"""Signals that end a command: Ctrl-C, TERM and HUP unwind it, so that nothing half-made stays, at whatever moment.

    stop = Stop()
    try:
        with stop:
            work()
    except BaseException:
        if stop.number is None:
            raise

Python raises KeyboardInterrupt wherever the main thread happens to be. In a callback of a library it is printed and
forgotten; while a compiler works it comes minutes late. So the exception is raised again until it is on its way, and a
thread ends the process where the main one does not come back from native code.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PREEMPTED = 42  # of vasa_jax.errors, which is not imported before it must
_AGAIN = 0.2  # seconds until a stop that got lost is raised again
_PATIENCE = 3.0  # seconds that the main thread may stay in native code
_UNWINDING = 10.0  # seconds after which a second signal ends at once


class Stopped(KeyboardInterrupt):
    """A signal asked the command to end; `number` says which."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.number = number


def from_the_start() -> None:
    """While a command of this project still imports what it needs, a signal just ends it: nothing is begun yet."""
    words = [os.path.basename(word) for word in sys.orig_argv[1:]]
    module = words[words.index("-m") + 1] if "-m" in words[:-1] else ""
    if not (module.startswith("experiments.") or any(word.startswith("vasa-") for word in words[:2])):
        return
    code = PREEMPTED if "experiments.train" in words or "vasa-train" in words[:2] else None
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, and jobs in the background of a script
            signal.signal(number, lambda number, _: leave(128 + number if code is None else code))


def leave(code: int) -> None:
    """Ends the process at once, without a word of the interpreter."""
    with contextlib.suppress(OSError):
        os.write(2, b"interrupted\n")
    os._exit(code)


class Stop:
    """While it is entered, the first signal raises `Stopped` in the main thread, as often as it takes.

    Args:
      code: exit code; None: 128 + the signal's number, as shells have it.
      clean: called before the process is ended from a thread, because the main one is stuck.

    Attributes:
      number: of the signal that came; None: none did.
    """

    def __init__(self, code: int | None = None, clean: Any = lambda: None):
        self.number: int | None = None
        self._code, self._clean = code, clean
        self._before: dict[int, Any] = {}
        self._since = 0.0
        self._raised = False

    @property
    def code(self) -> int:
        return self._code if self._code is not None else 128 + (self.number or signal.SIGINT)

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            return self
        self._hook, sys.unraisablehook = sys.unraisablehook, self._unraisable
        self._alarm = signal.signal(signal.SIGALRM, self._remind)
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, args=(self._read,), daemon=True, name="stopping").start()
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._come)
        return self

    def __exit__(self, *_: Any) -> None:
        if not hasattr(self, "_alarm"):
            return
        self._raised = True  # from here on nothing is raised
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.signal(signal.SIGALRM, self._alarm)
        signal.set_wakeup_fd(self._wakeup)
        sys.unraisablehook = self._hook
        os.close(self._write)  # ends the thread

    def _come(self, number: int, frame: FrameType | None) -> None:
        if self.number is None:
            self.number, self._since = number, time.monotonic()
        elif self._under_way():
            if time.monotonic() - self._since > _UNWINDING:
                self._clean()
                leave(self.code)
            return
        self._raise()

    def _remind(self, number: int, frame: FrameType | None) -> None:
        if self.number is None:
            return
        if self._under_way():
            signal.setitimer(signal.ITIMER_REAL, _AGAIN)
        else:
            self._raise()

    def _raise(self) -> None:
        self._raised = True
        signal.setitimer(signal.ITIMER_REAL, _AGAIN)
        raise Stopped(self.number)

    def _under_way(self) -> bool:
        """Whether the code that runs cleans up after `Stopped`."""
        error = sys.exception()
        while error is not None and not isinstance(error, Stopped):
            error = error.__context__
        return error is not None

    def _unraisable(self, what: Any) -> None:
        if not isinstance(what.exc_value, Stopped):  # else it was lost in a callback; it comes again
            self._hook(what)

    def _watch(self, pipe: int) -> None:
        with os.fdopen(pipe, "rb", buffering=0) as signals:
            while came := signals.read(1):
                if came[0] in self._before and signal.getsignal(came[0]) == self._come:
                    self._wait(came[0])

    def _wait(self, number: int) -> None:
        end = time.monotonic() + _PATIENCE
        while not self._raised:
            if time.monotonic() > end:
                self.number = self.number or number
                self._clean()
                leave(self.code)
            time.sleep(0.05)
