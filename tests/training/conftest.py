"""Programs that were compiled once in a session are not compiled again: the toy is trained many times."""

import jax
import pytest


@pytest.fixture(scope="package", autouse=True)
def compile_cache(tmp_path_factory):
    """Folder of the compiled programs, also for child processes."""
    folder = tmp_path_factory.mktemp("compiled")
    before = jax.config.jax_compilation_cache_dir, jax.config.jax_persistent_cache_min_compile_time_secs
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    yield folder
    jax.config.update("jax_compilation_cache_dir", before[0])
    jax.config.update("jax_persistent_cache_min_compile_time_secs", before[1])
