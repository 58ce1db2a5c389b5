"""SIGTERM, SIGHUP and Ctrl-C as a question that the loop asks after every step."""

import contextlib
import signal
from collections.abc import Callable, Iterator

import jax
from jax.experimental import multihost_utils


@contextlib.contextmanager
def stop_requests() -> Iterator[Callable[[int], bool]]:
    """Yields `asked(step)`.

    One process: further SIGTERMs and SIGHUPs change nothing, the save that the first one asked for is finished. The
    second Ctrl-C interrupts at once; what was being saved then stays under its temporary name and does not count.
    Several processes: JAX's own service takes SIGTERM, sent to any of them, and all are told at the same step.
    """
    if jax.process_count() > 1:
        yield multihost_utils.reached_preemption_sync_point
        return
    asked: list[int] = []

    def ask(number, frame):
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked.append(number)

    try:
        wanted = [signal.SIGTERM, signal.SIGINT]
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # of nohup
            wanted.append(signal.SIGHUP)
        before = {number: signal.signal(number, ask) for number in wanted}
    except ValueError:  # not the main thread: nobody to ask
        before = {}
    try:
        yield lambda step: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
