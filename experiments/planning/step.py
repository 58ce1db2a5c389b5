"""The real train step of a configuration, laid out over devices that need not exist."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import ml_collections

from experiments.common import dry_run
from experiments.planning import compiler, program, topology
from experiments.planning.topology import Topology
from vasa_jax.ops import backends
from vasa_jax.training import flops
from vasa_jax.training.partition import AXES, mesh_partitioner, mesh_shape


class Layout(NamedTuple):
    """How a step is spread: sizes of (data, fsdp, tensor), and items on each device that holds a share of the batch."""

    mesh: tuple[int, int, int]
    batch_per_part: int

    @property
    def batch_size(self) -> int:
        return self.batch_per_part * self.mesh[0] * self.mesh[1]

    def __str__(self) -> str:
        sizes = " x ".join(f"{size} {axis}" for axis, size in zip(AXES, self.mesh) if size > 1) or "1 device"
        return f"{sizes}, batch {self.batch_size} ({self.batch_per_part} a part)"


def layout(config: ml_collections.ConfigDict, machine: Topology, batch_per_part: int = 0) -> Layout:
    """The configuration's own mesh on the topology.

    Its batch size, if that divides, or `batch_per_part` items; else one item, or config.accumulate, on each part.
    """
    mesh = mesh_shape(config.get("mesh", {}), machine.count)
    parts = mesh[0] * mesh[1]
    least = config.get("accumulate", 1)
    own = config.batch_size // parts if config.batch_size % (parts * least) == 0 else least
    return Layout(mesh, batch_per_part or own)


class Compiled(NamedTuple):
    """What is known of a compiled step; `found` is `compiler.compile_kept`'s. `parts`: bytes by part on a device."""

    layout: Layout
    found: dict[str, Any]
    parts: dict[str, int]
    program: program.Program | None


def compile_step(
    config: ml_collections.ConfigDict, machine: Topology, spread: Layout, *, place: Callable | None = None
) -> Compiled:
    """Compiles the step, or takes from the cache what compiling it gave. `place`: see `compiler.compile_kept`."""
    devices = machine.devices()
    partitioner = mesh_partitioner(config, dict(zip(AXES, spread.mesh)), devices)
    with backends.as_on("tpu" if machine.chip else "cpu"):
        make, state, batch, networks = dry_run.pure_step(config, spread.batch_size, partitioner.batch_parts)
        step = partitioner.step(make, state)
        traced = step.trace(state, batch, dry_run.example_key(), networks)
        lowered = traced.lower()
    layouts = partitioner.shardings(state)
    parts = bytes_by_part(state, layouts, partitioner.computing(state.params), batch, partitioner.batch_parts)
    if frozen := sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(networks)):
        parts["networks"] = frozen
    held = sum(size for name, size in parts.items() if name not in INSIDE)
    found = compiler.compile_kept(
        lowered,
        f"{machine.name} {topology.compiler(machine)}",
        memory=machine.memory_of_device,
        arguments=held,
        place=place,
    )
    text = compiler.text_of(found)
    # Asked for by the program, where the compiler was stopped before it counted its own.
    found = {"operations_compiled": flops.of_jaxpr(traced.jaxpr) / machine.count} | found
    return Compiled(spread, found, parts, program.read(text, machine.count) if text else None)


INSIDE = ("gradients", "parameters_put_together")
"""Parts that live inside the step, among its temporaries."""


def bytes_by_part(state: Any, layouts: Any, computing: Any, batch: Any, batch_parts: int) -> dict[str, int]:
    """Bytes on one device of what lives over a step, by part, before the compiler pads them; and `INSIDE`, at most.

    Args:
      computing: layout of parameters, and of their gradients, while losses compute: not split over fsdp.
    """

    def held(tree: Any, spread: Any) -> int:
        leaves = zip(jax.tree.leaves(tree), jax.tree.leaves(spread), strict=True)
        return sum(math.prod(where.shard_shape(leaf.shape)) * leaf.dtype.itemsize for leaf, where in leaves)

    params = {f"parameters_{player}": held(tree, layouts.params[player]) for player, tree in state.params.items()}
    whole = held(state.params, computing)
    split = whole > sum(params.values())
    return (
        params
        | {
            "optimizer": held(state.opt_state, layouts.opt_state),
            "average": held(state.ema, layouts.ema),
            "gradients": whole,
            "batch": sum(math.prod(x.shape) * x.dtype.itemsize for x in batch.values()) // batch_parts,
        }
        | ({"parameters_put_together": whole} if split else {})
    )
