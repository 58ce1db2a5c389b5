"""What a face model must reach before motion is trained on its codes, and whether it does."""

import dataclasses
import operator
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.evaluation import tables


@dataclasses.dataclass(frozen=True)
class Target:
    """A number of the report: where it stands, what it must be, and the number to see it beside."""

    what: str
    path: str
    relation: str
    bound: float
    beside: str = ""
    """Path of the same number for real images, for chance, or for another moment."""
    own: str = ""
    """Path of the same beyond what the reader sees in true images, where nothing moved."""


TARGETS = (
    Target("head pose moved by dynamics alone, degrees", "heads/moves/pose_by_dynamics", "<", 2.0,
           "heads/moves/pose_by_dynamics_drawn", "heads/moves/pose_by_dynamics_own"),
    Target("mouth moved by pose alone, share of its range", "heads/moves/mouth_by_pose", "<", 0.10,
           "heads/moves/mouth_by_pose_drawn", "heads/moves/mouth_by_pose_own"),
    Target("gaze moved by pose alone, share of its range", "heads/moves/gaze_by_pose", "<", 0.10,
           "heads/moves/gaze_by_pose_drawn", "heads/moves/gaze_by_pose_own"),
    Target("yaw explained by the dynamics code", "heads/code/yaw_explained", "<", 0.10,
           "heads/code/yaw_explained_chance"),
    Target("identity told by the dynamics code, times chance", "heads/code/identity_times_chance", "<=", 3.0),
    Target("area under the spectrum of the dynamics code", "heads/code/spectrum_area", "<=", 0.82),
    Target("dynamics re-encoded, cosine", "heads/re_encoding/self/cosine", ">=", 0.9,
           "heads/re_encoding/another_moment/cosine"),
    Target("likeness of unseen speakers, of the real video's", "splits/unseen/all/identity_of_real", ">=", 0.9),
    Target("likeness when somebody else drives", "splits/unseen/all/identity_cross", ">=", 0.7,
           "splits/unseen/all/identity_real"),
)  # fmt: skip
_RELATIONS = {"<": operator.lt, "<=": operator.le, ">=": operator.ge}


def judge(report: Mapping[str, Any], targets: Sequence[Target] = TARGETS) -> list[dict[str, Any]]:
    """One entry a target whose number was measured: {"what", "value", "target", "beside", "own", "verdict"}.

    The verdict is "pass", "FAIL", or "pass, less the reader" where only the reader's error of true images lifts the
    number over its bound.
    """
    verdicts = []
    for target in targets:
        value = _find(report, target.path)
        if value is None:
            continue
        reached = _RELATIONS[target.relation]
        beside = _find(report, target.beside) if target.beside else None
        own = _find(report, target.own) if target.own else None
        verdict = "pass" if reached(value, target.bound) else "FAIL"
        if verdict == "FAIL" and own is not None and reached(own, target.bound):
            verdict = "pass, less the reader"
        verdicts.append({"what": target.what, "value": value, "target": f"{target.relation} {target.bound:g}",
                         "beside": beside, "own": own, "verdict": verdict})  # fmt: skip
    return verdicts


def show(verdicts: list[dict[str, Any]]) -> None:
    """Prints the table."""
    lines = [
        [v["what"], tables.cell(v["value"]), v["target"], tables.cell(v["beside"]), tables.cell(v["own"]), v["verdict"]]
        for v in verdicts
    ]
    tables.show("targets", ["", "measured", "target", "true images or chance", "model alone", ""], lines)


def _find(report: Any, path: str) -> float | None:
    """The number, or the mean of the summary, at a path."""
    for part in path.split("/"):
        if not isinstance(report, Mapping) or part not in report:
            return None
        report = report[part]
    return report.get("mean") if isinstance(report, Mapping) else report
