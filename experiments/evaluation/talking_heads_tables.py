"""The tables of `talking_heads`."""

from typing import Any

from experiments.evaluation import tables
from experiments.evaluation.talking_heads import FEELINGS, TRACKS


def show(report: dict[str, Any]) -> None:
    """Prints the tables."""
    kinds = ("correlation", "changes", "error")
    lines = [[n, *(tables.cell(row[k]) for k in kinds)] for n, row in report["mouth"].items()]
    tables.show(
        f"procedural heads (n={report['n']}): mouth against the truth", ["", "lag 0", "changes", "error"], lines
    )
    lines = [
        [name, str(row["frames"]), tables.cell(row["truth"]), *(tables.cell(row[t]["error"], 4) for t in TRACKS)]
        for name, row in report["visemes"].items()
    ]
    tables.show("opening by viseme: error", ["", "frames", "true opening", *TRACKS], lines)
    asked = report["asked"]
    print(f"\n  gaze: {tables.cell(asked['gaze_degrees'])} degrees off, gain {tables.cell(asked['gaze_gain'], 2)}"
          f" (ignoring it: {tables.cell(asked['gaze_degrees_ignored']['mean'])})")  # fmt: skip
    for name in ("distance", "distance, guided"):
        off, gain = tables.cell(asked[name]["of_range"]), tables.cell(asked[name]["gain"], 2)
        print(f"  {name}: {off} of its range off, gain {gain}")
    for name in FEELINGS:
        real = tables.cell(report["feelings_of_real_video"][name], 2)
        print(f"  {name}: gain {tables.cell(asked[name]['gain'], 2)}, right sign in"
              f" {asked[name]['right_sign']:.0%} (the probe in real video: {real})")  # fmt: skip
    alive = report["alive"]
    print(
        "  blinks per minute: " + ", ".join(f"{k} {tables.cell(v, 1)}" for k, v in alive["blinks_per_minute"].items())
    )
    for name in ("velocity", "acceleration"):
        parts = [f"{k} {' '.join(tables.cell(float(x), 2) for x in v)}" for k, v in alive[name].items()]
        print(f"  {name} by band, generated / real: " + "; ".join(parts))
