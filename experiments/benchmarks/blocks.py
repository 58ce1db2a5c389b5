"""Suite `blocks`: what a decoded frame is made of, beside the machine's peak: where the rest of its share goes.

    python -m experiments.benchmark --suite=blocks --batches=4 --report=blocks.json

A 3x3 convolution and a whole residual block (two of them, norms, ReLU, weight standardisation) at the sizes of
lite_256's generator, and their shares of a matrix product in the same run. What a block loses against its convolutions
are the norms; what `--suite=decode` loses against the blocks are warps, resizing and the moved image.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from experiments.benchmarks import decode
from experiments.common import timing

SIZES = ((128, 32), (64, 64), (32, 128))  # channels, side


def run(options: dict[str, Any]) -> dict[str, Any]:
    """Operations a second and shares, everything in turns."""
    backend = jax.default_backend()
    dtype = options["dtype"] or ("float32" if backend == "cpu" else "bfloat16")
    batch = (options["batches"] or [4 if backend == "cpu" else 16])[0]
    jobs = decode.matmuls(dtype, backend)
    peaks = list(jobs)
    for channels, side in SIZES:
        jobs |= pair(channels, side, batch, dtype)
    laps = timing.in_turns(jobs, options["rounds"])
    best = max(peaks, key=lambda name: decode.speed(laps[name]))
    report: dict[str, Any] = {"dtype": dtype, "batch": batch, "rounds": options["rounds"], "compared_with": best}
    for name, found in laps.items():
        report[name] = {"flops_p50": decode.speed(found), **timing.share(found, laps[best])}
        print(f"{name}: {report[name]}", flush=True)
    return report


def pair(channels: int, side: int, batch: int, dtype: str) -> dict[str, decode.Job]:
    """Laps of a convolution and of a block, their items operations."""
    from vasa_jax.models.layers import ResBlock
    from vasa_jax.training import flops

    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(batch, side, side, channels)), dtype)
    kernel = jnp.asarray(rng.normal(size=(3, 3, channels, channels)), dtype)
    block = ResBlock(channels)
    programs = {"convolution": (_convolve, kernel), "block": (block.apply, block.init(jax.random.key(0), x))}
    return {
        f"{name} {channels} of {side}x{side}": _lap(jax.jit(fn), flops.count(fn, params, x), params, x)
        for name, (fn, params) in programs.items()
    }


def _convolve(kernel: jax.Array, x: jax.Array) -> jax.Array:
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _lap(fn: Callable[..., Any], asked: int, *args: Any) -> decode.Job:
    def work() -> int:
        jax.block_until_ready(fn(*args))
        return asked

    return lambda: timing.lap(work)
