"""Suite `forms`: which form of the operations in `FORMS` is fastest where they are used.

    python -m experiments.benchmark --suite=forms --configs=small_128,lite_256 --batches=4 --report=forms.json

Whole decodes (and encodes) of each configuration with every form of one operation and the picked forms of the others,
in turns; `picked` is what vasa_jax/ops/backends.py takes on this backend. Alone, the operations rank otherwise.
"""

from typing import Any

import jax

from experiments.benchmarks import decode
from experiments.common import timing
from vasa_jax.ops import backends

FORMS = {
    "conv3d": ("native", "depth_taps", "folded"),
    "warp": ("stacked", "corners", "planes"),
    "pool": ("mean", "window"),
    "moments": ("dot", "reduce"),
    "upsampled_conv": ("phases", "repeated"),
}


def run(options: dict[str, Any]) -> dict[str, Any]:
    """Milliseconds and speed beside the picked forms, of encode and decode."""
    backend = jax.default_backend()
    dtype = options["dtype"] or ("float32" if backend == "cpu" else "bfloat16")
    batches = options["batches"] or [4 if backend == "cpu" else 16]
    report: dict[str, Any] = {"dtype": dtype, "rounds": options["rounds"]}
    for name in options["configs"] or decode.CONFIGS:
        report[name] = compare(name, dtype, batches, options["rounds"])
        print(f"{name}: {report[name]}", flush=True)
    return report


def compare(name: str, dtype: str, batches: list[int], rounds: int) -> dict[str, Any]:
    """Every form in turns: {what: {form: times and share of the picked form's speed}}."""
    jobs: dict[str, decode.Job] = {}
    for form, forced in {"picked": {}, **{f"{op} {form}": {op: form} for op in FORMS for form in FORMS[op]}}.items():
        with backends.using(**forced):
            model = decode.Model(name, dtype)
            for what, job in model.jobs(batches, 1).items():
                job()  # compiled here, where the form is forced
                jobs[f"{what}/{form}"] = job
    laps = timing.in_turns(jobs, rounds)
    report: dict[str, Any] = {}
    for key, found in laps.items():
        what, form = key.split("/")
        times = timing.quantiles(lap.wall for lap in found)
        report.setdefault(what, {})[form] = {**times, **timing.share(found, laps[f"{what}/picked"])}
    return report
