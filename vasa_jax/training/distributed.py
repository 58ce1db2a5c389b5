"""Who trains together: processes of several hosts find each other by flags, by variables, by SLURM or on TPUs.

Asked in this order; the first that says something wins:

1. the flags --coordinator, --process_count, --process_id;
2. JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID (or JOB_COMPLETION_INDEX, which an indexed Job of
   Kubernetes sets);
3. SLURM: SLURM_NTASKS tasks of a step, the first host of its list as coordinator;
4. TPU_WORKER_HOSTNAMES with more than one name (GKE), or `kind="tpu"` on TPU VMs: JAX asks the cloud by itself.

JAX's own detection of SLURM is not used: it gives each task the device of its number, also where a task sees one GPU
alone, and tells nobody the coordinator's address, which gloo needs here.

Otherwise this is a run of one process. Call `initialize` before anything asks JAX for its devices.
"""

import dataclasses
import os
import re
import socket
from collections.abc import Mapping
from typing import Any

import jax
from jax.experimental import multihost_utils

from vasa_jax.errors import UsageError

KINDS = ("auto", "tpu", "off")
PORT = 12_321
"""Of the coordinator, where nothing else is said. SLURM jobs add their number, since two may share a host."""


@dataclasses.dataclass(frozen=True)
class Group:
    """Processes that train together. `coordinator` is "" where JAX finds everything by itself.

    Attributes:
      source: who said so: flags, variables, slurm or tpu.
      coordinator: host:port of process 0.
      count: processes in all.
      process: number of this one.
      local: number of this process on its host, where several share one (then each takes the device of its number).
    """

    source: str
    coordinator: str
    count: int
    process: int
    local: int | None = None


def find(
    environment: Mapping[str, str], *, coordinator: str = "", count: int = 0, process: int = -1, kind: str = "auto"
) -> Group | None:
    """The group that this process belongs to; None for a run of one process.

    Raises:
      UsageError: half of what is needed is said, or numbers that do not go together.
    """
    if kind not in KINDS:
        raise UsageError(f"--distributed={kind}: use {', '.join(KINDS)}")
    if kind == "off":
        return None
    if coordinator or count or process >= 0:
        return _checked(Group("flags", coordinator, count, process))
    if address := environment.get("JAX_COORDINATOR_ADDRESS", ""):
        own = environment.get("JAX_PROCESS_ID", environment.get("JOB_COMPLETION_INDEX", "-1"))
        return _checked(Group("variables", address, _number(environment, "JAX_NUM_PROCESSES"), _whole(own)))
    if _number(environment, "SLURM_NTASKS") > 1 and "SLURM_PROCID" in environment:
        return _checked(_slurm(environment))
    if kind == "tpu" or "," in environment.get("TPU_WORKER_HOSTNAMES", ""):
        return Group("tpu", "", 0, 0)
    return None


def _slurm(environment: Mapping[str, str]) -> Group:
    nodes = environment.get("SLURM_STEP_NODELIST") or environment.get("SLURM_JOB_NODELIST", "")
    port = PORT + _number(environment, "SLURM_JOB_ID") % 2**12
    on_host = environment.get("SLURM_STEP_TASKS_PER_NODE") or environment.get("SLURM_TASKS_PER_NODE", "1")
    # A task that was given one GPU (--gpus-per-task) sees only its own.
    shares = not on_host.startswith("1(") and on_host != "1" and "," in environment.get("CUDA_VISIBLE_DEVICES", ",")
    local = _number(environment, "SLURM_LOCALID") if shares else None
    count, process = _number(environment, "SLURM_NTASKS"), _number(environment, "SLURM_PROCID")
    return Group("slurm", f"{first_host(nodes)}:{port}", count, process, local)


def first_host(nodes: str) -> str:
    """The first name of SLURM's list of hosts: "tpu[03-05,9],gpu1" -> "tpu03", "node7" -> "node7"."""
    found = re.match(r"([^,\[]+)(?:\[([^\]]*)\]([^,]*))?", nodes)
    if not found:
        raise UsageError("SLURM_STEP_NODELIST is empty: start the command with srun, inside a job")
    stem, numbers, rest = found.groups()
    return stem if numbers is None else f"{stem}{re.split('[-,]', numbers)[0]}{rest}"


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return -1


def _number(environment: Mapping[str, str], name: str) -> int:
    return _whole(environment.get(name, "0"))


def _checked(group: Group) -> Group:
    if ":" not in group.coordinator:
        raise UsageError(f"the coordinator is {group.coordinator!r} ({group.source}); give HOST:PORT of process 0")
    if group.count < 1 or not 0 <= group.process < group.count:
        raise UsageError(
            f"process {group.process} of {group.count} ({group.source}): the count must be at least 1, "
            "and processes are numbered from 0"
        )
    return group


def initialize(group: Group | None, *, timeout: int = 300) -> None:
    """Meets the other processes; nothing for a run of one.

    Args:
      timeout: seconds to wait for the others.

    Raises:
      UsageError: they cannot be met.
    """
    if group is None:
        return
    asked = jax.config.jax_platforms  # type: ignore[attr-defined] # JAX adds its settings at run time
    gloo = "cpu" in (asked, os.environ.get("JAX_PLATFORMS"))
    if gloo:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
    said: dict[str, Any] = {}
    if group.coordinator:
        said = {"coordinator_address": group.coordinator, "num_processes": group.count, "process_id": group.process}
        # On hosts of several tasks each takes one device; virtual CPU devices belong to their process anyway.
        if group.local is not None and not gloo:
            said["local_device_ids"] = [group.local]
    try:
        jax.distributed.initialize(initialization_timeout=timeout, **said)
        if gloo and group.coordinator and (address := own_address(group.coordinator)):
            _let_gloo_listen(address)
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise UsageError(
            f"process {group.process} cannot meet the others at {group.coordinator or 'the TPU hosts'} "
            f"({group.source}): {reason}"
        ) from error
    if gloo:
        # Gloo gives processes 30 s to meet at their first exchange, and compiling a step takes one longer than another:
        # so they exchange now, while they are together.
        multihost_utils.sync_global_devices("met")


def own_address(coordinator: str) -> str | None:
    """Where others reach this host, told from its way to the coordinator; None where its name says as much.

    A host need not know its own name (a container without a line for it in /etc/hosts), and Debian calls itself
    127.0.1.1, where no other host finds it.
    """
    host, _, port = coordinator.rpartition(":")
    family, kind, *_, target = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind) as way:
        way.connect(target)  # of a datagram socket: nothing is sent
        address = way.getsockname()[0]
    try:
        named = {str(found[-1][0]) for found in socket.getaddrinfo(socket.gethostname(), None)}
    except OSError:
        return address
    at_home = all(name == "::1" or name.startswith("127.") for name in named)
    return address if at_home and address not in named else None


def _let_gloo_listen(address: str) -> None:
    """Gloo on this address, and not on that of the host's name; before JAX has devices. JAX has no setting for it."""
    from jax._src import distributed, xla_bridge
    from jax._src.lib import _jax
    from jax.extend import backend

    def client() -> object:
        group = distributed.global_state.client
        return xla_bridge.make_cpu_client(_jax.make_gloo_tcp_collectives(distributed_client=group, hostname=address))

    backend.register_backend_factory("cpu", client, fail_quietly=False)


def primary() -> bool:
    """Whether this process writes what all share."""
    return jax.process_index() == 0
