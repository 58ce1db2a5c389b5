"""A command that is stopped in odd places: `python -m tests.experiments.stopping_child PLACE FOLDER`.

Says "ready" when it is there. Prints "went on" if the stop got lost.
"""

import atexit
import hashlib
import sys
import time
from pathlib import Path

from experiments.common import app
from vasa_jax import files


class Callback:
    """As libraries do it: an exception in here is printed and forgotten."""

    def __del__(self):
        print("ready", flush=True)
        for _ in range(100):
            time.sleep(0.01)


def end() -> None:
    """What the interpreter does last."""
    print("ready", flush=True)
    time.sleep(1)


def place(name: str, folder: Path) -> None:
    if name == "done":
        atexit.register(end)
        return
    with files.replacing(folder / "made") as temporary:
        temporary.write_text("half")
        if name == "callback":
            Callback()  # goes at once
            for _ in range(1000):
                time.sleep(0.01)
        elif name == "native":
            print("ready", flush=True)
            hashlib.pbkdf2_hmac("sha256", b"x", b"y", 1 << 28)  # minutes without a look at signals
        elif name == "swallowed":
            try:
                print("ready", flush=True)
                time.sleep(10)
            except BaseException:
                pass
            time.sleep(10)
        elif name == "changed":
            try:
                print("ready", flush=True)
                time.sleep(10)
            except BaseException as error:
                raise RuntimeError("compiling failed") from error
        else:
            try:
                print("ready", flush=True)
                time.sleep(10)
            finally:
                time.sleep(0.5)  # cleaning up that is not to be disturbed
                (folder / "cleaned").touch()
    print("went on", flush=True)


if __name__ == "__main__":
    name, folder, *code = sys.argv[1:]
    sys.argv = sys.argv[:1]
    app.run(lambda: place(name, Path(folder)), preempted=int(code[0]) if code else None)
