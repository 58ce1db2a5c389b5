"""suite=solvers: which sampler comes closest, in few steps, to the motion that many steps lead to?

Every sampler starts from the same noise. The deterministic ones solve one differential equation, whose solution is
approached by many steps of the second-order one.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from experiments.evaluation import tables
from experiments.evaluation.windows import Windows
from vasa_jax.metrics import motion_statistics, mouth_changes

COUNTS = (2, 3, 4, 5, 6, 8, 10, 15, 20, 50)
EXACT = 200
"""Steps of the reference solution."""


def run(windows: Windows, readout: Float[np.ndarray, " m"], counts: Sequence[int] = COUNTS, exact: int = EXACT) -> Any:
    """Errors of every deterministic sampler and number of steps.

    Args:
      windows: held out.
      readout: of the mouth opening, from standardised motion.
      counts, exact: numbers of steps.

    Returns:
      {"windows", "reference", "samplers": {name: {count: numbers}}}: `error` is the root mean square distance to the
      reference in standard deviations of the data, `mouth_changes` the correlation with the real mouth, `movement` the
      spread within windows over the real motion's.
    """
    best, real = windows.solve("dpm++", exact), windows.real

    def score(made: Float[np.ndarray, "b w m"]) -> dict[str, float]:
        follow = [mouth_changes.change_correlation(a @ readout, b @ readout) for a, b in zip(made, real)]
        return {
            "error": float(np.sqrt(np.square(made - best).mean())),
            "mouth_changes": float(np.nanmean(follow)),
            "movement": float(np.nanmean(motion_statistics.movement_ratio(made, real))),
        }

    report = {"windows": len(real), "reference": {"sampler": "dpm++", "steps": exact, **score(best)}, "samplers": {}}
    report["reference"]["spread"] = float(best.std())
    for method in ("ddim", "dpm++"):
        report["samplers"][method] = {str(count): score(windows.solve(method, count)) for count in counts}
    report["samplers"]["ddim"][str(exact)] = score(windows.solve("ddim", exact))
    return report


def show(report: dict[str, Any]) -> None:
    """Prints the table."""
    lines = [
        [f"{method} {count}", *(tables.cell(row[name]) for name in ("error", "mouth_changes", "movement"))]
        for method, rows in report["samplers"].items()
        for count, row in rows.items()
    ]
    tables.show(
        f"{report['windows']} held-out windows against {report['reference']['steps']} steps",
        ["sampler, steps", "error", "mouth changes", "movement"],
        lines,
    )
