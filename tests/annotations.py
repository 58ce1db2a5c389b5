"""How annotations are checked in the tests: by beartype, for jaxtyping's import hook (tests/conftest.py)."""

import functools
import inspect
import operator
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, Union, get_args, get_origin

import jax
import jaxtyping
import numpy as np
from beartype import BeartypeConf, beartype
from jaxtyping import AbstractArray

TOWER = BeartypeConf(is_pep484_tower=True)
"""An int is a float where one is asked for, as static checkers have it."""

_ANY_ARRAY, _NUMBER = jax.Array | np.ndarray, np.generic | int | float


def _mapped(hint: Any, change: Callable[[Any], Any]) -> Any:
    """The hint with its parts changed."""
    changed = change(hint)
    if changed is not hint or isinstance(hint, type) and issubclass(hint, AbstractArray):
        return changed
    kind, parts = get_origin(hint), tuple(_mapped(part, change) for part in get_args(hint))
    if kind in (Union, types.UnionType):
        return functools.reduce(operator.or_, parts)
    return kind[parts] if kind in (list, tuple, dict, Mapping, Sequence) else hint


def _without_self(hint: Any) -> Any:
    """The hook decorates methods one by one, where beartype knows no `Self`: that is left to the static checker."""
    names = hint is Self or any(_without_self(part) is Any for part in get_args(hint))
    return Any if names else hint


def _in_memory_too(hint: Any) -> Any:
    """JAX's functions take NumPy's arrays and numbers wherever they take its own; they return their own."""
    if hint is jax.Array:
        return _ANY_ARRAY | _NUMBER
    if isinstance(hint, type) and issubclass(hint, AbstractArray) and hint.array_type is jax.Array:
        both = hint.dtype[_ANY_ARRAY, hint.dim_str]
        return both if hint.dim_str else Union[both, _NUMBER]  # noqa: UP007 (classes made at run time)
    return hint


def _as_checked(name: str, hint: Any) -> Any:
    hint = _without_self(hint)
    return hint if name == "return" else _mapped(hint, _in_memory_too)


def _is_rebuilt(args: tuple, kwargs: dict[str, Any]) -> bool:
    """Whether JAX makes a tree's class of what it has instead of arrays: shapes, axes, shardings, None."""
    leaves = jax.tree.leaves((args[1:], kwargs))
    if not hasattr(args[0], "_flax_dataclass"):
        return any(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in leaves)
    return not leaves or not all(isinstance(leaf, jax.Array | np.ndarray) for leaf in leaves)


def checked(function: Callable) -> Callable:
    """Checks arguments and results, as `beartype` does; the checks are made at the first call.

    Making them takes milliseconds a function, and a test calls few of the thousands that it imports.
    """
    known = None

    @functools.wraps(function)
    def check(*args: Any, **kwargs: Any) -> Any:
        nonlocal known
        if jaxtyping.config.jaxtyping_disable:
            return function(*args, **kwargs)
        if function.__name__ == "__init__" and _is_rebuilt(args, kwargs):
            return None
        if known is None:
            hints = inspect.get_annotations(function)
            function.__annotations__ = {name: _as_checked(name, hint) for name, hint in hints.items()}
            known = beartype(function, conf=TOWER)
        return known(*args, **kwargs)

    return check
