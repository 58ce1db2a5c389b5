"""A training task as a value: how to start the parameters and what each player minimises.

A player is a set of parameters with its own loss and optimiser. The face model has two (generator and discriminator),
the motion model one. The loop, the partitioners and the checkpoints know only this value.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
from jaxtyping import Array, Float, Int, Key, PRNGKeyArray

Params = dict[str, Any]  # {player: tree of arrays}
Batch = dict[str, Array]
Metrics = dict[str, Array]
Carry = dict[str, Any]
Networks = Mapping[str, Any]  # {name: tree of arrays}
NETWORKS = "networks"
"""Where losses find a task's frozen networks among the parameters they are given."""

LossFn = Callable[[Params, Batch, PRNGKeyArray, Array, Carry], tuple[Array, tuple[Metrics, Carry]]]


def _no_metrics(params: Params, batch: Batch, rng: PRNGKeyArray) -> Metrics:
    return {}


def _no_images(params: Params, batch: Batch, rng: PRNGKeyArray) -> dict[str, Float[Array, "h w c"]]:
    return {}


@dataclasses.dataclass(frozen=True)
class Task:
    """What a run trains.

    Attributes:
      name: short name, used in logs.
      init: (rng, batch) -> {player: parameters}.
      losses: {player: loss_fn} in the order of evaluation. loss_fn(params, batch, rng, step, carry) -> (scalar,
        (metrics, carry)); it is differentiated with respect to params[player] only, at the parameters from before the
        step. `carry` goes on to the next player of the same step, so that a discriminator can reuse the images of the
        generator. The first player is the model that is released.
      evaluate: (ema parameters, held-out batch, rng) -> metrics.
      images: (ema parameters, held-out batch, rng) -> {name: image in 0..1}, for the eye.
      frozen: regular expression; parameters whose path "player/module/.../name" it matches (re.search) do not change.
      networks: what losses look through and nobody trains, by name: feature networks, a teacher, a speech model. They
        are an argument of the compiled step, are not saved, and come to losses and watchers as params["networks"].
    """

    name: str
    init: Callable[[PRNGKeyArray, Batch], Params]
    losses: Mapping[str, LossFn]
    evaluate: Callable[[Params, Batch, PRNGKeyArray], Metrics] = _no_metrics
    images: Callable[[Params, Batch, PRNGKeyArray], dict[str, Array]] = _no_images
    frozen: str = ""
    networks: Networks = dataclasses.field(default_factory=dict)

    @property
    def players(self) -> tuple[str, ...]:
        return tuple(self.losses)

    def given(self, params: Params) -> Params:
        """Parameters as losses, `evaluate` and `images` want them: the frozen networks beside the players."""
        return {**params, NETWORKS: self.networks}


def example_keys(rng: PRNGKeyArray, index: Int[Array, "b"]) -> Key[Array, "b"]:
    """One key per example from its global position in the batch, so that every way of splitting a batch agrees."""
    return jax.vmap(lambda i: jax.random.fold_in(rng, i))(index)
