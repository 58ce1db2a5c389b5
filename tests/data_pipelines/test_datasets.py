"""The registry, and what holds for all data sets alike."""

import pathlib
import subprocess
import sys

import pytest

from data_pipelines import datasets
from tests.data_pipelines.files import touch
from vasa_jax.errors import InputError, UsageError

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize("name", datasets.NAMES)
def test_metadata(name, tmp_path):
    data_set = datasets.get(name)
    assert data_set.name == name and data_set.license and data_set.size and data_set.layout
    assert ("non-commercial" in data_set.license.lower()) == data_set.non_commercial
    if name != "prepared_folder":
        assert data_set.homepage.startswith("https://") and data_set.citation.startswith("@")
        assert "http" in data_set.fetch
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InputError) as error:
            datasets.find_sources(name, folder)
        message = str(error.value)
        assert message.startswith(str(folder)) and data_set.fetch in message and "\n" not in message


@pytest.mark.parametrize("name", datasets.NAMES)
def test_documented(name):
    row = next(
        line for line in (ROOT / "docs" / "datasets.md").read_text().splitlines() if line.startswith(f"| `{name}`")
    )
    assert ("**non-commercial" in row) == datasets.get(name).non_commercial


def test_a_folder_under_a_name_of_its_own(tmp_path):
    touch(tmp_path, "anna/1.mp4")
    assert [s.speaker for s in datasets.find_sources("folder_interviews", tmp_path)] == ["anna"]
    assert datasets.get("folder_interviews").name == "folder_interviews"


def test_a_folder_without_a_name_is_called_after_itself(tmp_path, monkeypatch):
    (tmp_path / "my-Videos.txt").write_text("anna/1.mp4")
    (tmp_path / "Day 2").mkdir()
    monkeypatch.chdir(tmp_path / "Day 2")
    names = {"a/My Videos/": "folder_my_videos", "../my-Videos.txt": "folder_my_videos", ".": "folder_day_2"}
    names |= {"/data/folder_x": "folder_x", "grid": "folder_grid"}
    for folder, name in names.items():
        assert datasets.own_name(folder) == name
        assert datasets.get(name).name == name
    other = datasets.own_name("/data/\u89c6\u9891")  # of another script
    assert datasets.get(other) and other != datasets.own_name("/data/\u5f71\u50cf")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("films", "known: grid"),
        ("folder_A b", "unknown"),
        ("procedural_heads", "data_pipelines.synthetic"),
        ("rigged_twins", "rigged_heads --twins"),
    ],
)
def test_unknown_names(name, says, tmp_path):
    for call in (lambda: datasets.find_sources(name, tmp_path), lambda: datasets.builder(name)):
        with pytest.raises(UsageError, match=says):
            call()


def test_two_videos_of_one_name(tmp_path):
    touch(tmp_path, "VideoFlash/1001_DFA_ANG_XX.flv", "VideoFlash/1001_DFA_ANG_XX.mp4")
    with pytest.raises(InputError, match="rename or remove"):
        datasets.find_sources("crema_d", tmp_path)


def test_looking_for_videos_does_not_load_tensorflow(tmp_path):
    touch(tmp_path, "anna/1.mp4")
    code = (
        "import sys; from data_pipelines import datasets; "
        f"print(len(datasets.find_sources('prepared_folder', {str(tmp_path)!r}))); "
        "sys.exit('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == "1\n", done.stderr
