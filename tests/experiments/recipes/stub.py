"""A command for tests: `python -m tests.experiments.recipes.stub --output=FILE [--fails=FILE] [--waits=true] [--x=N]`.

Appends a line to FILE. Fails while the file `fails` exists; waits to be ended where it is told to, and saves then.
"""

import signal
import sys
import time
from pathlib import Path


def main(words: list[str]) -> int:
    given = dict(word.removeprefix("--").split("=", 1) for word in words)
    output = Path(given["output"])
    if Path(given.get("fails") or "/nowhere").exists():
        print("error: the disk is full; make room")
        return 3
    if given.get("waits") and not output.exists():

        def save(number, frame):
            output.write_text("saved\n")
            sys.exit(42)

        signal.signal(signal.SIGTERM, save)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        output.with_suffix(".ready").touch()
        time.sleep(60)
    with open(output, "a", encoding="utf-8") as file:
        file.write("made\n")
    if "report" in given:
        Path(given["report"]).parent.mkdir(parents=True, exist_ok=True)
        Path(given["report"]).write_text('{"scores": {"mouth": 0.5}}')
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
