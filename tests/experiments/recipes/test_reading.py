"""A recipe's file is checked as a whole before any work: what is wrong is one line that names the place."""

import re
from pathlib import Path

import pytest

from experiments.recipes import part_config, planning, reading
from vasa_jax.errors import InputError, UsageError

ROOT = Path(__file__).parents[3]
SHIPPED = sorted((ROOT / "experiments" / "recipes").glob("*.toml"))
GOOD = """
[sets.faces]
path = "faces"
fetch = "nowhere"
without = "no looks"

[[data.part]]
name = "heads"
run = "data_pipelines.synthetic"
flags = { config = "tiny_64", data_dir = "{data}" }
minutes = { cpu = 1 }
gives = "procedural_heads/tiny_64"
only = ["cpu"]

[[face.part]]
name = "tiny"
train = "face/tiny_64"
steps = { cpu = 10 }
minutes = { cpu = 1 }
set = { "optimizer.lr" = 0.002 }
only = ["cpu"]

[face.expected.cpu]
"tiny/l1_mouth" = { value = 0.1, tolerance = 0.02, better = "low", source = "a report" }
"""


def plan(tmp_path, text, budget="cpu", sources=(), prepared=None):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    recipe = reading.read(path, budget)
    return planning.plan(recipe, tmp_path / "work", dict(sources), prepared)


def test_parts_become_commands_with_the_numbers_of_the_recipe(tmp_path):
    heads, tiny = plan(tmp_path, GOOD)
    assert heads.command == ["data_pipelines.synthetic", "--config=tiny_64", f"--data_dir={tmp_path}/work/data"]
    assert heads.product == tmp_path / "work" / "data" / "procedural_heads" / "tiny_64"
    assert tiny.command[1:] == [
        f"--config={part_config.__file__}:{tmp_path}/work/parts/tiny.json",
        f"--workdir={tmp_path}/work/tiny",
    ]
    config = part_config.build(**tiny.config)
    assert config.steps == 10 and config.optimizer.lr == 0.002 and config.data.dir == f"{tmp_path}/work/data"
    assert tiny.after == ("heads",) and tiny.numbers["config.optimizer.lr"] == 0.002
    assert str(tmp_path) not in str(tiny.numbers)  # a workdir may move


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[[face.part]]", "[[faces.part]]", "unknown stage 'faces'; the stages are data, pose, code"),
        ('train = "face/tiny_64"', 'train = "face/tiny_65"', "face.tiny: no configuration 'face/tiny_65'; there are"),
        (
            '"optimizer.lr" = 0.002',
            '"optimizer.rate" = 1',
            "face.tiny: the configuration face/tiny_64 has no field opt",
        ),
        ('"optimizer.lr" = 0.002', '"optimizer.lr" = "much"', "optimizer.lr of face/tiny_64 cannot be 'much'"),
        ('"optimizer.lr" = 0.002', '"init_from" = "{later}"', "tiny: {later} is no part before it and no data set"),
        ('"optimizer.lr" = 0.002', '"data.mixture" = { grid = 1 }', "nothing of its mixture (grid) is made before it"),
        ("steps = { cpu = 10 }", "steps = { gpu = 10 }", "face.tiny.steps: cpu is None, and has to be a number"),
        ("steps = { cpu = 10 }", "steps = { cpu = 0 }", "face.tiny: steps.cpu is 0; it must be at least 1"),
        ("steps = { cpu = 10 }", "step = { cpu = 10 }", "face.tiny: unknown field 'step'"),
        ('name = "heads"', 'name = "faces"', "a part cannot be called 'faces'"),
        ('name = "heads"', 'name = "data"', "a part cannot be called 'data'"),
        ("data_pipelines.synthetic", "data_pipelines.nothing", "there is no command 'data_pipelines.nothing'"),
        ('"tiny/l1_mouth"', '"big/l1_mouth"', "no part 'big' in the stage face of this budget"),
        ('better = "low"', 'better = "lower"', "better is 'lower'"),
        (
            'gives = "procedural_heads/tiny_64"',
            'needs = ["grid"]',
            "needs names 'grid', which [sets] does not",
        ),
        ('without = "no looks"', "", "sets.faces: without is None, and has to be text"),
        ("[sets.faces]", "[sets.faces", "is no TOML"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, old, new, said):
    assert old in GOOD
    with pytest.raises(InputError) as error:
        plan(tmp_path, GOOD.replace(old, new))
    assert said in str(error.value) and "recipe.toml" in str(error.value) and "\n" not in str(error.value)


