"""Which form of an operation runs on which backend: the one place to see it and to change it.

Every form gives the same numbers to rounding. Picked by whole programs (a decoded frame, a train step), never by the
operation alone: what XLA compiles around a gather changes its cost by an order of magnitude. What was measured, with
device and date, is in docs/speed.md; GPU and TPU have not been measured, and take the form that is best on paper.
"""

import contextlib
import contextvars
from collections.abc import Iterator

import jax
import jax.numpy as jnp

_backend: contextvars.ContextVar[str] = contextvars.ContextVar("backend", default="")
_forced: contextvars.ContextVar[dict[str, str]] = contextvars.ContextVar("forced", default={})  # noqa: B039


@contextlib.contextmanager
def as_on(backend: str) -> Iterator[None]:
    """Picks as on that backend whatever is at hand or was asked for, to compile for a machine that is not there."""
    tokens = _backend.set(backend), _forced.set({})
    try:
        yield
    finally:
        _backend.reset(tokens[0])
        _forced.reset(tokens[1])


@contextlib.contextmanager
def using(**forms: str) -> Iterator[None]:
    """Takes these forms (conv3d=..., warp=...) whatever the table says, to measure them: `--suite=forms`."""
    token = _forced.set({**_forced.get(), **forms})
    try:
        yield
    finally:
        _forced.reset(token)


def backend() -> str:
    """Where the program being traced will run: "cpu", "gpu" or "tpu"."""
    return _backend.get() or jax.default_backend()


def conv3d(depth: int) -> str:
    """Form of `ops.conv3d.conv3d` for a volume of so many planes."""
    if form := _forced.get().get("conv3d"):
        return form
    if backend() != "cpu":
        return "native"
    return "folded" if depth <= 4 else "depth_taps"


def warp(axes: int) -> str:
    """Form of `ops.warp.grid_sample` for volumes (3 axes) and images (2)."""
    if form := _forced.get().get("warp"):
        return form
    if backend() == "tpu":
        return "planes"
    return "stacked" if backend() == "cpu" or axes == 2 else "corners"


def pool() -> str:
    """Form of `ops.resize.average_pool`: "window" where reshaping to blocks moves the array, which it does on TPUs."""
    return _forced.get().get("pool") or ("window" if backend() == "tpu" else "mean")


def moments() -> str:
    """Form of the sums in `ops.group_norm.group_norm`."""
    return _forced.get().get("moments") or ("dot" if backend() == "cpu" else "reduce")


def upsampled_conv() -> str:
    """Form of `ops.upsampled_conv.upsampled_conv`."""
    return _forced.get().get("upsampled_conv") or ("phases" if backend() == "cpu" else "repeated")


def attention(dtype: jax.typing.DTypeLike, channels: int) -> str:
    """Form of `ops.attention.attention` for heads of so many channels: "cudnn" is the fused one, of GPUs only."""
    if form := _forced.get().get("attention"):
        return form
    fits = jnp.dtype(dtype).itemsize == 2 and channels % 8 == 0 and channels <= 128
    return "cudnn" if backend() == "gpu" and fits else "xla"
