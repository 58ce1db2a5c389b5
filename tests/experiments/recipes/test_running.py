"""A recipe goes on where it stopped, skips what is done, and notices numbers that have changed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.recipes import planning, reading, running, telling
from experiments.recipes.record import Entry, Record
from vasa_jax.errors import InputError

ROOT = Path(__file__).parents[3]
PART = """
[[{stage}.part]]
name = "{name}"
run = "tests.experiments.recipes.stub"
flags = {{ output = "{{work}}/{name}.txt", x = {x}, from = "{source}" {more} }}
minutes = {{ cpu = 1, gpu = 1, quick = 1 }}
"""


def write(tmp_path, x=1, more="", metrics=""):
    """first -> second, and third beside them."""
    text = PART.format(stage="data", name="first", x=x, source="", more="")
    text += PART.format(stage="face", name="second", x=2, source="{first}", more=more) + metrics
    text += PART.format(stage="release", name="third", x=3, source="", more="")
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return path


def go(tmp_path, redo=False, deadline=None, **numbers):
    """Runs it; returns the lines that were printed, and the record."""
    recipe = reading.read(write(tmp_path, **numbers), "cpu")
    work, said = tmp_path / "work", []
    jobs, record = planning.plan(recipe, work, {}, None), Record(work)
    with running.locked(work) as lock:
        record.check(jobs, redo)
        running.Runner(jobs, record, work, deadline, lock=lock, say=said.append)()
    return said, recipe, jobs, record


def made(tmp_path):
    """How often each part was made."""
    names = ("first", "second", "third")
    paths = [tmp_path / "work" / f"{name}.txt" for name in names]
    return [path.read_text().count("made") if path.exists() else 0 for path in paths]


def test_what_is_done_is_not_done_again(tmp_path):
    said, *_ = go(tmp_path)
    assert made(tmp_path) == [1, 1, 1] and "3 of 3 parts, about 0:00:00 left" in said[-1]
    said, *_ = go(tmp_path)
    assert made(tmp_path) == [1, 1, 1] and said == [
        "[1/3] data: first is done",
        "[2/3] face: second is done",
        "[3/3] release: third is done",
    ]
    (tmp_path / "work" / "second.txt").unlink()  # somebody made room
    go(tmp_path)
    assert made(tmp_path) == [1, 1, 1]


def test_a_part_that_fails_is_named_with_its_own_words_and_the_next_run_goes_on_there(tmp_path):
    fails = tmp_path / "full"
    fails.touch()
    with pytest.raises(InputError, match=r"face\.second ended with exit code 3: the disk is full; make room") as error:
        go(tmp_path, more=f', fails = "{fails}"')
    assert str(tmp_path / "work" / "logs" / "second.log") in str(error.value)
    assert made(tmp_path) == [1, 0, 0]
    fails.unlink()
    go(tmp_path, more=f', fails = "{fails}"')
    assert made(tmp_path) == [1, 1, 1]


def test_changed_numbers_are_noticed_and_made_again_only_when_asked(tmp_path):
    go(tmp_path)
    with pytest.raises(InputError) as error:
        go(tmp_path, x=7)
    assert "first: --x was 1, is 7, second: what goes into it has changed; choose another" in str(error.value)
    assert "third" not in str(error.value) and made(tmp_path) == [1, 1, 1]
    (tmp_path / "work" / "third.txt").write_text("made\nmade\n")  # to see that it stays
    go(tmp_path, x=7, redo=True)
    assert made(tmp_path) == [1, 1, 2]
    go(tmp_path, x=7)
    assert made(tmp_path) == [1, 1, 2]


def test_when_the_time_is_over_the_part_saves_and_the_next_run_goes_on(tmp_path):
    waits = ', waits = "true"'
    with pytest.raises(running.Preempted):
        go(tmp_path, more=waits, deadline=time.monotonic() + 1.5)
    assert (tmp_path / "work" / "second.txt").read_text() == "saved\n" and made(tmp_path) == [1, 0, 0]
    *_, record = go(tmp_path, more=waits)
    assert made(tmp_path) == [1, 1, 1] and record.parts["second"].seconds > 1


def test_two_do_not_work_in_one_folder(tmp_path):
    with running.locked(tmp_path), pytest.raises(InputError, match="another vasa-recipe works in it"):
        with running.locked(tmp_path):
            pass


def _ready(path):
    for _ in range(1200):
        if path.exists():
            return
        time.sleep(0.05)
    pytest.fail(f"{path} never came")


def test_ctrl_c_ends_the_command_with_130_when_its_part_has_saved(tmp_path):
    path = write(tmp_path, more=', waits = "true"')
    words = ["experiments.recipe", f"--recipe={path}", f"--workdir={tmp_path}/work", f"--report={tmp_path}/r.json"]
    pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
    heed = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    child = subprocess.Popen([sys.executable, "-m", *words], cwd=ROOT, env=os.environ, preexec_fn=heed, **pipes)
    try:
        _ready(tmp_path / "work" / "second.ready")
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=60)
    finally:
        child.kill()
    assert (child.returncode, err) == (130, b"interrupted\n")
    assert (tmp_path / "work" / "second.txt").read_text() == "saved\n" and not (tmp_path / "r.json").exists()
    done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, env=os.environ, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "") and made(tmp_path) == [1, 1, 1]
    report = json.loads((tmp_path / "r.json").read_text())
    assert [stage["name"] for stage in report["stages"]] == ["data", "face", "release"] and report["finished"]


def test_the_command_names_missing_data_and_what_its_absence_costs_before_any_work(tmp_path):
    path = write(tmp_path, more="")
    sets = '[sets.grid]\npath = "grid"\nfetch = "Zenodo"\nwithout = "no real voices"\n'
    path.write_text(
        sets + path.read_text().replace('name = "second"', 'name = "second"\nrequired = true\nneeds = ["grid"]')
    )
    words = ["experiments.recipe", f"--recipe={path}", f"--workdir={tmp_path}/work", f"--data={tmp_path}"]
    done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 3 and not (tmp_path / "work").exists()
    (line,) = done.stderr.splitlines()
    assert "grid (without it: no real voices; fetch: Zenodo)" in line


def test_the_report_sets_what_was_measured_beside_what_was_expected(tmp_path):
    metrics = """metrics = { mouth = "scores.mouth" }
