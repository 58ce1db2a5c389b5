"""The description of a run on many hosts, checked; and the words that start it."""

import re
import shlex
from typing import Any, NamedTuple

from experiments.planning import topology
from vasa_jax.errors import EXIT_BAD_INPUT, EXIT_PREEMPTED, EXIT_USAGE, UsageError

AGAIN = EXIT_PREEMPTED
"""Exit code of a training that saved and wants to be run again."""
NEVER = (EXIT_USAGE, EXIT_BAD_INPUT)
"""Exit codes that another run would only repeat."""


class Tpu(NamedTuple):
    """What a cloud calls a kind of chip. Sources: cloud.google.com/tpu/docs and kubernetes-engine/docs, November 2026.

    Attributes:
      label: of GKE's node selector.
      vm_chips: of one machine of a slice of several.
      prefix: of the accelerator type, before its number.
      counts: what that number counts: chips, or cores (two a chip).
      version: runtime of TPU VMs, "" where there are none.
    """

    label: str
    vm_chips: int
    prefix: str
    counts: int
    version: str


TPUS = {
    "v5e": Tpu("tpu-v5-lite-podslice", 4, "v5litepod", 1, "v2-alpha-tpuv5-lite"),
    "v6e": Tpu("tpu-v6e-slice", 4, "v6e", 1, "v2-alpha-tpuv6e"),
    "v5p": Tpu("tpu-v5p-slice", 4, "v5p", 2, "v2-alpha-tpuv5"),
    "tpu7x": Tpu("tpu7x", 4, "tpu7x", 2, ""),
}


def tpu(config: Any) -> tuple[Tpu, topology.Topology]:
    """The kind of chip and the topology of config.topology.

    Raises:
      UsageError: it is none of several machines.
    """
    machine = topology.parse(config.topology)
    if machine.chip is None or machine.chips % TPUS[machine.kind].vm_chips:
        raise UsageError(f"config.topology={config.topology}: give a TPU slice of whole machines, as v5e:16x16")
    return TPUS[machine.kind], machine


def accelerator(config: Any) -> str:
    """v5litepod-256, v5p-1024: the accelerator type of config.topology."""
    kind, machine = tpu(config)
    return f"{kind.prefix}-{machine.chips * kind.counts}"


def words(config: Any, *more: str) -> list[str]:
    """The command that every process runs; config.train.command replaces it (to try a launcher)."""
    train = config.train
    if train.get("command", ""):
        return [*shlex.split(train.command), *more]
    own = [f"--config={train.config}", f"--workdir={train.workdir}", *train.get("overrides", ())]
    return ["python", "-m", "experiments.train", *own, *more]


def line(parts: list[str], indent: str = "    ") -> str:
    """Words as one quoted shell command; where it is long, every flag on a line of its own."""
    quoted = [shlex.quote(part) for part in parts]
    text = " ".join(quoted)
    if len(text) < 100:
        return text
    head = next((n for n, part in enumerate(parts) if part.startswith("--")), len(parts))
    return f" \\\n{indent}".join([" ".join(quoted[:head]), *quoted[head:]])


def check(config: Any) -> None:
    """Names that a scheduler would refuse are refused here.

    Raises:
      UsageError: says which field.
    """
    if not re.fullmatch(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", config.name):
        raise UsageError(f"config.name={config.name!r}: small letters, digits and dashes, 40 at most")
    for name in ("restarts", "grace_seconds"):
        if config[name] < 0:
            raise UsageError(f"config.{name} is {config[name]}; it must be at least 0")


def needed(config: Any, *names: str) -> None:
    """The fields of config that a launcher cannot do without.

    Raises:
      UsageError: one of them is empty.
    """
    for name in names:
        value = config
        for part in name.split("."):
            value = value[part]
        if not value:
            raise UsageError(f"config.{name} is empty; give it with --config.{name}=...")
