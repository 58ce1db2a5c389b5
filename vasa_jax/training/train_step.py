"""The train state and the one pure train step that every partitioner runs."""

import dataclasses
import functools
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import ml_collections
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from vasa_jax.training import guards
from vasa_jax.training.task import NETWORKS, Batch, LossFn, Metrics, Networks, Params, Task


class TrainState(flax.struct.PyTreeNode):
    """Everything a checkpoint holds. A field that is added here starts at zero in older checkpoints, and is listed in
    `checkpoint.NEW_FIELDS`.

    Attributes:
      skipped: how many steps changed nothing, because a gradient was not finite or its norm was a spike.
      norms: what is normal of each player's gradient norm, see `guards.normal`.
    """

    step: Int[Array, ""]
    params: Params
    opt_state: dict[str, Any]
    ema: Params
    skipped: Int[Array, ""]
    norms: dict[str, Float[Array, "3"]]


StepFn = Callable[[TrainState, Batch, PRNGKeyArray, Networks], tuple[TrainState, Metrics]]


path_name = functools.partial(jax.tree_util.keystr, simple=True, separator="/")
"""'a/b/kernel' from a key path of jax.tree_util."""


def trainable_mask(params: Params, frozen: str) -> Params:
    """A tree of bools like `params`, False where the regular expression `frozen` matches 'player/path/of/leaf'."""
    pattern = re.compile(frozen) if frozen else None
    return jax.tree_util.tree_map_with_path(lambda path, _: not (pattern and pattern.search(path_name(path))), params)


def learning_rate(config: ml_collections.ConfigDict, steps: int) -> optax.Schedule:
    """Linear warm-up to config.lr, then constant or a cosine down to config.lr * config.end (default 0)."""
    warmup = min(config.get("warmup_steps", 0), max(steps - 1, 0))
    kind = config.get("schedule", "cosine")
    if kind == "constant":
        after = optax.constant_schedule(config.lr)
    elif kind == "cosine":
        cosine = optax.cosine_decay_schedule(config.lr, max(steps - warmup, 1), alpha=config.get("end", 0.0))

        def after(count: jax.typing.ArrayLike) -> Array:
            return cosine(jnp.asarray(count, jnp.float32))  # optax multiplies the whole number by floats as it is

    else:
        raise ValueError(f"optimizer.schedule is {kind!r}; use 'cosine' or 'constant'")
    if not warmup:
        return after
    # Starts at lr / (warmup + 1), not 0: the first step must move something, or its metrics mislead.
    first = config.lr / (warmup + 1)
    return optax.join_schedules([optax.linear_schedule(first, config.lr, warmup), after], [warmup])


def make_optimizers(config: ml_collections.ConfigDict, task: Task) -> dict[str, optax.GradientTransformation]:
    """AdamW with clipping by global norm per player; config.optimizer_PLAYER replaces fields of config.optimizer."""
    optimizers = {}
    for player in task.players:
        own = ml_collections.ConfigDict(config.optimizer.to_dict())
        own.update(config.get(f"optimizer_{player}", {}))
        adamw = optax.adamw(
            learning_rate(own, config.steps),
            b1=own.get("b1", 0.9),
            b2=own.get("b2", 0.999),
            eps=own.get("eps", 1e-8),
            weight_decay=own.get("weight_decay", 0.0),
            # Biases, norm scales and other vectors are not decayed.
            mask=functools.partial(jax.tree.map, lambda leaf: jnp.ndim(leaf) > 1),
        )
        clip = own.get("clip", 0.0)
        optimizers[player] = optax.chain(optax.clip_by_global_norm(clip), adamw) if clip else adamw
    return optimizers


def _with_frozen(
    optimizers: Mapping[str, optax.GradientTransformation], task: Task
) -> dict[str, optax.GradientTransformation]:
    """Frozen leaves get no optimiser state and a zero update."""
    if not task.frozen:
        return dict(optimizers)

    def labels(player: str, params: Any) -> Any:
        mask = trainable_mask({player: params}, task.frozen)[player]
        return jax.tree.map(lambda trains: "trains" if trains else "frozen", mask)

    return {
        player: optax.partition({"trains": tx, "frozen": optax.set_to_zero()}, functools.partial(labels, player))
        for player, tx in optimizers.items()
    }


