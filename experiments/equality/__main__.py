"""Trains both stages in every layout and writes how far each went from one device.

    python -m experiments.equality --report=experiments/results/equality.json
    python -m experiments.equality --stages=motion --layouts=2x4 --processes=2,4

The tasks, losses and optimisers are those of the tiny configurations, with fewer and smaller layers, in float32 on
eight virtual CPU devices. Sums are taken in another order in every layout, and twenty steps of Adam and of a
discriminator carry further what that changes; so beside the layouts stands a control: one device again, from parameters
that differ in their last bit. Processes exchange over gloo; each makes only its own rows of a batch.
"""

import os
import sys
import time
from typing import Any

from absl import flags

from experiments.common import app

STAGES = flags.DEFINE_list("stages", ["face", "motion"], "Stages to train.")
STEPS = flags.DEFINE_integer("steps", 20, "Steps to train.", lower_bound=1)
NAMED = flags.DEFINE_list("layouts", ["8 data", "2x4 fsdp", "2x2x2 tensor", "pmap"], "Layouts to compare.")
PROCESSES = flags.DEFINE_list("processes", ["2", "4"], "Numbers of processes to share the devices.")
COURSE = flags.DEFINE_string("course", None, "Only train the one stage in the one layout; write the course here.")
OPTIMISE = flags.DEFINE_bool("optimise", False, "Let LLVM optimise: minutes of compiling for seconds of work.")


def write_course(path: str) -> dict[str, Any]:
    """Trains one stage in one layout, alone or as one process of several; the first writes the course."""
    from experiments.equality import course, table
    from experiments.equality.cases import CASES
    from vasa_jax.training import distributed

    case = CASES[STAGES.value[0]]()
    made = course.train(case, table.partitioner(case.config, NAMED.value[0]), STEPS.value)
    if distributed.primary():
        made.save(path)
    return {"losses": made.losses}


def main() -> dict[str, Any]:
    """Trains and compares; returns the report."""
    if not OPTIMISE.value:
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0".strip()
    import jax

    from vasa_jax.training import distributed, manifest

    jax.config.update("jax_platforms", "cpu")
    app.compile_cache()
    distributed.initialize(distributed.find(os.environ))
    if COURSE.value:
        return write_course(COURSE.value)
    jax.config.update("jax_num_cpu_devices", 8)  # before anything makes an array
    from experiments.equality import course, table

    start = time.monotonic()
    counts = [int(count) for count in PROCESSES.value]
    differences = {stage: table.compare(stage, STEPS.value, NAMED.value, counts) for stage in STAGES.value}
    return {
        "what": " ".join((__doc__ or "").split("\n\n")[2].split()),
        "measures": " ".join((course.difference.__doc__ or "").split()),
        "command": ["python -m experiments.equality", *sys.argv[1:]],
        "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "steps": STEPS.value,
        "devices": table.DEVICES,
        "versions": manifest.versions(),
        "commit": manifest.commit(),
        "seconds": round(time.monotonic() - start, 1),
        "largest_difference": differences,
    }


if __name__ == "__main__":
    app.run(main)
