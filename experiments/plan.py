"""Compiles the real train step for a pod that is not there, and says whether it fits and how long it takes.

    python -m experiments.plan --config=experiments/configs/motion/vasa.py --topology=v5e:16x16
    python -m experiments.plan --config=experiments/configs/face/vasa_512.py --topology=v5p:8x8x8 --search --page=p.html
    python -m experiments.plan --config=experiments/configs/face/tiny_64.py --topology=cpu:8

TPU topologies need libtpu (`pip install 'vasa_jax[tpu]'`), not a TPU. Nothing is run: bytes are what the compiler has
placed, seconds what it reckons, exchanges between chips what their links carry at most. A compilation takes minutes to
hours of one core; it is kept, so the same question is answered at once the second time. --placement stops it when it
has placed the memory, after minutes; --parts adds the seconds of stage 1, part by part.
"""

import sys
import time
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import config_flags

from experiments.common import app, tasks
from vasa_jax import files
from vasa_jax.errors import UsageError

CONFIG = config_flags.DEFINE_config_file("config", None, "Configuration file; --config.a.b=v overrides a field.")
TOPOLOGY = flags.DEFINE_string(
    "topology", None, "What to compile for: v5e:16x16, v6e:16x16, v5p:8x8x8, tpu7x:4x4x4, v5e (one chip), cpu:8."
)
BATCH = flags.DEFINE_integer(
    "batch_per_device",
    0,
    "Items on each device that holds a share of the batch; 0 takes config.batch_size where it divides, else 1.",
    lower_bound=0,
)
SEARCH = flags.DEFINE_bool("search", False, "Try mesh shapes and batch sizes; report the fastest that fits.")
TENSOR = flags.DEFINE_bool("tensor", False, "With --search: try layers split over two devices as well.")
TRIES = flags.DEFINE_integer("tries", 12, "With --search: compilations at most.", lower_bound=1)
EFFORT = flags.DEFINE_float(
    "effort",
    0.0,
    "How hard the compiler tries: -1 for memory and exchanges alone, in a fraction of the time.",
    lower_bound=-1,
    upper_bound=1,
)
PLACEMENT = flags.DEFINE_bool(
    "placement", False, "Stop the compiler when it has placed the memory: bytes and exchanges in minutes, no seconds."
)
PARTS = flags.DEFINE_bool(
    "parts", False, "Stage 1 on TPUs: compile the step in parts with full effort, for the seconds that the whole lacks."
)
SCALING = flags.DEFINE_bool("scaling", False, "Compile for one host as well: how well does the pod scale from it?")
PAGE = flags.DEFINE_string("page", None, "Write the result as one HTML page, which loads nothing from elsewhere.")


def main() -> dict[str, Any]:
    """Plans; returns the report."""
    from experiments.planning import compiler, parts, topology

    config = tasks.changeable(tasks.checked(CONFIG.value))
    if not TOPOLOGY.value:
        raise UsageError("--topology is missing; for example --topology=v5e:16x16 or --topology=cpu:8")
    machine = topology.parse(TOPOLOGY.value)
    topology.prepare(machine)
    if PARTS.value:
        parts.check(config, machine)
        if TENSOR.value:
            raise UsageError("--parts compiles whole layers for one device; leave --tensor out")
    compiler.set_effort(EFFORT.value)
    app.compile_cache()
    start = time.monotonic()
    report = _head(machine) | (_search(config, machine) if SEARCH.value else _plan(config, machine))
    if PARTS.value and report["fits"]:
        report = _with_parts(config, machine, report)
    if SCALING.value:
        report |= _scaling(config, machine, report)
    report["seconds_to_plan"] = round(time.monotonic() - start, 1)
    _print(report)
    if PAGE.value:
        from experiments.planning import page

        files.write_text(PAGE.value, page.render(report))
    return report


def _head(machine: Any) -> dict[str, Any]:
    from experiments.planning import topology
    from vasa_jax.training import manifest

    return {
        "command": ["vasa-plan", *(word for word in sys.argv[1:] if not word.startswith(("--report", "--page")))],
        "config": Path(flags.FLAGS["config"].config_filename).with_suffix("").as_posix().split("configs/")[-1],
        "topology": machine.name,
        "compiler": ("libtpu " if machine.chip else "") + topology.compiler(machine),
        "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "versions": manifest.versions(),
        "commit": manifest.commit(),
    }


def _plan(config: Any, machine: Any, spread: Any = None) -> dict[str, Any]:
    from experiments.planning import estimate, placement, step

    spread = spread or step.layout(config, machine, BATCH.value)
    compile_step = placement.compile_apart if PLACEMENT.value else step.compile_step
    print(f"{machine.name}: {spread}; tracing", flush=True)
    return estimate.report(config, machine, compile_step(config, machine, spread))


