"""What a test module holds is given back: its own caches, and the programs that JAX keeps for the session."""

import functools
import gc
import mmap
import weakref
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np

from tests import conftest


def test_caches_and_compiled_programs_are_let_go():
    module = ModuleType("of_tests")
    program = jax.jit(lambda x: x + 1)
    module.made = functools.cache(lambda: program(jnp.zeros(3)))
    held = weakref.ref(module.made())
    gc.collect()
    assert held() is not None and program._cache_size() == 1
    conftest.give_back(module)
    assert held() is None and program._cache_size() == 0
    np.testing.assert_array_equal(module.made(), 1.0)  # and made again when they are asked for


def test_memory_of_this_process_is_read():
    held = conftest.resident()
    with mmap.mmap(-1, 2**25) as block:  # not from the heap, which may hold as much that is free
        block.write(bytes(2**20) * 32)
        assert 2**24 < conftest.resident() - held < 2**27
