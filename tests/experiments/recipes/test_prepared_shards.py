"""On a machine with a GPU and little else a recipe's trainings run from shards that were prepared elsewhere."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.recipes import part_config
from tests.data_pipelines.conftest import write_dataset

ROOT = Path(__file__).parents[3]
ABSENT = ("tensorflow", "tensorflow_datasets", "mediapipe", "av", "clu", "soundfile", "soxr", "c2pa")
WITHOUT = f"import sys\nfor name in {ABSENT}: sys.modules[name] = None\nfrom experiments import train\ntrain.run()"
SLOW = pytest.mark.slow  # minutes of compiling
TRAININGS = [
    ("pose/small", 1, True),
    pytest.param("pose/small", 2, False, marks=SLOW),
    pytest.param("face/small_128", 1, True, marks=SLOW),
    pytest.param("face/sharp_256", 2, False, marks=SLOW),
]


@pytest.mark.parametrize(("name", "starts", "without_grain"), TRAININGS)
@pytest.mark.heavy
def test_a_stage_trains_and_goes_on_where_nothing_but_the_library_is_installed(name, starts, without_grain, tmp_path):
    clips = [(f"c{k}", f"s{k % 3}", 4) for k in range(9)]
    write_dataset(tmp_path / "data", "procedural_heads", {"train": clips, "validation": clips})
    fields = {"data.dir": str(tmp_path / "data"), "data.mixture": {"procedural_heads": 1.0}, "init_from": ""}
    fields |= {"data.eval_batches": starts - 1, "checkpoint_every": 1}
    code = WITHOUT.replace("c2pa'", "c2pa', 'grain'") if without_grain else WITHOUT
    for steps in range(1, starts + 1):
        about = {"config": name, "quick": True, "set": fields | {"steps": steps}}
        (tmp_path / "part.json").write_text(json.dumps(about))
        words = [f"--config={part_config.__file__}:{tmp_path / 'part.json'}", f"--workdir={tmp_path / 'run'}"]
        environment = os.environ | {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
        command = [sys.executable, "-c", code, *words, f"--report={tmp_path / 'report.json'}"]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        report = json.loads((tmp_path / "report.json").read_text())
        assert report["step"] == steps and report["damaged"]["train"] == {"procedural_heads": []}
        assert ("resuming from" in done.stdout) == (steps > 1)