def test_fields_that_contradict_each_other_are_refused_as_in_training(tmp_path):
    with pytest.raises(UsageError, match=r"face\.tiny: config\.data\.size is 160"):
        plan(tmp_path, GOOD.replace('"optimizer.lr" = 0.002', '"data.size" = 160'))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"--recipe=.*none.toml cannot be read"):
        reading.read(tmp_path / "none.toml", "cpu")


def test_without_a_data_set_its_parts_are_left_out_and_mixtures_do_without_it(tmp_path):
    more = """
[[data.part]]
name = "portraits"
run = "experiments.prepare"
flags = { input = "{faces}", output = "{data}" }
minutes = { cpu = 1 }
needs = ["faces"]
gives = "portraits/tiny_64"
only = ["cpu"]
"""
    text = GOOD.replace("[[face.part]]", more + "[[face.part]]").replace(
        '"optimizer.lr" = 0.002', '"data.mixture" = { procedural_heads = 0.5, portraits = 0.5 }'
    )
    faces = tmp_path / "faces"
    faces.mkdir()
    _, portraits, tiny = plan(tmp_path, text, sources={"faces": faces})
    assert portraits.runs and portraits.command[1] == f"--input={faces}" and not tiny.notes
    assert part_config.build(**tiny.config).data.mixture.to_dict() == {"procedural_heads": 0.5, "portraits": 0.5}
    _, portraits, tiny = plan(tmp_path, text)
    assert portraits.absent == ("faces",) and not portraits.runs
    assert part_config.build(**tiny.config).data.mixture.to_dict() == {"procedural_heads": 0.5}
    assert "tiny does without portraits" in tiny.notes[0]
    ready = tmp_path / "data" / "portraits" / "tiny_64" / "1.0.0"
    ready.mkdir(parents=True)
    (ready / "dataset_info.json").touch()
    _, portraits, tiny = plan(tmp_path, text, prepared=tmp_path / "data")
    assert portraits.link == ready.parent and not portraits.runs and not tiny.notes


def test_prepared_shards_serve_without_what_they_were_made_of(tmp_path):
    """As on a machine that can train and nothing else."""
    for size in ("small_128", "lite_256"):
        for name in ("grid", "procedural_heads", "procedural_twins"):
            place = tmp_path / "data" / name / size / "1.0.0"
            place.mkdir(parents=True)
            (place / "dataset_info.json").touch()
    recipe = reading.read(ROOT / "experiments" / "recipes" / "bundled.toml", "gpu")
    absent, fatal = planning.missing(recipe, {}, None)
    assert absent.keys() == recipe.sets.keys() and fatal == {"grid", "landmarker"}
    absent, fatal = planning.missing(recipe, {}, tmp_path / "data")
    assert absent.keys() == {"portraits", "rigged", "landmarker"} and fatal == set()
    jobs = {job.part.name: job for job in planning.plan(recipe, tmp_path / "work", {}, tmp_path / "data")}
    assert {name for name, job in jobs.items() if job.absent} == {"portraits_256", "rigged_256"}
    assert {name for name, job in jobs.items() if job.link} == {
        *("heads_128", "heads_256", "twins_128", "grid_128", "grid_256")
    }
    assert jobs["grid_latents"].runs and "portraits, rigged_heads" in jobs["inputs"].notes[0]


@pytest.mark.parametrize("budget", reading.BUDGETS)
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_recipes_hold_together(path, budget, tmp_path):
    """Every configuration, field, flag and source is there; the budget of two cores is kept."""
    recipe = reading.read(path, budget)
    for sources in ({}, {name: tmp_path / name for name in recipe.sets}):
        if planning.missing(recipe, sources, None)[1]:
            continue
        jobs = planning.plan(recipe, tmp_path, sources, None)
        assert [job.stage for job in jobs] == sorted((job.stage for job in jobs), key=reading.STAGES.index)
        for job in jobs:
            source = ROOT.joinpath(*job.command[0].split("."))
            text = (source / "__main__.py" if source.is_dir() else source.with_suffix(".py")).read_text()
            known = set(re.findall(r"DEFINE_\w+\(\s*\"(\w+)\"", text)) | {"report"}
            for word in job.command[1:]:
                flag = word.removeprefix("--").partition("=")[0]
                assert flag in known or flag.removeprefix("no") in known, word
    assert sum(part.seconds for part in recipe.parts) <= {"cpu": 20, "gpu": 2, "quick": 0.2}[budget] * 3600
    for stage in recipe.stages:
        for one in stage.expected.values():
            assert (ROOT / re.match(r"experiments/results/\w+\.json", one.source)[0]).is_file()
