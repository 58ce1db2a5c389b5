"""What the compiler has placed is read before it has written code."""

import functools
import tempfile

import jax
import jax.numpy as jnp
import pytest

from experiments.planning import compiler, placement, step, topology

ASSIGNMENT = """BufferAssignment:
allocation 0: size 512, thread-local:
 value: <16 constant @0> (size=512,offset=0): f32[]
allocation 1: size 4096, parameter 0, shape |f32[1024]| at ShapeIndex {}, maybe-live-out:
 value: <1 p @0> (size=4096,offset=0): f32[1024]{0}
allocation 2: size 100, parameter 1, shape |f32[25]| at ShapeIndex {}:
allocation 3: size 64, output shape is |f32[16]|, maybe-live-out:
allocation 4: size 2048, color 1, preallocated-temp:
allocation 5: size 9000, preallocated-temp:
allocation 6: size 24, constant:
"""


def test_main_memory_is_counted_by_part():
    """A donated argument is one; on-chip memory (another colour) and what lives in a thread are not."""
    assert placement.read(ASSIGNMENT) == {"arguments": 4196, "outputs_not_in_place": 64, "temporary": 9024}


USAGE = """Memory Space: default (color=0)
Total bytes: 3221225984 (3.00GiB)
  cumulative_size;       size;       offset; used_by_n_values; shapes_list
  ------------------------------------------------------------
   512.0KiB(100%);   512.0KiB;            0;                1; bf16[256,1024]

    2.00GiB( 66%);    2.00GiB;   5981978624;                2; f32[4,2], 2×f32[8]
Memory Space: vmem (color=1)
    9.00GiB( 80%);    9.00GiB;            0;                1; bf16[1024,1024]
"""


def test_the_largest_places_of_main_memory_come_first():
    assert placement.largest(USAGE) == [
        {"bytes": 2 * 2**30, "arrays": "f32[4,2], 2×f32[8]"},
        {"bytes": 512 * 2**10, "arrays": "bf16[256,1024]"},
    ]
    assert placement.largest("") == []


def test_it_agrees_with_the_whole_compilation(tmp_path, monkeypatch):
    monkeypatch.setattr(compiler, "cache", lambda: tmp_path)
    function = jax.jit(lambda x: jnp.sin(x @ x.T) @ jnp.cos(x), donate_argnums=0)
    lowered = function.lower(jax.ShapeDtypeStruct((256, 256), jnp.float32))
    folder = tmp_path / "dump"
    place = functools.partial(placement.place, folder=str(folder))
    placed = compiler.compile_kept(lowered, "here", memory=2**20, arguments=2**18, place=place)
    whole = compiler.compile_kept(lowered, "here", memory=2**20, arguments=2**18)
    assert placed["placed"] and "placed" not in whole and placed["fits"]
    for part in ("arguments", "outputs_not_in_place"):
        assert placed["bytes"][part] == whole["bytes"][part]
    assert placed["largest"][0]["bytes"] == 2**18
    assert "cosine" in compiler.text_of(placed)
    # What has been compiled to the end says more.
    again = compiler.compile_kept(lowered, "here", memory=2**20, arguments=2**18, place=place)
    assert again == whole


def test_a_compiler_that_writes_nothing_down_is_an_error(tmp_path):
    class Done:
        def compile(self, compiler_options):
            assert compiler_options == {"quick": True, "xla_dump_to": str(tmp_path)}

    with pytest.raises(RuntimeError, match="wrote no"):
        placement.place(Done(), str(tmp_path), {"quick": True})


def test_what_fails_in_the_process_of_its_own_is_raised_here(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(RuntimeError, match="(?s)Traceback.*NoneType"):
        placement.compile_apart(None, topology.parse("cpu:1"), step.Layout((1, 1, 1), 1))
    assert not list(tmp_path.iterdir())
