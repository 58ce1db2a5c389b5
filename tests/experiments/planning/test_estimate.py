"""Seconds, rates and advice from a compiled step."""

import functools
import re
from collections import Counter

import jax
import ml_collections
import pytest

from experiments.planning import estimate, page, step, topology
from experiments.planning.program import Collective, Program
from experiments.planning.step import Compiled, Layout
from tests.training import toy
from vasa_jax.training.partition import MeshPartitioner
from vasa_jax.training.train_step import init_state, make_optimizers

GIB = 2**30


def _config(**changes):
    base = ml_collections.ConfigDict({"task": "face", "steps": 86_400, "model": {"block": {"remat": "blocks"}}})
    base.update(changes)
    return base


def _compiled(total, mesh=(256, 1, 1), items=2, state=GIB, machine="v5e:16x16"):
    hbm = topology.parse(machine).memory_of_device
    program = Program(Counter({Collective("all-reduce", 200_000_000, 256): 1}), 750_000_000, 0)
    found = {"fits": total <= hbm, "bytes": {"total": total}, "hbm": hbm, "step_seconds_reckoned": 0.25}
    return Compiled(Layout(mesh, items), found, {"parameters_model": state, "batch": GIB}, program)


def test_seconds_are_cycles_and_what_the_links_carry():
    machine = topology.parse("v5e:16x16")
    report = estimate.report(_config(), machine, _compiled(2 * GIB))
    # 750 M cycles at 1.5 GHz; 2 x 255/256 x 200 MB over 200 GB/s.
    assert report["seconds"]["compute"] == 0.5
    assert report["seconds"]["collectives"] == pytest.approx(2 * 255 / 256 * 1e-3)
    assert report["days"] == pytest.approx(report["step_seconds"]) and report["batch_size"] == 512
    assert report["items_per_second"] == pytest.approx(512 / report["step_seconds"])
    assert report["fits"] and report["bytes_per_chip"] == 2 * GIB and not report["suggestion"]
    assert report["collective_bytes"] == 200_000_000
    assert report["collectives"] == [{"kind": "all-reduce", "ways": 256, "count": 1, "bytes": 200_000_000}]


def test_little_effort_gives_no_seconds_but_what_the_peak_allows():
    compiled = _compiled(2 * GIB)
    compiled.found.update(effort=-1.0, operations_compiled=197e12)
    report = estimate.report(_config(), topology.parse("v5e:16x16"), compiled)
    assert (
        report["step_seconds"] is report["days"] is report["collective_share"] is report["seconds"]["compute"] is None
    )
    exchange = report["seconds"]["collectives"]
    assert report["seconds"]["compute_at_peak"] == pytest.approx(1.0)
    assert report["collective_share_at_most"] == pytest.approx(exchange / (1.0 + exchange))
    words = page.render(report | {"config": "c", "topology": "t", "command": [], "compiler": "c", "date": "d"})
    assert "a step at the chip&#x27;s peak" in words or "a step at the chip's peak" in words


@pytest.mark.parametrize("ways", [1, 4])
def test_what_fsdp_splits_is_whole_inside_of_a_step(ways):
    task, batch = toy.make(), toy.batch(0)
    state = functools.partial(init_state, task, make_optimizers(toy.config(), task), jax.random.key(0))
    state = jax.eval_shape(state, batch)
    layouts = MeshPartitioner({"data": -1, "fsdp": ways}, min_size=64)
    parts = step.bytes_by_part(state, layouts.shardings(state), layouts.computing(state.params), batch, 8)
    lying = parts["parameters_model"] + parts["parameters_adversary"]
    whole = 4 * sum(leaf.size for leaf in jax.tree.leaves(state.params))
    assert parts["gradients"] == whole and parts["average"] == lying
    assert (parts.get("parameters_put_together"), lying < whole) == ((whole, True) if ways > 1 else (None, False))


def test_a_chip_of_two_devices_counts_both():
    machine = topology.parse("tpu7x:4x4x4")
    report = estimate.report(_config(), machine, _compiled(2 * GIB, machine="tpu7x:4x4x4"))
    assert report["bytes_per_chip"] == 4 * GIB and report["hbm_per_chip"] == 2 * machine.memory_of_device
    assert report["seconds"]["collectives"] == pytest.approx(2 * 255 / 256 * 0.2 * 2 / 600)


@pytest.mark.parametrize(
    ("compiled", "config", "words"),
    [
        (_compiled(40 * GIB, state=12 * GIB), _config(), "--config.mesh.fsdp=4"),
        (_compiled(40 * GIB), _config(model={"block": {"remat": ""}}), "--config.model.block.remat=blocks"),
        (_compiled(40 * GIB, items=8), _config(), "--batch_per_device=3, .* --config.accumulate=3"),
        (_compiled(40 * GIB, items=1), _config(), "--config.mesh.tensor=2"),
        (_compiled(40 * GIB, (128, 1, 2), items=1), _config(), "more memory"),
    ],
)
def test_advice_goes_to_the_largest_part(compiled, config, words):
    report = estimate.report(config, topology.parse("v5e:16x16"), compiled)
    assert not report["fits"]
    assert re.search(words, report["suggestion"]), report["suggestion"]


@pytest.mark.parametrize("placed", [False, True])
def test_the_page_says_what_the_report_says(placed):
    compiled = _compiled(40 * GIB, items=8)
    if placed:  # the compiler was stopped before there was a program
        compiled.found.update(placed=True, operations_compiled=1e12)
        compiled.found["bytes"].pop("program", None)
    report = estimate.report(_config(), topology.parse("v5e:16x16"), compiled)
    report |= {
        "config": "face/small",
        "topology": "v5e:16x16",
        "command": ["vasa-plan", "<x>"],
        "compiler": "c",
        "date": "d",
    }
    text = page.render(report | {"tried": [{**report, "mesh": (256, 1, 1)}]})
    assert "Does not fit" in text and "all-reduce" in text and "--batch_per_device=3" in text
    assert "&lt;x&gt;" in text and "http" not in text and "<script" not in text


def test_a_pods_speed_beside_one_host():
    machine, compiled = topology.parse("v5e:16x16"), _compiled(GIB)
    whole = estimate.report(_config(), machine, compiled)
    alone = whole | {"step_seconds": 0.4}
    assert estimate.efficiency(whole, alone) == {"efficiency": 0.4 / whole["step_seconds"], "bound": False}
    compiled.found.update(placed=True, operations_compiled=19.7e12)
    placed = estimate.report(_config(), machine, compiled)
    exchange = placed["seconds"]["collectives"]
    alone = placed | {"seconds": {"compute_at_peak": 0.2, "collectives": 0.0}}
    assert placed["step_seconds"] is None
    # One of both without seconds: computing is then the same for both, the smaller number of operations at the peak.
    expected = {"efficiency": pytest.approx(0.1 / (0.1 + exchange)), "bound": True}
    assert estimate.efficiency(placed, alone) == estimate.efficiency(placed, alone | {"step_seconds": 0.4}) == expected
    nothing = placed | {"seconds": {"compute_at_peak": None, "collectives": None}}
    assert estimate.efficiency(placed, nothing)["efficiency"] is None
