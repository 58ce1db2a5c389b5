"""The suite runs on a small data set and says what it promises; how fast anything is, is not tested."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from data_pipelines.prepare import latents
from experiments.benchmarks import data
from tests.data_pipelines.conftest import write_dataset
from vasa_jax.errors import InputError

ROOT = pathlib.Path(__file__).parents[3]


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    folder = write_dataset(root, "alpha", {"train": [(f"a{i}", f"s{i % 3}", 9 + i) for i in range(6)]}, shards=1)
    encode = lambda images: (np.ones((len(images), 7)), np.zeros((len(images), 2)))  # noqa: E731
    latents.encode_dataset(folder, "alpha", encode, 64, root / "latents" / "alpha.npz")
    return {
        "data": str(root), "names": ["alpha"], "config": "tiny_64", "split": "train", "latents": None, "workdirs": [],
        "engines": ["threads"], "threads": 1, "batch_size": 2, "rounds": 3, "steps": 2,
    }  # fmt: skip


def test_every_part_reports(options):
    report = json.loads(json.dumps(data.run(options)))
    assert report["decoders"]["same_bits"] is True
    assert report["pairs"]["pictures_per_batch"] == 6 and report["clips"]["pictures_per_batch"] <= 25
    for kind in ("pairs", "clips"):
        for state in ("in_memory", "from_disk", "from_disk_reused"):
            row = report[kind][state]["threads"]
            assert row["share_lowest"] <= row["share_p50"] <= row["share_highest"]
            assert row["batch"]["n"] == 3 * 2 and row["batch"]["p50_ms"] <= row["batch"]["p95_ms"]
    windows = report["windows"]["threads"]
    assert windows["per_second_p95"] <= windows["per_second_p50"]
    assert report["log_mel"]["windows"] == 8 and report["data_wait"] == {}


def test_bare_decoding_is_of_the_same_bytes(options):
    stream = data._stream(options, "pairs", 2)
    stored = data._stored_images(stream, options)
    assert [len(batch) for batch in stored] == [6, 6]
    batch = stream.batch(1)
    decoded = [stream.decode(image) for image in stored[1]]
    wanted = [batch[name][row] for name in ("source", "driver", "other") for row in range(2)]
    np.testing.assert_array_equal(decoded, wanted)


def _metrics(folder, rows):
    folder.mkdir()
    (folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


def test_data_wait_leaves_the_compilation_out_and_weighs_by_time(tmp_path):
    rows = [{"step": 1, "data_wait_percent": 90.0, "steps_per_second": 0.1}]
    rows += [{"step": 2, "data_wait_percent": 1.0, "steps_per_second": 1.0}]
    rows += [{"step": 3, "eval/loss": 1.0}, {"step": 4, "data_wait_percent": 4.0, "steps_per_second": 0.5}]
    wait = data.data_wait(_metrics(tmp_path / "run", rows))
    assert wait["percent_mean"] == 3.0 and wait["percent_p50"] == 2.5 and wait["last_step"] == 4


@pytest.mark.parametrize("rows", [None, [{"step": 1, "data_wait_percent": 1.0, "steps_per_second": 1}]])
def test_a_run_that_says_nothing(tmp_path, rows):
    folder = tmp_path if rows is None else _metrics(tmp_path / "run", rows)
    with pytest.raises(InputError, match="--workdir"):
        data.data_wait(folder)


@pytest.mark.parametrize(
    ("flags", "code", "says"),
    [([], 2, "--suite"), (["--suite=data", "--data=absent"], 3, "absent"), (["--suite=beauty"], 2, "suite")],
    ids=["no suite", "no data", "unknown suite"],
)
def test_one_line_that_says_what_is_wrong(tmp_path, flags, code, says):
    command = [sys.executable, "-m", "experiments.benchmark", *flags, f"--report={tmp_path}/report.json"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"JAX_PLATFORMS": "cpu"}, capture_output=True, text=True)
    assert done.returncode == code, done.stderr[-2000:]
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1 and says in lines[0]
    assert not (tmp_path / "report.json").exists()
