"""A SLURM batch script: one task for each process, requeued by itself when the training asks for it."""

import shlex
from typing import Any

from experiments.launching import job

_SCRIPT = """#!/usr/bin/env bash
{directives}
# Written by vasa-launch. Submit: sbatch {name}.sh
# The job signals itself before its time is up, training saves and ends with {again}, and the job queues again.
set -euo pipefail
cd {folder}
{setup}
[ "$((${{SLURM_RESTART_COUNT:-0}}))" -le {restarts} ] || {{ echo "restarted {restarts} times; giving up" >&2; exit 1; }}

code=0
srun --kill-on-bad-exit=1 --wait=0 {words} &
child=$!
# srun passes what it gets on to its tasks; bash only reads its own signals when nothing runs in front.
trap 'kill -TERM "$child" 2>/dev/null || true' TERM
while kill -0 "$child" 2>/dev/null; do
  code=0
  wait "$child" || code=$?
done

if [ "$code" -eq {again} ] || [ "$code" -eq 143 ]; then
  scontrol requeue "$SLURM_JOB_ID"
  exit 0
fi
exit "$code"
"""


def script(config: Any) -> str:
    """The batch script of config.slurm."""
    slurm = config.slurm
    given = {
        "job-name": config.name,
        "nodes": slurm.nodes,
        "ntasks-per-node": slurm.tasks_per_node,
        "gpus-per-node": slurm.gpus_per_node,
        "cpus-per-task": slurm.cpus_per_task,
        "time": slurm.time,
        "partition": slurm.partition,
        "account": slurm.account,
        "output": f"{config.name}-%j.log",
        "open-mode": "append",
        "signal": f"B:TERM@{config.grace_seconds}",
    }
    directives = [f"#SBATCH --{name}={value}" for name, value in given.items() if value not in ("", 0)]
    return _SCRIPT.format(
        directives="\n".join([*directives, "#SBATCH --requeue"]),
        name=config.name,
        again=job.AGAIN,
        folder=shlex.quote(slurm.folder) if slurm.folder else '"${SLURM_SUBMIT_DIR:-.}"',
        setup=f"# shellcheck disable=SC1091\n{slurm.setup}" if slurm.setup else "# nothing to set up",
        restarts=config.restarts,
        words=job.line(job.words(config)),
    )
