"""Classifier-free guidance with one scale per condition (VASA-1, section 3.3; Ho and Salimans 2022)."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

Drop = dict[str, Bool[Array, "b"]]
Network = Callable[[Float[Array, "r t m"], Int[Array, "r"], object, Drop], Float[Array, "r t m"]]


def guided(
    network: Network,
    conditions: object,
    scales: Mapping[str, Float[Array, ""] | float],
    names: tuple[str, ...],
    drop: Drop | None = None,
) -> Callable[[Float[Array, "b t m"], Int[Array, "b"]], Float[Array, "b t m"]]:
    """X_0 = (1 + sum_c lambda_c) H(C) - sum_c lambda_c H(C | c = null), all passes in one batch.

    Args:
      network: (noisy, time, conditions, drop) -> clean; `drop` says per row which conditions are null.
      conditions: pytree of arrays with the batch in front.
      scales: condition name -> lambda_c; only the given names get a pass.
      names: every name that may stand in `drop`.
      drop: conditions that are null in every pass, such as the previous window of the first window.

    Returns:
      A function of (noisy, time) for the sampler.
    """
    unknown = set(scales) - set(names)
    if unknown:
        raise ValueError(f"no condition is called {sorted(unknown)}; there are {list(names)}")
    passes = len(scales) + 1

    def tile(x: Array) -> Array:
        return jnp.concatenate([x] * passes)

    def denoise(noisy: Float[Array, "b t m"], timestep: Int[Array, "b"]) -> Float[Array, "b t m"]:
        rows = noisy.shape[0]
        always = {name: (drop or {}).get(name, jnp.zeros(rows, bool)) for name in names}
        dropped = {
            name: jnp.concatenate([always[name]] + [always[name] | (name == scaled) for scaled in scales])
            for name in names
        }
        clean = network(tile(noisy), tile(timestep), jax.tree.map(tile, conditions), dropped)
        full, *without = jnp.split(clean, passes)
        # (1 + sum lambda) H - sum lambda H_null, written as steps away from each null prediction.
        away = [scale * (full - null) for scale, null in zip(scales.values(), without, strict=True)]
        return sum(away, full)

    return denoise
