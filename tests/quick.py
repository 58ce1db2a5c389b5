"""Compiling for tests: most of a test's time goes into XLA, and most of that into optimising code that runs once."""

import functools

import jax

FAST = {"xla_backend_optimization_level": 0}

jit = functools.partial(jax.jit, compiler_options=FAST)
"""`jax.jit` that compiles as fast as can be. Without any jit every operation is compiled alone: slower by far."""
