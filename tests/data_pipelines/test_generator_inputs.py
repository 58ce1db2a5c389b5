"""Stored inputs come back as they were, each once a turn, the same for any number of hosts."""

import json

import numpy as np
import pytest

from data_pipelines import generator_inputs
from data_pipelines.generator_inputs import GeneratorInputs
from data_pipelines.prepare import generator
from vasa_jax.errors import InputError


@pytest.fixture
def folder(tmp_path):
    made = lambda n: {"row": np.arange(4, dtype=np.int32) + 4 * n, "x": np.full((4, 2, 3), n, np.float16)}  # noqa: E731
    generator_inputs.write(tmp_path / "train", made, 3)
    return tmp_path / "train"


def test_every_item_once_a_turn_and_whole(folder):
    stream = GeneratorInputs(folder, batch_size=6, seed=1)
    rows = np.concatenate([stream.batch(step)["row"] for step in range(2)])
    assert sorted(rows) == list(range(12))
    batch = stream.batch(0)
    np.testing.assert_array_equal(batch["x"][:, 0, 0], batch["row"] // 4)
    assert batch["x"].dtype == np.float16


def test_a_batch_depends_on_seed_and_step_alone(folder):
    batches = lambda seed, start: next(GeneratorInputs(folder, 5, seed).iterate(start))["row"]  # noqa: E731
    np.testing.assert_array_equal(batches(1, 7), GeneratorInputs(folder, 5, 1).batch(7)["row"])
    assert any((batches(1, n) != batches(2, n)).any() for n in range(3))


def test_hosts_read_disjoint_shares_of_one_batch(folder):
    whole = GeneratorInputs(folder, 8, 3).batch(5)
    parts = [GeneratorInputs(folder, 8, 3, process_index=n, process_count=2).batch(5) for n in range(2)]
    for name in whole:
        np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), whole[name])


def test_a_folder_that_is_not_whole_is_refused(folder):
    (folder / "about.json").unlink()
    with pytest.raises(InputError, match="vasa-prepare --stage=generator"):
        GeneratorInputs(folder, 4, 0)


def test_folders_of_older_names_are_read(folder):
    (folder / "x.npy").rename(folder / "picture.npy")
    about = json.loads((folder / "about.json").read_text())
    (folder / "about.json").write_text(json.dumps(about | {"arrays": ["picture", "row"]}))
    batch = GeneratorInputs(folder, 4, 0).batch(0)
    assert batch.keys() == {"image", "row", "index"}
    np.testing.assert_array_equal(batch["image"][:, 0, 0], batch["row"] // 4)


@pytest.mark.parametrize(("files", "says"), [((), "there is no recording"), (("a.wav",), "needs a release")])
def test_speech_that_cannot_be_spoken_is_refused(tmp_path, files, says):
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=says):
        generator.spoken_codes("runs/no_release", tmp_path)
