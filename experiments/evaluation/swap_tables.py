"""The swap suite's report for the eye."""

from typing import Any

from experiments.evaluation import swaps, tables

TITLES = ("source", "driver", "output", "third moment", "pose swapped", "dynamics swapped")


def show(report: dict[str, Any]) -> None:
    """Prints the tables: the model beside the true images read the same way, and beside the copied source."""
    title = f"procedural heads: {report['people']} people, {report['swaps']} swaps, read by {report['read_by']}"
    moves = report["moves"]
    lines = [[name, *(tables.cell(moves[f"{name}{end}"], 4) for end in ("", "_drawn", "_own"))] for name in swaps.MOVES]
    for name, both in report["obeys"].items():
        lines.append(
            [f"{name} asked for: correlation", *(tables.cell(both[k]["correlation"]) for k in ("model", "drawn")), ""]
        )
        lines.append([f"{name} asked for: gain", *(tables.cell(both[k]["gain"]) for k in ("model", "drawn")), ""])
    tables.show(title, ["what a swap moves", "model", "true images", "model alone (rms)"], lines)
    lines = []
    for group in ("pose_degrees", "mouth", "gaze_degrees", "landmarks", "psnr", "ssim", "lpips", "identity"):
        part = report.get(group, {})
        for kind in (kind for kind in swaps.KINDS if kind in part):
            ends = (part.get(f"{kind}{end}") for end in ("", "_drawn", "_copy"))
            lines.append([f"{group}, {kind}", *(tables.cell(number) for number in ends)])
    tables.show("against the truth", ["", "model", "true images", "copied source"], lines)
    code = report["code"]
    names = [name.removesuffix("_explained") for name in code if name.endswith("_explained")]
    lines = [[n, tables.cell(code[f"{n}_explained"]), tables.cell(code[f"{n}_explained_chance"])] for n in names]
    lines.append(["identity", tables.cell(code["identity_accuracy"]), tables.cell(code["identity_chance"])])
    tables.show("linear probes of the dynamics code", ["", "explained", "chance"], lines)
    lines = [[name, *(tables.cell(v[k]) for k in ("cosine", "centred"))] for name, v in report["re_encoding"].items()]
    tables.show("dynamics re-encoded", ["", "cosine", "less the mean"], lines)
