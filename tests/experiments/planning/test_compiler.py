"""What is kept of a compilation, and what is read from the compiler's words."""

import jax
import jax.numpy as jnp
import pytest

from experiments.planning import compiler


@pytest.mark.parametrize(
    ("message", "total"),
    [
        ("RESOURCE_EXHAUSTED: XLA:TPU compile permanent error. Used 20.5G of 15.75G hbm. Exceeded", 20.5),
        (
            "the total memory required for HLO temporaries (18.5G) exceeds available HBM (15.75G).",
            20.5,
        ),
    ],
)
def test_what_does_not_fit_is_read_from_the_compilers_words(message, total):
    found = compiler.too_large(message, 2 * 2**30)
    assert found == {"fits": False, "bytes": {"total": int(total * 2**30)}, "hbm": int(15.75 * 2**30)}
    with pytest.raises(RuntimeError, match="bus error"):
        compiler.too_large("bus error", 0)


def test_a_program_is_compiled_once(tmp_path, monkeypatch):
    monkeypatch.setattr(compiler, "cache", lambda: tmp_path)
    lowered = jax.jit(lambda x: jnp.sin(x) + 1.0).lower(jnp.zeros(1024))
    said: list[str] = []
    first = compiler.compile_kept(lowered, "here", memory=2**20, arguments=4096, say=said.append)
    assert first["fits"] and first["bytes"]["arguments"] == 4096 and "sine" in compiler.text_of(first)
    assert compiler.compile_kept(lowered, "here", memory=2**20, arguments=4096, say=said.append) == first
    assert len(said) == 1
    compiler.compile_kept(lowered, "elsewhere", memory=2**20, arguments=4096, say=said.append)
    assert len(said) == 2


def test_what_less_effort_gave_is_kept_apart_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(compiler, "cache", lambda: tmp_path)
    lowered = jax.jit(lambda x: x * 2.0).lower(jnp.zeros(8))
    try:
        compiler.set_effort(-1.0)
        quick = compiler.compile_kept(lowered, "here", memory=2**20, arguments=32)
    finally:
        compiler.set_effort(0.0)
    assert quick["effort"] == -1.0
    assert "effort" not in compiler.compile_kept(lowered, "here", memory=2**20, arguments=32)


def test_a_program_larger_than_the_memory_does_not_fit(tmp_path, monkeypatch):
    monkeypatch.setattr(compiler, "cache", lambda: tmp_path)
    lowered = jax.jit(lambda x: x + 1.0).lower(jnp.zeros(1024))
    assert not compiler.compile_kept(lowered, "here", memory=4096, arguments=4096)["fits"]
