"""One of two hosts that train the toy together: `python -m tests.training.two_hosts HOST PORT WORKDIR CACHE STOP_AT`.

Host 1 sends itself SIGTERM when it is asked for batch STOP_AT. Prints the step it ended at, and whether preempted.
"""

import os
import signal
import sys

import jax
from jax.experimental import multihost_utils


def main() -> None:
    host, port, workdir, cache, stop_at = sys.argv[1:]
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.config.update("jax_compilation_cache_dir", cache)
    jax.distributed.initialize(f"localhost:{port}", 2, int(host))
    from tests.training import toy
    from vasa_jax.training import loop

    # Gloo connects at the first collective and waits 30 seconds only: before either host is busy compiling.
    multihost_utils.sync_global_devices("start")

    def stream(start):
        for number, batch in enumerate(toy.stream(start), start):
            if int(host) == 1 and number == int(stop_at):
                os.kill(os.getpid(), signal.SIGTERM)
            half = slice(8 * int(host), 8 * int(host) + 8)
            yield {name: value[half] for name, value in batch.items()}

    config = toy.config(steps=16, checkpoint_every=5, eval_every=0, log_every=1)
    result = loop.train(config, toy.make(), stream, None, workdir)
    print("ended", result.step, result.preempted, flush=True)


if __name__ == "__main__":
    main()
