"""Writes one description of a run on many hosts for SLURM, GKE, XPK or TPU VMs.

    python -m experiments.launch --kind=slurm --config=experiments/configs/launch/pod.py --output=job.sh
    python -m experiments.launch --kind=gke --config=experiments/configs/launch/pod.py --output=job.yaml
    python -m experiments.launch --kind=tpu_vm --config=experiments/configs/launch/pod.py --config.cloud.zone=Z ...

Nothing is submitted: the file is written (or printed) and the command that submits it is said. What has been checked of
each kind without a cluster, and what could not be, stands in docs/pod.md and in the report.
"""

from typing import Any

from absl import flags
from ml_collections import config_flags

from experiments.common import app
from experiments.launching import writers
from vasa_jax import files
from vasa_jax.errors import UsageError

CONFIG = config_flags.DEFINE_config_file("config", None, "Description of the run; --config.a.b=v overrides a field.")
KIND = flags.DEFINE_enum("kind", None, list(writers.KINDS), "What to write the run for.")
OUTPUT = flags.DEFINE_string("output", None, "File to write; printed if not given.")


def main() -> dict[str, Any]:
    """Writes the file; returns the report."""
    if KIND.value is None:
        raise UsageError(f"--kind is missing: {', '.join(writers.KINDS)}")
    if CONFIG.value is None:
        raise UsageError("--config is missing; for example --config=experiments/configs/launch/pod.py")
    submit, checked = writers.KINDS[KIND.value]
    text = writers.write(KIND.value, CONFIG.value)
    if OUTPUT.value:
        files.write_text(OUTPUT.value, text)
        print(f"{OUTPUT.value} is written ({checked}). Submit it with: {submit.format(path=OUTPUT.value)}")
    else:
        print(text, end="")
    return {"kind": KIND.value, "output": OUTPUT.value, "checked": checked, "text": text}


HELP = app.Help(
    example="--kind=slurm --config=experiments/configs/launch/pod.py --output=job.sh",
    groups={"the job": (KIND, CONFIG, OUTPUT)},
)


def run() -> None:
    """The console script vasa-launch."""
    app.run(main, info=HELP)


if __name__ == "__main__":
    run()