[face.expected.cpu]
"second/mouth" = { value = 0.55, tolerance = 0.1, better = "high", source = "a report" }
"""
    _, recipe, jobs, record = go(tmp_path, metrics=metrics)
    data, face, release = telling.stages(recipe, jobs, record.parts)
    assert face["metrics"] == {"second/mouth": 0.5} and face["met"] is True and face["missed"] == []
    assert face["expected"]["second/mouth"]["value"] == 0.55
    assert face["seconds"] > 0 and data["met"] is None and release["metrics"] == {}
    record.parts["second"].metrics = {"mouth": 0.44}
    (_, face, _) = telling.stages(recipe, jobs, record.parts)
    assert face["met"] is False and face["missed"] == ["second/mouth"]
    record.parts["second"].done = False
    assert telling.stages(recipe, jobs, record.parts)[1]["met"] is None


@pytest.mark.parametrize(
    ("better", "measured", "met"),
    [
        ("low", 0.1, True),
        ("low", 0.7, False),
        ("high", 0.9, True),
        ("high", 0.3, False),
        ("", 0.9, False),
        ("", 0.6, True),
    ],
)
def test_a_better_value_is_as_expected_too(better, measured, met):
    assert reading.Expected(0.5, 0.15, better, "").met(measured) is met
    assert not reading.Expected(0.5, 0.15, better, "").met(None)


def test_metrics_of_a_training_are_those_of_its_last_evaluation(tmp_path):
    rows = [{"step": 1, "loss": 3.0, "eval/l1_mouth": 0.9}, {"step": 2, "eval/l1_mouth": 0.2, "eval/copy_mouth": 0.4}]
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)) + '\n{"step": 3, "lo')
    part = reading.Part("run", "experiments.train", "face/tiny_64", 3, 60.0, {}, {}, (), False, None, {})
    job = planning.Job(part, "face", [], None, tmp_path, {}, ())
    assert telling.measured(job, tmp_path) == {"l1_mouth": 0.2, "copy_mouth": 0.4, "l1_mouth_of_copy": 0.5}


def test_what_is_left_goes_by_the_pace_so_far(tmp_path):
    recipe = reading.read(write(tmp_path), "cpu")
    jobs = planning.plan(recipe, tmp_path, {}, None)
    assert telling.left(jobs, {}) == 180
    parts = {"first": Entry({}, "", done=True, seconds=120.0)}  # twice as long as planned
    assert telling.left(jobs, parts) == 240
    assert telling.left(jobs, parts, "second", running=30.0) == 90 + 120
