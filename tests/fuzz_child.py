"""Reads mutated files one after the other: `python -m tests.fuzz_child FILE FOLDER FIRST COUNT SECONDS`.

Prints one JSON line a file: seed, outcome ("used", "noted" or "refused"), seconds of processor time, what was said. A
traceback ends it, and so does a file that takes longer (SIGPROF), or more memory than is allowed.
"""

import json
import resource
import signal
import sys
import time
from pathlib import Path

from tests.damage import mutated
from vasa_jax import media
from vasa_jax.errors import InputError

MEMORY = 3 << 30


def outcome(path: Path) -> tuple[str, str]:
    """What became of it."""
    said = []
    try:
        if path.suffix == ".mp4":
            video = media.VideoReader(path)
            count = sum(1 for _ in video.frames(0, 250))
            video.damage.check(path)
            assert count > 0
            said.append(video.damage.told("held"))
        audio = media.AudioReader(path)
        assert sum(map(len, audio.mono())) == audio.frames * media.SAMPLES_PER_FRAME
        assert sum(map(len, audio.blocks())) == audio.samples
        said += audio.notes
    except InputError as error:
        assert "\n" not in str(error) and str(path) in str(error), str(error)
        return "refused", str(error)
    said = [line for line in said if line]
    return ("noted" if said else "used"), "; ".join(said)


def main() -> None:
    source, folder, first, count, seconds = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    data = Path(source).read_bytes()
    path = Path(folder) / f"mutated{Path(source).suffix}"
    for seed in range(int(first), int(first) + int(count)):
        path.write_bytes(mutated(data, seed))
        print(json.dumps({"start": seed}), flush=True)
        # Of processor time: how much of it a machine gives to one process is no fault of the reader.
        signal.setitimer(signal.ITIMER_PROF, float(seconds))
        begin = time.process_time()
        kind, said = outcome(path)
        signal.setitimer(signal.ITIMER_PROF, 0)
        row = {"seed": seed, "outcome": kind, "seconds": time.process_time() - begin, "said": said}
        print(json.dumps(row), flush=True)
    print(json.dumps({"peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10}))


if __name__ == "__main__":
    main()
