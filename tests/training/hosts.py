"""One of several hosts that train together: `python -m tests.training.hosts CASE WORKDIR CACHE STEPS STOP_AT`.

The last host sends itself SIGTERM when it is asked for batch STOP_AT. Prints the step it ended at, and if preempted.
"""

import itertools
import os
import signal
import sys
from pathlib import Path

from experiments.equality import processes
from vasa_jax.training import distributed


def together(case: str, workdir: Path, cache: Path, *, count: int, steps: int, stop_at: int = -1) -> list[list[str]]:
    """Trains as so many hosts with two devices in all; what each printed at its end: [step, preempted]."""
    words = ["-m", "tests.training.hosts", case, str(workdir), str(cache), str(steps), str(stop_at)]
    said = processes.together(words, count, devices=2, timeout=900)
    return [next(line.split()[1:] for line in text.splitlines()[::-1] if line.startswith("ended")) for text in said]


def main() -> None:
    case, workdir, cache, steps, stop_at = sys.argv[1:]
    distributed.initialize(distributed.find(os.environ))

    import jax

    from experiments.equality import course
    from tests.training import killed
    from vasa_jax.training import loop

    jax.config.update("jax_compilation_cache_dir", cache)
    last = jax.process_index() == jax.process_count() - 1
    config, task, batch = killed.make(case)
    config.update({"steps": int(steps), "checkpoint_every": 5, "eval_every": 0, "log_every": 1, "tensorboard": False})

    def stream(start):
        for number in itertools.count(start):
            if last and number == int(stop_at):
                os.kill(os.getpid(), signal.SIGTERM)
            yield course.own_rows(batch(number))

    result = loop.train(config, task, stream, None, workdir)
    print("ended", result.step, result.preempted, flush=True)


if __name__ == "__main__":
    main()
