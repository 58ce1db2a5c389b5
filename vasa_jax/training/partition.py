"""Two thin wrappers of the same train step: jit over a named mesh (default) and pmap (data parallel).

Both offer: init(fn, batch) -> state, shardings(abstract state), put(batch), place(networks), step(fn) and run(fn) for
evaluation.
"""

import functools
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import jax
import ml_collections
import numpy as np
from absl import logging
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from vasa_jax.errors import UsageError
from vasa_jax.training.sharding_rules import PRESETS, Rules
from vasa_jax.training.task import NETWORKS, Batch, Networks
from vasa_jax.training.train_step import path_name

AXES = ("data", "fsdp", "tensor")


def mesh_shape(config: ml_collections.ConfigDict | dict, devices: int) -> tuple[int, ...]:
    """Sizes of (data, fsdp, tensor); one of them may be -1 and takes the devices that are left."""
    sizes = [int(config.get(axis, -1 if axis == "data" else 1)) for axis in AXES]
    if sizes.count(-1) > 1 or any(size == 0 or size < -1 for size in sizes):
        raise UsageError(f"mesh {dict(zip(AXES, sizes))}: sizes are positive, and at most one of them is -1")
    known = math.prod(size for size in sizes if size > 0)
    sizes = [devices // known if size == -1 else size for size in sizes]
    if math.prod(sizes) != devices:
        raise UsageError(f"mesh {dict(zip(AXES, sizes))} does not fit {devices} device(s); change config.mesh")
    return tuple(sizes)


def _check_batch(batch: dict[str, np.ndarray], parts: int) -> None:
    sizes = {len(value) for value in batch.values()}
    if len(sizes) != 1 or next(iter(sizes)) % parts:
        raise UsageError(f"batch_size {sorted(sizes)} does not divide by {parts} device(s); change config.batch_size")


def accumulation(config: ml_collections.ConfigDict, devices: int = 1) -> int:
    """config.accumulate, the parts that a batch is worked off in; each has to split over the devices."""
    parts = config.get("accumulate", 1)
    if parts < 1 or config.batch_size % (parts * devices):
        raise UsageError(
            f"config.accumulate is {parts}: batch_size {config.batch_size} must divide by it times {devices} device(s)"
        )
    return parts


class MeshPartitioner:
    """jit over a mesh with axes (data, fsdp, tensor). Batches are split over data and fsdp.

    Rules are (regular expression, mesh axes of the last dimensions) over paths of the whole state; the first match
    wins, and an axis that does not divide its dimension is left out, which is logged. Then every leaf of at least
    `min_size` elements is split over fsdp along the largest dimension that divides and no rule has taken.
    """

    def __init__(
        self,
        mesh: ml_collections.ConfigDict | dict | None = None,
        *,
        rules: Sequence[tuple[str, tuple]] = (),
        min_size: int = 2**18,
        devices: Sequence[jax.Device] | None = None,
    ):
        devices = list(devices or jax.devices())
        shape = mesh_shape(mesh or {}, len(devices))
        hosts = len({device.process_index for device in devices})
        if shape[0] * shape[1] % hosts:
            raise UsageError(f"mesh {dict(zip(AXES, shape))}: {hosts} hosts cannot share data x fsdp evenly")
        # Auto, said on purpose: jax.make_mesh defaults to explicit axis types, which model code would have to know.
        self.mesh = jax.make_mesh(shape, AXES, axis_types=(AxisType.Auto,) * 3, devices=devices)
        self.rules = [(re.compile(pattern), tuple(axes)) for pattern, axes in rules]
        self.min_size = min_size
        self.replicated = NamedSharding(self.mesh, PartitionSpec())
        self.batch_sharding = NamedSharding(self.mesh, PartitionSpec(("data", "fsdp")))
        self.batch_parts = shape[0] * shape[1]

    def _spec(self, path: tuple, leaf: jax.ShapeDtypeStruct) -> PartitionSpec:
        name = path_name(path)
        axes = self._ruled(name, leaf.shape)
        ways = self.mesh.shape["fsdp"]
        if ways > 1 and "fsdp" not in axes and math.prod(leaf.shape) >= self.min_size:
            free = [n for n, size in enumerate(leaf.shape) if axes[n] is None and size % ways == 0]
            if free:
                axes[max(free, key=lambda n: leaf.shape[n])] = "fsdp"
            else:
                logging.info("fsdp: %s %s has no free dimension that divides by %d", name, leaf.shape, ways)
        while axes and axes[-1] is None:
            axes.pop()
        return PartitionSpec(*axes)

    def _ruled(self, name: str, shape: tuple[int, ...]) -> list[str | None]:
        """Mesh axis of each dimension by the first rule that matches."""
        rule = next((rule for rule in self.rules if rule[0].search(name)), None)
        axes = rule[1] if rule else ()
        if rule and len(axes) > len(shape):
            logging.info("%s %s: the rule %s names more dimensions; not split", name, shape, rule[0].pattern)
            return [None] * len(shape)
        wanted = [None] * (len(shape) - len(axes)) + list(axes)
        for n, axis in enumerate(wanted):
            if axis is None or self.mesh.shape[axis] == 1:
                wanted[n] = None
            elif shape[n] % self.mesh.shape[axis]:
                logging.info("%s: %s %s does not divide by %d", axis, name, shape, self.mesh.shape[axis])
                wanted[n] = None
        return wanted

    def shardings(self, abstract: Any) -> Any:
        """A tree of shardings for a tree of ShapeDtypeStruct (the whole train state)."""
        return jax.tree_util.tree_map_with_path(
            lambda path, leaf: NamedSharding(self.mesh, self._spec(path, leaf)), abstract
        )

    def gathered(self, params: Any) -> Any:
        """Parameters as losses compute with them: put together over fsdp, split over tensor where a rule says so.

        Left to itself the partitioner may compute with both splits at once, and gets gradients wrong that way without
        a word (jaxlib 0.10.2; openxla/xla issues 40034 and 42481 look alike). Two matrices after one another, both
        split by their outputs, on a mesh of 2 x 2 x 2 are enough (tests/training).
        """
        if self.mesh.shape.get("fsdp", 1) == 1:
            return params
        return jax.lax.with_sharding_constraint(params, self.computing(params))

    def computing(self, params: Any) -> Any:
        """A tree of shardings for `gathered` parameters, and for their gradients as losses hand them on."""

        def whole(path: tuple, leaf: Any) -> NamedSharding:
            axes = self._ruled(f"params/{path_name(path)}", leaf.shape)
            return NamedSharding(self.mesh, PartitionSpec(*(None if axis == "fsdp" else axis for axis in axes)))

        return jax.tree_util.tree_map_with_path(whole, params)

    def put(self, batch: dict[str, np.ndarray]) -> Batch:
        """This process's share of the batch -> global arrays."""
        _check_batch(batch, max(self.batch_parts // jax.process_count(), 1))
        return jax.make_array_from_process_local_data(self.batch_sharding, batch)

    def place(self, networks: Networks) -> Networks:
        """Frozen networks, which every host has read from its files -> the same on every device.

        They are used whole at every step, so that splitting them would save nothing while it runs.
        """

        def whole(leaf: np.ndarray) -> jax.Array:
            return jax.make_array_from_callback(np.shape(leaf), self.replicated, lambda _: np.asarray(leaf))

        return jax.tree.map(whole, networks)

    def seed_key(self, seed: int) -> Any:
        """The key that the step takes, on every device of every host (`device_put` knows keys of one host only)."""
        return jax.jit(lambda: jax.random.key(seed), out_shardings=self.replicated)()

    def init(self, fn: Callable[[Batch], Any], batch: Batch) -> Any:
        """Runs fn(batch) with its outputs laid out as they will live."""
        shardings = self.shardings(jax.eval_shape(fn, batch))
        return jax.jit(fn, out_shardings=shardings, compiler_options=_run_once())(batch)

    def step(self, make: Callable[..., Callable], abstract_state: Any) -> Callable:
        """Compiled step (state, batch, seed key, placed networks); the state alone is donated.

        `make` is `make_train_step` with all but what a partitioner decides.
        """
        shardings = self.shardings(abstract_state)
        return jax.jit(
            make(devices=self.batch_parts, gather=self.gathered),
            in_shardings=(shardings, self.batch_sharding, self.replicated, self.replicated),
            out_shardings=(shardings, self.replicated),
            donate_argnums=0,
        )

    def run(self, fn: Callable) -> Callable:
        """Compiled evaluation of fn(params, batch, rng) with outputs on every device.

        What comes back takes (params, placed networks, batch, rng).
        """

        @functools.wraps(fn)  # the program's name in logs and traces
        def gathered(params: Any, networks: Networks, *args: Any) -> Any:
            return fn({**self.gathered(params), NETWORKS: networks}, *args)

        return jax.jit(gathered, out_shardings=self.replicated)


class PmapPartitioner(MeshPartitioner):
    """pmap over every device: the state is replicated, the batch is split, gradients are averaged inside the step."""

    axis = "devices"

    def __init__(self, devices: Sequence[jax.Device] | None = None):
        if jax.process_count() > 1:
            raise UsageError("config.parallel=pmap is for one process; several hosts train with config.parallel=mesh")
        super().__init__({"data": -1}, devices=devices)
        # The mesh that pmap's own outputs carry: a state laid out on another one costs a second compilation.
        self.mesh = jax.make_mesh(
            (self.batch_parts,), (self.axis,), axis_types=(AxisType.Auto,), devices=list(self.mesh.devices.flat)
        )
        self.replicated = NamedSharding(self.mesh, PartitionSpec())
        self.batch_sharding = NamedSharding(self.mesh, PartitionSpec(self.axis))

    def _spec(self, path: tuple, leaf: jax.ShapeDtypeStruct) -> PartitionSpec:
        return PartitionSpec()

    def step(self, make: Callable[..., Callable], abstract_state: Any) -> Callable:
        """Compiled step. Nothing is donated: arguments that pmap broadcasts cannot be."""
        count = self.batch_parts
        devices = list(self.mesh.devices.flat)
        mapped = jax.pmap(
            make(axis_name=self.axis),
            axis_name=self.axis,
            in_axes=(None, 0, None, None),
            out_axes=None,
            devices=devices,
        )
        split = jax.jit(
            lambda batch: jax.tree.map(lambda x: x.reshape(count, x.shape[0] // count, *x.shape[1:]), batch),
            out_shardings=self.batch_sharding,
        )

        def step(state, batch, seed_key, networks):
            return mapped(state, split(batch), seed_key, networks)

        return step


def _run_once() -> dict[str, Any] | None:
    """Compiler options for a program that runs once: LLVM's optimisation of it takes minutes on a CPU."""
    return {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else None


def sharding_rules(config: ml_collections.ConfigDict) -> Rules:
    """config.sharding_rules: a name of `sharding_rules.PRESETS`, or rules; by default those of the task."""
    rules = config.get("sharding_rules", None)
    if rules is None:
        rules = config.get("task", "none")
        return PRESETS.get(rules, ())
    if not isinstance(rules, str):
        return tuple((pattern, tuple(axes)) for pattern, axes in rules)
    if rules not in PRESETS:
        raise UsageError(f"config.sharding_rules is {rules!r}; use {', '.join(PRESETS)} or a list of rules")
    return PRESETS[rules]


def mesh_partitioner(
    config: ml_collections.ConfigDict, mesh: dict[str, int], devices: Sequence[jax.Device] | None = None
) -> MeshPartitioner:
    """The configuration's rules on a mesh of its own or of another machine's devices."""
    min_size = config.get("fsdp_min_size", 2**18)
    return MeshPartitioner(mesh, rules=sharding_rules(config), min_size=min_size, devices=devices)


def make_partitioner(config: ml_collections.ConfigDict) -> MeshPartitioner:
    """config.parallel 'mesh' (with config.mesh, config.sharding_rules, config.fsdp_min_size) or 'pmap'."""
    kind = config.get("parallel", "mesh")
    if kind == "pmap":
        return PmapPartitioner()
    if kind != "mesh":
        raise UsageError(f"config.parallel is {kind!r}; use 'mesh' or 'pmap'")
    return mesh_partitioner(config, dict(config.get("mesh", {})))
