"""Operations of a program, counted from its jaxpr: of matrix products and convolutions, two for each product added.

This is the count that shares of a peak are stated in: what the model asks for, whatever form a backend computes it in.
Elementwise work, norms and gathers count zero (XLA's own count, `compiled.cost_analysis()`, includes them).
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
from jax.core import ShapedArray
from jax.extend import core

from vasa_jax.ops import backends


def count(fn: Callable[..., Any], *args: Any) -> int:
    """Operations of one call of `fn` with arrays (or their shapes) `args`; nothing is computed.

    Counted in the form of accelerators, where a convolution is one: CPU forms may multiply zeros.
    """
    with backends.as_on("tpu"):
        # A function of its own: JAX would hand back what it traced of `fn` for this machine.
        closed = jax.make_jaxpr(lambda *args: fn(*args))(*args)
    return of_jaxpr(closed)


def of_jaxpr(closed: core.ClosedJaxpr) -> int:
    """Operations of a traced program, with what its backward pass computes again."""
    return _count(closed.jaxpr)


def _count(jaxpr: core.Jaxpr) -> int:
    total = 0
    for equation in jaxpr.eqns:
        name = equation.primitive.name
        if name == "dot_general":
            total += _dot(equation)
        elif name == "conv_general_dilated":
            total += _conv(equation)
        times = equation.params.get("length", 1) if name == "scan" else 1
        inner = [_count(jaxpr) for jaxpr in _inner(equation)]
        # Of branches one runs; a while loop's length is not known, and counts once.
        total += times * (max(inner, default=0) if name == "cond" else sum(inner))
    return total


def _inner(equation: core.JaxprEqn) -> Iterator[core.Jaxpr]:
    """The programs that an equation calls. Rules of differentiation are functions, not programs, and stay out."""
    for value in equation.params.values():
        for item in value if isinstance(value, tuple | list) else [value]:
            if isinstance(item, core.ClosedJaxpr):
                yield item.jaxpr
            elif isinstance(item, core.Jaxpr):
                yield item


def _dot(equation: core.JaxprEqn) -> int:
    (contracted, _), _ = equation.params["dimension_numbers"]
    left = _shape(equation.invars[0])
    return 2 * math.prod(_shape(equation.outvars[0])) * math.prod(left[axis] for axis in contracted)


def _conv(equation: core.JaxprEqn) -> int:
    """Zeros put between pixels (the backward pass of a stride) are not multiplied by a good kernel, and not counted."""
    kernel = _shape(equation.invars[1])
    spec = equation.params["dimension_numbers"].rhs_spec
    taps = math.prod(kernel) // kernel[spec[0]]
    dilation = math.prod(equation.params["lhs_dilation"])
    return 2 * math.prod(_shape(equation.outvars[0])) * taps // dilation


def _shape(value: core.Var | core.Literal) -> tuple[int, ...]:
    assert isinstance(value.aval, ShapedArray)
    return value.aval.shape