def init_state(
    task: Task, optimizers: Mapping[str, optax.GradientTransformation], rng: PRNGKeyArray, batch: Batch
) -> TrainState:
    """A fresh state; pure, so it can be shaped and sharded before it exists."""
    params = task.init(rng, batch)
    missing = set(task.players) - set(params)
    if missing:
        raise ValueError(f"task {task.name!r} starts no parameters for {sorted(missing)}")
    if NETWORKS in params:
        raise ValueError(f"task {task.name!r}: no player may be called {NETWORKS!r}, where frozen networks are")
    optimizers = _with_frozen(optimizers, task)
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        opt_state={player: optimizers[player].init(params[player]) for player in task.players},
        # A copy: the state is donated, and one buffer cannot be donated twice.
        ema=jax.tree.map(jnp.copy, params),
        skipped=jnp.zeros((), jnp.int32),
        norms={player: guards.unknown() for player in task.players},
    )


def _on_devices(loss_fn: LossFn, devices: int, gather: Callable[[Params], Params]) -> LossFn:
    """A loss of a batch that lies on `devices` devices: the mean of their shares', each computed by itself, as by pmap.

    Parameters are gathered once for all of them, inside of what is differentiated: their gradient comes back gathered.

    A loss puts images of its batch one after another and picks some again. Asked of a whole batch that lies on many
    devices, each of these makes XLA gather the batch of all of them on every one; a share is all on one device.
    """

    def mean_loss(params: Params, batch: Batch, rng: PRNGKeyArray, step: Array, carry: dict):
        # Frozen networks lie whole on every device already.
        params = {**gather({name: params[name] for name in params if name != NETWORKS}), NETWORKS: params[NETWORKS]}
        if devices == 1:
            return loss_fn(params, batch, rng, step, carry)
        shares = jax.tree.map(lambda x: x.reshape(devices, x.shape[0] // devices, *x.shape[1:]), batch)
        one = lambda share, carried: loss_fn(params, share, rng, step, carried)  # noqa: E731
        losses, (metrics, carry) = jax.vmap(one)(shares, carry)
        return losses.mean(), (jax.tree.map(lambda x: x.mean(0), metrics), carry)

    return mean_loss


def _gradients(
    task: Task, params: Params, batch: Batch, rng: PRNGKeyArray, step: Array
) -> tuple[dict[str, Any], Metrics]:
    """Gradients of every player at the same parameters, and the metrics of all of them."""
    grads: dict[str, Any] = {}
    metrics: Metrics = {}
    carry: dict[str, Any] = {}
    mask = trainable_mask(params, task.frozen)
    for number, (player, loss_fn) in enumerate(task.losses.items()):

        def own_loss(own: Any, player=player, loss_fn=loss_fn, carry=carry, number=number):
            return loss_fn({**params, player: own}, batch, jax.random.fold_in(rng, number), step, carry)

        (loss, (extra, carry)), grad = jax.value_and_grad(own_loss, has_aux=True)(params[player])
        # Zeros here, not after the clip: frozen leaves must not count in the norm, and XLA then drops their backward.
        grads[player] = jax.tree.map(lambda g, trains: g if trains else jnp.zeros_like(g), grad, mask[player])
        extra = {"loss" if number == 0 else f"loss_{player}": loss, **extra}
        if clash := set(extra) & set(metrics):
            raise ValueError(f"task {task.name!r}: two players report {sorted(clash)}")
        metrics.update(extra)
    return grads, metrics


def _accumulated(
    task: Task, params: Params, batch: Batch, rng: PRNGKeyArray, step: Array, parts: int
) -> tuple[dict[str, Any], Metrics]:
    """`_gradients` as the mean over `parts` of the batch, one after the other, so that only one part needs memory.

    Every parts-th item goes together: a batch that is split over devices stays where it is.
    """
    if parts == 1:
        return _gradients(task, params, batch, rng, step)
    rows = jax.tree.map(lambda x: x.reshape(x.shape[0] // parts, parts, *x.shape[1:]).swapaxes(0, 1), batch)

    def gradients(part: Batch) -> tuple[dict[str, Any], Metrics]:
        return _gradients(task, params, part, rng, step)

    shapes = jax.eval_shape(gradients, jax.tree.map(lambda x: x[0], rows))
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    total, _ = jax.lax.scan(lambda sums, part: (jax.tree.map(jnp.add, sums, gradients(part)), None), zeros, rows)
    return jax.tree.map(lambda x: x / parts, total)


def make_train_step(
    task: Task,
    optimizers: Mapping[str, optax.GradientTransformation],
    *,
    ema_decay: float = 0.999,
    accumulate: int = 1,
    spike_sigma: float = 0.0,
    devices: int = 1,
    gather: Callable[[Params], Params] = lambda params: params,
    axis_name: str | None = None,
) -> StepFn:
    """The pure step (state, batch, seed key, the task's networks) -> (state, metrics).

    Randomness is fold_in(seed key, step), so resuming needs the step alone. A step whose gradients are not finite, or
    (with `spike_sigma`) whose norm is as many deviations above normal, changes nothing but `step`, `skipped` and
    `norms`. The average of the parameters warms up as min(decay, (1 + n) / (10 + n)).
    `accumulate` splits the batch into as many parts and averages their gradients.
    `devices` that the batch is split over compute the losses of their own items each, and the mean is taken;
    `gather` lays the parameters out for that (`MeshPartitioner.gathered`). With `axis_name` the step runs per device,
    and gradients and metrics are averaged over that axis (pmap).
    """
    optimizers = _with_frozen(optimizers, task)
    losses = {player: _on_devices(loss_fn, devices, gather) for player, loss_fn in task.losses.items()}
    task = dataclasses.replace(task, losses=losses)

    def train_step(
        state: TrainState, batch: Batch, seed_key: PRNGKeyArray, networks: Networks
    ) -> tuple[TrainState, Metrics]:
        rng = jax.random.fold_in(seed_key, state.step)
        given = {**state.params, NETWORKS: networks}
        grads, metrics = _accumulated(task, given, batch, rng, state.step, accumulate)
        if axis_name is not None:
            grads, metrics = jax.lax.pmean((grads, metrics), axis_name)
        norms = {player: optax.tree.norm(grads[player]) for player in task.players}
        seen = {player: guards.judge(state.norms[player], norm, spike_sigma) for player, norm in norms.items()}
        accepted = jnp.all(jnp.stack([fine for fine, _ in seen.values()]))

        params, opt_state = dict(state.params), {}
        for player in task.players:
            updates, opt_state[player] = optimizers[player].update(
                grads[player], state.opt_state[player], params[player]
            )
            params[player] = optax.apply_updates(params[player], updates)
        count = state.step.astype(jnp.float32)
        decay = jnp.minimum(ema_decay, (1.0 + count) / (10.0 + count))
        ema = jax.tree.map(lambda old, new: old + (1.0 - decay) * (new - old), state.ema, params)

        kept = (params, opt_state, ema)
        before = (state.params, state.opt_state, state.ema)
        params, opt_state, ema = jax.tree.map(lambda new, old: jnp.where(accepted, new, old), kept, before)
        skipped = state.skipped + jnp.where(accepted, 0, 1).astype(jnp.int32)
        metrics |= {f"grad_norm_{player}": norm for player, norm in norms.items()} | {"skipped": skipped}
        return TrainState(
            step=state.step + 1,
            params=params,
            opt_state=opt_state,
            ema=ema,
            skipped=skipped,
            norms={player: known for player, (_, known) in seen.items()},
        ), metrics

    return train_step


def parameter_table(params: Params) -> dict[str, int]:
    """Number of parameters by 'player/module' (a player without modules counts as one), and 'total'."""
    table: dict[str, int] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        part = "/".join(path_name(path).split("/")[: min(2, len(path) - 1)])
        table[part] = table.get(part, 0) + math.prod(leaf.shape)
    return table | {"total": sum(table.values())}
