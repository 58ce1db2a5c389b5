"""The parts of stage 1's step are the whole of it."""

import functools

import jax
import ml_collections
import pytest

from experiments.common import dry_run
from experiments.configs.face import tiny_64
from experiments.configs.motion import tiny as motion
from experiments.planning import compiler, estimate, page, parts, topology
from tests.experiments.planning.test_estimate import GIB, _compiled, _config
from vasa_jax.errors import UsageError
from vasa_jax.training import flops

ITEMS = 2


@functools.cache
def _face() -> ml_collections.ConfigDict:
    config = tiny_64.get_config().copy_and_resolve_references()
    config.unlock()
    config.model.size = config.model.face_size = 32
    config.model.identity.size = config.model.pose.size = 32
    config.model.warp.widths = (16, 12)
    config.discriminator.update({"enabled": True, "scales": 1, "widths": (8, 8)})
    return config


@functools.cache
def _parts(accumulate: int = 1) -> tuple[parts.Part, ...]:
    config = _face().copy_and_resolve_references()
    config.accumulate = accumulate
    return tuple(parts.of_step(config, ITEMS * accumulate))


@pytest.mark.parametrize("accumulate", [pytest.param(1, marks=pytest.mark.slow), 3])
@pytest.mark.heavy
def test_their_operations_add_up_to_the_steps(accumulate):
    """Exactly: no network, loss or player is left out, and none is counted twice."""
    config = _face().copy_and_resolve_references()
    config.accumulate = accumulate
    make, state, batch, networks = dry_run.pure_step(config, ITEMS * accumulate)
    whole = flops.count(make(), state, batch, dry_run.example_key(), networks)
    asked = sum(part.times * flops.count(part.function, *part.arguments) for part in _parts(accumulate))
    assert asked == whole > 1e8


@pytest.mark.heavy
def test_gradients_reach_every_network_once_a_pass():
    _, state, _, _ = dry_run.pure_step(_face(), ITEMS)
    by_name = {part.name: part for part in _parts()}
    assert list(by_name)[0] == "views" and list(by_name)[-3:] == ["losses", "critic", "update"]
    passes = [set(part.arguments[0]) for part in _parts()[1:-3]]
    assert not passes[0] & passes[1] and not passes[2] & passes[3]
    assert set().union(*passes) | set(by_name["losses"].arguments[0]) == set(state.params["model"])


def test_codes_and_latents_get_gradients_and_views_do_not():
    part = {part.name: part for part in _parts()}["render"]
    out, (_, (latents, code)) = jax.eval_shape(part.function, *part.arguments)
    assert out["image"].shape[1:] == (32, 32, 3) and code.shape == part.arguments[1][2].shape
    assert latents.appearance is not None and latents.identity is not None
    assert latents.pose is None and latents.image is None
    part = {part.name: part for part in _parts()}["encode_with_offsets"]
    _, (_, (code,)) = jax.eval_shape(part.function, *part.arguments)
    assert code.shape == part.arguments[1][2].shape


def test_only_stage_1_and_only_tpus_have_parts():
    for config, machine in ((motion.get_config(), "v5e:2x4"), (_face(), "cpu:8")):
        with pytest.raises(UsageError, match="motion|cpu:8"):
            parts.check(config, topology.parse(machine))
    parts.check(_face(), topology.parse("v5e:2x4"))


HLO = """HloModule step
ENTRY %main (x: f32[4]) -> f32[4] {
  ROOT %add = f32[4] add(%x, %x), backend_config={"estimated_cycles":"1500000"}
}
"""


@pytest.mark.parametrize("frozen", ["", pytest.param("pose_encoder", marks=pytest.mark.slow)])
@pytest.mark.heavy
def test_seconds_are_cycles_times_how_often_a_part_runs(monkeypatch, frozen):
    config = _face().copy_and_resolve_references()
    config.accumulate, config.frozen = 3, frozen
    monkeypatch.setattr(topology.Topology, "devices", lambda self: jax.devices("cpu"))
    monkeypatch.setattr(topology, "compiler", lambda machine: "none")
    effort, kept = [], {"text": "x", "operations_compiled": 197e9 * 2, "compile_seconds": 1.0}
    monkeypatch.setattr(compiler, "compile_kept", lambda *_, **__: effort.append(compiler.effort()) or kept)
    monkeypatch.setattr(compiler, "text_of", lambda found: HLO)
    compiler.set_effort(-1.0)
    try:
        rows = parts.seconds(config, topology.parse("v5e"), 3 * ITEMS)
        assert compiler.effort() == -1.0 and set(effort) == {0.0}
        times = {row["part"]: row["times"] for row in rows}
        assert times.pop("update") == 1 and set(times.values()) == {3}
        for row in rows:  # 1.5 M cycles at 1.5 GHz; 394 GFLOP in a ms of a chip of 197 TFLOP/s
            assert row["seconds"] == pytest.approx(1e-3 * row["times"]) and row["share_of_peak"] == pytest.approx(2.0)
        monkeypatch.setattr(compiler, "compile_kept", lambda *_, **__: {"fits": False, "compile_seconds": 1.0})
        with pytest.raises(UsageError, match="views alone does not fit"):
            parts.seconds(config, topology.parse("v5e"), 3 * ITEMS)
    finally:
        compiler.set_effort(0.0)


def _rows(*lengths):
    return [
        {"part": f"p{n}", "seconds": length, "operations": 1e12, "share_of_peak": 0.5, "compile_seconds": 1.0}
        for n, length in enumerate(lengths)
    ]


def test_they_stand_in_where_the_whole_has_no_seconds():
    compiled = _compiled(2 * GIB)
    compiled.found.update(placed=True)
    report = estimate.report(_config(), topology.parse("v5e:16x16"), compiled)
    assert report["step_seconds"] is None
    timed = estimate.with_parts(report, _rows(0.5, 1.5))
    exchange = report["seconds"]["collectives"]
    assert timed["step_seconds"] == timed["seconds"]["step"] == pytest.approx(2.0 + exchange)
    assert timed["items_per_second"] == pytest.approx(512 / (2.0 + exchange))
    assert timed["collective_share"] == pytest.approx(exchange / (2.0 + exchange))
    host = estimate.with_parts(report | {"seconds": report["seconds"] | {"collectives": 0.0}}, _rows(0.5, 1.5))
    assert estimate.efficiency(timed, host) == {"efficiency": pytest.approx(2 / (2 + exchange)), "bound": False}
    words = page.render(timed | {"config": "c", "topology": "t", "command": [], "compiler": "c", "date": "d"})
    assert "Where the seconds go" in words and "1,500.00 ms" in words and "75%" in words


def test_they_stand_beside_the_seconds_of_a_whole_compilation():
    report = estimate.report(_config(), topology.parse("v5e:16x16"), _compiled(2 * GIB))
    timed = estimate.with_parts(report, _rows(0.5, 1.5))
    assert timed["step_seconds"] == report["step_seconds"] and timed["seconds"]["compute_by_parts"] == 2.0