def _search(config: Any, machine: Any) -> dict[str, Any]:
    from experiments.planning import search

    tried: dict[Any, dict[str, Any]] = {}

    def measure(spread: Any) -> tuple[bool, float]:
        tried[spread] = found = _plan(config, machine, spread)
        print(f"  {_line(found)}", flush=True)
        return found["fits"], found["items_per_second"] or 0.0

    least = max(BATCH.value, config.get("accumulate", 1))
    shapes = list(search.meshes(machine, TENSOR.value))
    best = search.best(measure, shapes, least=least, tries=TRIES.value)
    chosen = tried[best] if best else next(iter(tried.values()))
    return chosen | {"tried": [{"mesh": spread.mesh, **_short(found)} for spread, found in tried.items()]}


def _with_parts(config: Any, machine: Any, report: dict[str, Any]) -> dict[str, Any]:
    from experiments.planning import estimate, parts

    if report["mesh"]["tensor"] > 1:
        raise UsageError("--parts compiles whole layers for one device, and config.mesh.tensor splits them")
    print("compiling the step in parts; each is kept", flush=True)
    return estimate.with_parts(report, parts.seconds(config, machine, report["batch_per_device"]))


def _scaling(config: Any, machine: Any, report: dict[str, Any]) -> dict[str, Any]:
    """The same items a device on one host: what the pod loses of each device's speed."""
    from experiments.planning import estimate, step

    mesh = report["mesh"]
    host = machine.one_host
    shares = host.count // mesh["tensor"]
    fsdp = min(mesh["fsdp"], shares)
    spread = step.Layout((shares // fsdp, fsdp, mesh["tensor"]), report["batch_per_device"])
    small = _plan(config, host, spread)
    if "parts_of_step" in report:  # parts exchange nothing: they take as long on a host
        small = estimate.with_parts(small, report["parts_of_step"])
    return {"scaling": {"from": host.name, **estimate.efficiency(report, small), **_short(small)}}


_LARGEST = 4
_SHORT = ("batch_size", "batch_per_device", "fits", "bytes_per_chip", "step_seconds", "items_per_second")


def _short(found: dict[str, Any]) -> dict[str, Any]:
    return {name: found[name] for name in (*_SHORT, "collective_bytes", "collective_share")}


def _line(found: dict[str, Any]) -> str:
    from experiments.planning.estimate import gib

    verdict = "fits" if found["fits"] else "does not fit"
    text = f"{verdict}: {gib(found['bytes_per_chip'])} of {gib(found['hbm_per_chip'])} a chip"
    if found["items_per_second"]:
        text += f", {1e3 * found['step_seconds']:.2f} ms a step"
        text += f", {found['items_per_second']:,.0f} {found['items']} a second"
    return text


def _print(report: dict[str, Any]) -> None:
    from experiments.planning.estimate import gib, span

    mesh = " x ".join(f"{size} {axis}" for axis, size in report["mesh"].items())
    print(f"{report['config']} on {report['topology']}: {report['chips']} chips, {mesh}, batch {report['batch_size']}")
    print(f"  {_line(report)}")
    if report["days"] is not None:
        print(f"  {span(report['days'])} for {report['steps']:,} steps (estimated; nothing was run)")
        if by_parts := report["seconds"].get("compute_by_parts"):
            whole = report["seconds"]["compute"]
            beside = f"; compiled whole {1e3 * whole:.2f} ms" if whole else ""
            print(f"  computing: {1e3 * by_parts:.2f} ms, the sum of the parts{beside}")
        print(f"  exchanges: {100 * report['collective_share']:.1f} % of the step")
    elif report["seconds"]["compute_at_peak"]:
        why = "the compiler was stopped" if report["placed_only"] else "with less effort it takes slower convolutions"
        print(f"  seconds are not estimated: {why}")
        print(f"  computing takes {1e3 * report['seconds']['compute_at_peak']:.3g} ms at the chip's peak, ", end="")
        print(f"beside which exchanges are {100 * report['collective_share_at_most']:.1f} %")
    for name, size in report["parts_per_device"].items():
        print(f"  {name:<28} {gib(size):>12} a device")
    for name, size in report["bytes_per_device"].items():
        print(f"  compiled: {name:<18} {gib(size):>12} a device")
    for row in report["largest"][:_LARGEST]:
        print(f"  one place: {gib(row['bytes']):>26} a device, {row['arrays'][:80]}")
    for row in report["collectives"]:
        print(f"  {row['count']:>4} x {row['kind']} over {row['ways']} devices: {gib(row['bytes'])}")
    if scaling := report.get("scaling"):
        least = "at least " if scaling["bound"] else ""
        share = "unknown" if scaling["efficiency"] is None else f"{least}{100 * scaling['efficiency']:.1f} %"
        print(f"  speed of a device beside {scaling['from']}: {share}")
    if report["suggestion"]:
        print(f"  to make it fit: {report['suggestion']}")


HELP = app.Help(
    example="--config=experiments/configs/face/tiny_64.py --topology=cpu:8 --effort=-1",
    groups={
        "the run and the machine": (CONFIG, TOPOLOGY, BATCH),
        "how much is compiled": (EFFORT, PLACEMENT, PARTS, SCALING),
        "search": (SEARCH, TENSOR, TRIES),
        "result": (PAGE,),
    },
)


def run() -> None:
    """The console script vasa-plan."""
    sys.stdout.reconfigure(line_buffering=True)
    app.run(main, info=HELP)


if __name__ == "__main__":
    run()
