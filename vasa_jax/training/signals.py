"""SIGTERM and Ctrl-C as a question that the loop asks after every step."""

import contextlib
import signal
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Yields `asked()`. Further SIGTERMs change nothing: the save that the first one asked for is finished. The second
    Ctrl-C interrupts at once; what was being saved then stays under its temporary name and does not count.
    """
    asked = []

    def ask(number, frame):
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked.append(number)

    try:
        before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    except ValueError:  # not the main thread: nobody to ask
        before = {}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
