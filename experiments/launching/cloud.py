"""Commands for Google Cloud: XPK, which makes the JobSet by itself, and TPU VMs over ssh."""

import shlex
from typing import Any

from experiments.launching import job
from vasa_jax.errors import UsageError

_XPK = """#!/usr/bin/env bash
# Written by vasa-launch. Needs xpk (pip install xpk) and a cluster that it made: xpk cluster create.
set -euo pipefail
{command}
"""

_VM = """#!/usr/bin/env bash
# Written by vasa-launch. Needs gcloud, logged in, and this repository as {folder} on every machine of the slice:
#   {here} create        makes the slice
#   {here} train         starts training on all its machines, and again when it was preempted
#   {here} delete        gives the slice back
set -euo pipefail
where=({where})

create() {{
  {create}
}}

train() {{
  local again code
  for ((again = 0; again <= {restarts}; again++)); do
    code=0
    {ssh} || code=$?
    [ "$code" -eq {code} ] || break
  done
  return "$code"
}}

delete() {{
  {delete}
}}

case "${{1:-}}" in
  create | train | delete) "$1" ;;
  *) echo "usage: $0 create|train|delete" >&2; exit 2 ;;
esac
"""


def xpk(config: Any) -> str:
    """A script that gives the run to XPK."""
    job.needed(config, "cloud.cluster", "cloud.project", "cloud.zone")
    command = [
        *("xpk", "workload", "create"),
        f"--cluster={config.cloud.cluster}",
        f"--project={config.cloud.project}",
        f"--zone={config.cloud.zone}",
        f"--workload={config.name}",
        f"--tpu-type={job.accelerator(config)}",
        "--num-slices=1",
        f"--docker-image={config.image}",
        f"--max-restarts={config.restarts}",
        f"--termination-grace-period-seconds={config.grace_seconds}",
        f"--command={shlex.join(job.words(config))}",
    ]
    return _XPK.format(command=job.line(command, "  "))


def tpu_vm(config: Any) -> str:
    """A script that makes a slice of TPU VMs, trains on all of its machines by ssh, and gives it back."""
    job.needed(config, "cloud.project", "cloud.zone", "tpu_vm.name")
    kind, _ = job.tpu(config)
    version = config.tpu_vm.version or kind.version
    if not version:
        raise UsageError(f"config.topology={config.topology} is not to be had as TPU VMs; use --kind=gke or xpk")
    vm = ["gcloud", "compute", "tpus", "tpu-vm"]
    name, spot = config.tpu_vm.name, ["--spot"] if config.tpu_vm.spot else []
    inside = f"cd {config.tpu_vm.folder} && {shlex.join(job.words(config, '--distributed=tpu'))}"

    def gcloud(verb: str, *more: str) -> str:
        return f'{job.line([*vm, verb, name, *more], "      ")} "${{where[@]}}"'

    return _VM.format(
        here="bash THIS",
        folder=config.tpu_vm.folder,
        where=job.line([f"--project={config.cloud.project}", f"--zone={config.cloud.zone}"]),
        create=gcloud("create", f"--accelerator-type={job.accelerator(config)}", f"--version={version}", *spot),
        ssh=gcloud("ssh", "--worker=all", f"--command={inside}"),
        delete=gcloud("delete", "--quiet"),
        restarts=config.restarts,
        code=job.AGAIN,
    )
