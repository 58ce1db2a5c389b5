"""The step of stage 1 in pieces that the TPU compiler brings to an end, for the seconds that the whole does not give.

At 512 px a compilation of the whole step with full effort was not seen to end, and with little effort its cycles say
nothing. The step is one chain: views, four passes through the networks, losses, the discriminator, the update. Each
link is compiled alone, forward and back, and their cycles are added. Left out is what lies between: batches put
together and picked, gradients that meet; and what the compiler would fuse or overlap across the borders.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_collections

from experiments.common import dry_run, tasks
from experiments.planning import compiler, program, topology
from experiments.planning.topology import Topology
from vasa_jax.errors import UsageError
from vasa_jax.models.face_latent import FaceLatentModel, FaceLatents
from vasa_jax.ops import backends
from vasa_jax.training.face_task import FaceStage
from vasa_jax.training.task import NETWORKS, Task
from vasa_jax.training.train_step import make_optimizers, make_train_step

_LEARNED = {"encode_face": (), "encode_pose": (), "encode_with_offsets": (2,), "render": (0, 2)}
"""Each pass of `FaceStage.forward`, and which arguments gradients flow back into: codes, latents. Views are data."""

_DATA = {"pose": None, "image": None}
"""Fields of latents that are data."""

_MADE = ("codes", "poses", "latents", "offsets", "generated", "transferred")
"""Fields of `ForwardOutputs` that gradients of the losses flow back into."""


class Part(NamedTuple):
    """A function of arrays, the shapes of what it takes, and how often a step runs it."""

    name: str
    function: Callable
    arguments: tuple
    times: int = 1


class _Call(NamedTuple):
    method: str
    arguments: tuple
    networks: set[str]


@contextlib.contextmanager
def _noted(calls: list[_Call]) -> Iterator[None]:
    """Notes which methods of the face model are called from outside, with what, and which networks they run."""
    depth = 0

    def note(go_on: Callable, args: tuple, kwargs: dict, context: Any) -> Any:
        nonlocal depth
        outermost = isinstance(context.module, FaceLatentModel) and context.method_name != "setup" and not depth
        if outermost:
            calls.append(_Call(context.method_name, _shapes(args), set()))
        elif depth and context.module.path:
            calls[-1].networks.add(context.module.path[0])
        depth += outermost or bool(depth)
        try:
            return go_on(*args, **kwargs)
        finally:
            depth -= bool(depth)

    with nn.intercept_methods(note):
        yield


def _shapes(tree: Any) -> Any:
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), tree)


def check(config: ml_collections.ConfigDict, machine: Topology) -> None:
    """Whether the parts tell the seconds of this configuration's step on this machine.

    Raises:
      UsageError: not stage 1, or not a TPU (others give no cycles).
    """
    if config.task != "face":
        raise UsageError(f"--parts: a {config.task} step compiles whole; leave --parts out")
    if machine.chip is None:
        raise UsageError(f"--parts: the compiler of {machine.name} tells no seconds")


def of_step(config: ml_collections.ConfigDict, items: int) -> list[Part]:
    """The parts of a face configuration's train step with so many items on a device.

    Of config.accumulate parts of a batch one is compiled, and runs as many times. What config.frozen names counts as if
    it trained.
    """
    times = config.get("accumulate", 1)
    config = tasks.changeable(config)
    config.accumulate, config.frozen = 1, ""
    _, state, batch, frozen = dry_run.pure_step(config, items // times)
    params, key, step = {**state.params, NETWORKS: frozen}, dry_run.example_key(), jax.ShapeDtypeStruct((), jnp.int32)
    stage = FaceStage(config)
    views = jax.eval_shape(stage.views, batch, key)
    passes: list[_Call] = []
    with _noted(passes):
        made = jax.eval_shape(stage.forward, params, views, batch, key)
    read: list[_Call] = []
    with _noted(read):
        jax.eval_shape(stage.losses, params, made, step)
    parts = [Part("views", stage.views, (batch, key)), *(_pass(stage.model, params["model"], call) for call in passes)]
    parts.append(_losses(stage, params, set().union(*(call.networks for call in read)), made, step))
    if stage.use_discriminator:
        real, fake = jax.eval_shape(stage.losses.shown, made)
        parts.append(_discriminator(stage, params["discriminator"], real, fake, step))
    return [*(part._replace(times=times) for part in parts), _update(config, state, batch)]


def _pass(model: FaceLatentModel, params: dict, call: _Call) -> Part:
    """One pass through the networks, and back to their parameters and what else was learned."""
    learned = _LEARNED[call.method]

    def run(own: dict, args: tuple) -> Any:
        return model.apply({"params": own}, *args, method=call.method)

    def both_ways(own: dict, args: tuple, wanted: Any) -> Any:
        picked = tuple(_without_data(args[n]) for n in learned)

        def forward(own: dict, picked: tuple) -> Any:
            replaced = {n: _with_data(x, args[n]) for n, x in zip(learned, picked)}
            return run(own, tuple(replaced.get(n, x) for n, x in enumerate(args)))

        out, back = jax.vjp(forward, own, picked)
        return out, back(wanted)

    own = {name: params[name] for name in params if name in call.networks}
    return Part(call.method, both_ways, (own, call.arguments, jax.eval_shape(run, own, call.arguments)))


def _without_data(x: Any) -> Any:
    return x.replace(**_DATA) if isinstance(x, FaceLatents) else x


def _with_data(x: Any, whole: Any) -> Any:
    return x.replace(**{name: getattr(whole, name) for name in _DATA}) if isinstance(x, FaceLatents) else x


def _losses(stage: FaceStage, params: dict, networks: set[str], made: Any, step: Any) -> Part:
    """All losses of a pass with the networks they run themselves, and back to what the pass made."""

    def total(own: dict, fields: dict, params: dict, made: Any, step: Any) -> Any:
        return stage.losses(params | {"model": own}, dataclasses.replace(made, **fields), step)

    own = {name: tree for name, tree in params["model"].items() if name in networks}
    fields = {name: getattr(made, name) for name in _MADE}
    return Part("losses", jax.value_and_grad(total, (0, 1), has_aux=True), (own, fields, params, made, step))


def _discriminator(stage: FaceStage, own: dict, real: Any, fake: Any, step: Any) -> Part:
    def loss(own: dict, real: Any, fake: Any, step: Any) -> Any:
        return stage.losses.discriminator_loss({"discriminator": own}, real, fake, step)

    return Part("critic", jax.value_and_grad(loss, has_aux=True), (own, real, fake, step))


def _update(config: ml_collections.ConfigDict, state: Any, batch: dict) -> Part:
    """Clipping, optimisers, averages and guards; the gradient of half the squares is the parameters, read anyway."""

    def loss(player: str) -> Callable:
        def squares(params: dict, batch: dict, rng: Any, step: Any, carry: dict) -> Any:
            return 0.5 * sum(jnp.square(x).sum() for x in jax.tree.leaves(params[player])), ({}, carry)

        return squares

    task = Task(name="update", init=lambda rng, batch: {}, losses={player: loss(player) for player in state.params})
    step = make_train_step(task, make_optimizers(config, task), ema_decay=config.ema_decay)
    return Part("update", step, (state, {"index": batch["index"]}, dry_run.example_key(), {}))


def seconds(config: ml_collections.ConfigDict, machine: Topology, items: int) -> list[dict[str, Any]]:
    """Compiles every part for one device with full effort: seconds by the compiler's cycles, and operations.

    Args:
      machine: a TPU; parts exchange nothing, so that one chip stands for all.
      items: on a device.

    Raises:
      UsageError: as `check`, or a part does not fit a device.
    """
    check(config, machine)
    chip, rows = machine.chip, []
    where = jax.sharding.SingleDeviceSharding(machine.devices()[0])
    effort = compiler.effort()
    compiler.set_effort(0.0)
    try:
        for part in of_step(config, items):
            arguments = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=where), part.arguments)
            with backends.as_on("tpu"):
                lowered = jax.jit(part.function, donate_argnums=0 if part.name == "update" else ()).lower(*arguments)
            key = f"{machine.kind} {topology.compiler(machine)}"
            found = compiler.compile_kept(lowered, key, memory=machine.memory_of_device, arguments=0)
            if "text" not in found:
                raise UsageError(f"--parts: {part.name} alone does not fit one device; try --batch_per_device")
            once = program.read(compiler.text_of(found), 1).cycles / chip.clock
            rows.append(_row(part, once, found, chip.peak / chip.devices))
    finally:
        compiler.set_effort(effort)
    return rows


def _row(part: Part, once: float, found: dict[str, Any], peak: float) -> dict[str, Any]:
    length, operations = part.times * once, part.times * found.get("operations_compiled", 0.0)
    print(f"  {part.name:<20} {1e3 * length:>9.2f} ms, compiled in {found['compile_seconds']:.0f} s", flush=True)
    return {
        "part": part.name,
        "times": part.times,
        "seconds": length,
        "operations": operations,
        "share_of_peak": operations / length / peak if length else None,
        "compile_seconds": found["compile_seconds"],
    }
