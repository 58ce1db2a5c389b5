"""Every kind of launcher: what it writes, what submits it, and what of it has been checked without a cluster."""

from typing import Any

from experiments.launching import cloud, gke, job, slurm

KINDS = {
    "slurm": ("sbatch {path}", "run in a SLURM-like environment of local processes; never on a SLURM cluster"),
    "gke": ("kubectl apply -f {path}", "parsed and checked against the fields of JobSet; never applied to a cluster"),
    "xpk": ("bash {path}", "parsed by bash; flags as in XPK's documentation; never run"),
    "tpu_vm": (
        "bash {path} create; bash {path} train",
        "parsed by bash; flags as in gcloud's own help; never run",
    ),
}
"""Kind -> (command that submits the file, what was checked)."""

_WRITERS = {"slurm": slurm.script, "gke": gke.manifest, "xpk": cloud.xpk, "tpu_vm": cloud.tpu_vm}


def write(kind: str, config: Any) -> str:
    """The file's content."""
    job.check(config)
    return _WRITERS[kind](config)
