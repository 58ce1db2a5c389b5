"""Machines by name: `v5e:16x16`, `v5p:8x8x8`, `tpu7x:4x4x4`, `v5e` (one chip), or `cpu:8`, virtual devices here.

JAX is imported where it is needed: `vasa-launch` only reads names.
"""

import importlib.metadata
import math
import os
import re
from typing import Any, NamedTuple

from vasa_jax.errors import UsageError


class Chip(NamedTuple):
    """A kind of TPU chip, from cloud.google.com/tpu/docs (read in November 2026) and from what its compiler says.

    Attributes:
      devices: that JAX sees of one chip (tpu7x: its two halves).
      host: topology of the chips of one host, the smallest that is described.
      peak: FLOP/s in bfloat16.
      memory: bytes a program may use: what the compiler leaves, from its message for programs that are too large.
      clock: cycles a second that turn the compiler's estimates into time: the peak over the operations a cycle of
        the chip's matrix units.
      links: bytes a second that leave a chip over all its links to other chips (half of the bidirectional figure).
    """

    devices: int
    host: str
    peak: float
    memory: int
    clock: float
    links: float


CHIPS = {
    "v5e": Chip(1, "2x4", 197e12, int(15.75 * 2**30), 1.50e9, 200e9),
    "v6e": Chip(1, "2x4", 918e12, int(31.25 * 2**30), 1.75e9, 400e9),
    "v5p": Chip(1, "2x2x1", 459e12, int(95.74 * 2**30), 1.75e9, 600e9),
    "tpu7x": Chip(2, "2x2x1", 2307e12, 2 * int(94.75 * 2**30), 2.20e9, 600e9),
}


_ALONE = {
    # Or libtpu asks a cloud's metadata server, which is not there, what machine it is on.
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_WORKER_HOSTNAMES": "localhost",
    # Only compiling, no chip to share: another process may do the same.
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
    # Its logs speak of the machine that is not there.
    "TPU_LOG_DIR": "disabled",
    "TPU_STDERR_LOG_LEVEL": "3",
    "TPU_MIN_LOG_LEVEL": "3",
}


class Topology(NamedTuple):
    """Devices to compile for. `chip` is None for virtual CPU devices, `shape` empty for a single chip."""

    name: str
    kind: str
    shape: tuple[int, ...]

    @property
    def chip(self) -> Chip | None:
        return CHIPS.get(self.kind)

    @property
    def chips(self) -> int:
        return math.prod(self.shape)

    @property
    def count(self) -> int:
        """Devices that JAX sees."""
        return self.chips * (self.chip.devices if self.chip else 1)

    @property
    def one_host(self) -> "Topology":
        """The chips of one host."""
        return parse(f"{self.kind}:{self.chip.host}") if self.chip else self

    @property
    def memory_of_device(self) -> int:
        """Bytes a program may use of one device; of this machine's memory, a device's share."""
        if self.chip:
            return self.chip.memory // self.chip.devices
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // self.count

    def devices(self) -> list[Any]:
        """The devices: described ones for a TPU, those of this machine for cpu.

        Raises:
          UsageError: there are not as many, or the compiler is not installed.
        """
        return _tpu(self) if self.chip else _cpu(self.count)


def parse(name: str) -> Topology:
    """The topology called `name`.

    Raises:
      UsageError: no such chip, or its chips do not form such a shape.
    """
    kind, _, shape = name.partition(":")
    if name in CHIPS:
        return Topology(name, name, ())
    if kind not in (*CHIPS, "cpu") or not re.fullmatch(r"[1-9]\d*(x[1-9]\d*)*", shape):
        raise UsageError(
            f"--topology={name}: give KIND:SHAPE, as v5e:16x16, v6e:16x16, v5p:8x8x8, tpu7x:4x4x4 or cpu:8; "
            f"kinds are {', '.join(CHIPS)} and cpu"
        )
    sizes = tuple(int(size) for size in shape.split("x"))
    axes = CHIPS[kind].host.count("x") + 1 if kind in CHIPS else 1
    if len(sizes) != axes:
        raise UsageError(f"--topology={name}: {kind} takes {axes} number(s), as in {kind}:{_example(kind)}")
    return Topology(name, kind, sizes)


def _example(kind: str) -> str:
    return CHIPS[kind].host if kind in CHIPS else "8"


def prepare(topology: Topology) -> None:
    """Settles what JAX runs on, before it first looks: this machine's CPU traces, libtpu only compiles."""
    import jax

    jax.config.update("jax_platforms", "cpu")
    if topology.chip is None:
        _virtual(topology.count)


def _virtual(count: int) -> None:
    import jax

    try:
        if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
            jax.config.update("jax_num_cpu_devices", count)
    except RuntimeError:
        pass  # JAX runs already; whether its devices suffice is seen when they are asked for


def _cpu(count: int) -> list[Any]:
    import jax

    devices = jax.devices("cpu")
    if len(devices) < count:
        raise UsageError(
            f"--topology=cpu:{count}: JAX runs with {len(devices)} device(s) here; "
            f"XLA_FLAGS=--xla_force_host_platform_device_count={count} gives it more"
        )
    return devices[:count]


def _tpu(topology: Topology) -> list[Any]:
    libtpu()
    for name, value in _ALONE.items():
        os.environ.setdefault(name, value)
    from jax.experimental import topologies

    described = topology if topology.shape else topology.one_host
    try:
        devices = list(topologies.get_topology_desc(platform="tpu", topology_name=described.name).devices)
        return devices[: topology.count]
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise UsageError(f"--topology={topology.name}: the TPU compiler does not take it ({reason})") from error


def libtpu() -> str:
    """The version of the TPU compiler.

    Raises:
      UsageError: it is not installed.
    """
    try:
        return importlib.metadata.version("libtpu")
    except importlib.metadata.PackageNotFoundError as error:
        raise UsageError("libtpu is not installed; pip install 'jax[tpu]' beside this jax") from error


def compiler(topology: Topology) -> str:
    """What compiles for the topology, with its version: part of the name under which results are kept."""
    return libtpu() if topology.chip else f"jaxlib {importlib.metadata.version('jaxlib')}"
