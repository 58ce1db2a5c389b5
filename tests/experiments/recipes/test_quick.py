"""The quick form of the shipped recipes, as a user runs it: all stages from nothing, and again to the same bits."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def quick(recipe: str, folder: Path) -> dict:
    words = [f"--recipe=experiments/recipes/{recipe}.toml", "--quick", f"--workdir={folder}/work"]
    command = [sys.executable, "-m", "experiments.recipe", *words, f"--report={folder}/report.json"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "report.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["tiny", "bundled"])
def test_the_quick_form_makes_a_release_twice_with_the_same_bits(recipe, tmp_path):
    reports = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        reports.append(quick(recipe, tmp_path / name))
    first, second = reports
    assert first["finished"] and [stage["done"] for stage in first["stages"]] == [True] * len(first["stages"])
    (weights,) = first["release"].values()
    assert {"face.safetensors", "motion.safetensors"} <= weights.keys()
    assert [weights] == list(second["release"].values())
    assert [stage["metrics"] for stage in first["stages"]] == [stage["metrics"] for stage in second["stages"]]
    assert all(stage["steps"] > 0 for stage in first["stages"] if stage["name"] in ("pose", "code", "face", "motion"))
