"""Programs are read: exchanges, loops, branches, cycles."""

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from experiments.planning import program
from experiments.planning.program import Collective

# What a TPU's compiler writes, cut to what is read.
TEXT = """HloModule jit_step

%add (x: f32[], y: f32[]) -> f32[] {
  ROOT %sum = f32[] add(%x, %y)
}

%all-reduce-scatter.1 (p: f32[64]) -> f32[8] {
  %reduced = f32[64]{0:T(256)} all-reduce(%p), replica_groups=[2,8]<=[16], to_apply=%add
  ROOT %own = f32[8]{0} dynamic-slice(%reduced, %at)
}

%body (carry: (s32[], f32[8,4])) -> (s32[], f32[8,4]) {
  %x = f32[8,4]{1,0:T(8,128)S(1)} get-tuple-element(%carry), index=1
  %more = f32[8,4]{1,0} fusion(%x), kind=kLoop, calls=%fused, backend_config={"window_config":{"estimated_cycles":"10"}}
  %moved = f32[8,4]{1,0} collective-permute(%more), source_target_pairs={{0,1},{1,0}}
  ROOT %t = (s32[], f32[8,4]) tuple(%n, %moved)
}

%condition (carry: (s32[], f32[8,4])) -> pred[] {
  %limit = s32[]{:T(128)} constant(5)
  %n = s32[]{:T(128)} get-tuple-element(%carry), index=0
  ROOT %lt = pred[]{:T(512)} compare(%n, %limit), direction=LT
}

ENTRY %main (a: f32[8,4], b: bf16[64]) -> f32[8,4] {
  %a = f32[8,4]{1,0} parameter(0)
  %loop = (s32[]{:T(128)}, f32[8,4]{1,0:T(8,128)}) while(%start), condition=%condition, body=%body
  %sums = (f32[16]{0}, bf16[32]{0}) all-reduce(%c, %d), replica_groups=mesh['x'=4,'y'=4] {'x'}, to_apply=%add
  %got = (f32[8]{0}, f32[32]{0}) all-gather-start(%e), replica_groups={{0,1,2,3},{4,5,6,7}}, dimensions={0}
  %whole = f32[32]{0} all-gather-done(%got)
  %part = f32[8]{0} fusion(%e), kind=kCustom, calls=%all-reduce-scatter.1, backend_config={"estimated_cycles":"99"}
  ROOT %out = f32[8,4]{1,0} fusion(%f), kind=kLoop, calls=%fused, backend_config={"estimated_cycles":"7"}
}
"""


def test_a_tpu_program_is_read():
    found = program.read(TEXT, 16)
    assert found.collectives == {
        Collective("all-reduce", 16 * 4 + 32 * 2, 4): 1,
        Collective("all-gather", 32 * 4, 4): 1,
        Collective("reduce-scatter", 64 * 4, 8): 1,
        Collective("collective-permute", 8 * 4 * 4, 16): 5,
    }
    # The loop turns five times; an operation that exchanges counts by its bytes, not by its cycles.
    assert found.cycles == 5 * 10 + 7 and found.open_loops == 0


def test_what_leaves_a_device_in_a_ring():
    assert Collective("all-reduce", 80, 8).wire == 2 * 70
    assert Collective("all-gather", 80, 8).wire == Collective("reduce-scatter", 80, 8).wire == 70
    assert Collective("collective-permute", 80, 8).wire == 80


def test_a_loop_whose_end_is_not_written_counts_once_and_is_told():
    found = program.read(TEXT.replace("direction=LT", "direction=NE"), 16)
    assert found.cycles == 17 and found.open_loops == 1


@pytest.mark.parametrize("ways", [8, 4])
def test_a_sum_over_devices_of_this_machine(ways):
    """The real compiler's text, of a matrix product whose inner axis is split."""
    mesh = jax.make_mesh((8 // ways, ways), ("rest", "split"), axis_types=(AxisType.Auto,) * 2)
    sharding = NamedSharding(mesh, PartitionSpec(None, "split")), NamedSharding(mesh, PartitionSpec("split", None))
    product = jax.jit(jnp.matmul, in_shardings=sharding, out_shardings=NamedSharding(mesh, PartitionSpec()))
    compiled = product.lower(jnp.zeros((16, 32)), jnp.zeros((32, 16))).compile()
    assert program.read(compiled.as_text(), 8).collectives == {Collective("all-reduce", 16 * 16 * 4, ways): 1}
