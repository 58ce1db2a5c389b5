"""From sources to shards, with a stand-in for what makes the clips."""

import json
import pathlib

import numpy as np
import pytest

from data_pipelines import datasets, emotions, records, schema
from data_pipelines.prepare import shard_manifest
from data_pipelines.prepare.source import Dropped, Processed
from tests.data_pipelines.conftest import fake_labels
from tests.data_pipelines.files import touch
from vasa_jax import files
from vasa_jax.errors import InputError

tfds = pytest.importorskip("tensorflow_datasets", reason="tensorflow-datasets is not installed")


def _produce(source, size=80):
    """Two clips of each source; none of those of a speaker called bad, and nothing at all of one called mute."""
    if source.speaker.startswith("bad"):
        return Processed(dropped=[Dropped(source.name, f"{source.path}: no face")])
    if source.speaker == "mute":
        return Processed()
    examples = [
        schema.make_example(
            f"{source.name}_{k}",
            source.speaker,
            np.full((3 + k, size, size, 3), 40 * k, np.uint8),
            np.zeros(640 * (3 + k)),
            **fake_labels(3 + k, np.random.default_rng(k)),
        )
        for k in range(2)
    ]
    return Processed(examples, [Dropped(f"{source.name}_2", "too short")])


def _build(name, folder, out, **kwargs):
    builder = datasets.builder(name, produce=_produce, config="tiny_64", data_dir=out, **kwargs)
    builder.download_and_prepare(
        download_dir=out / "downloads", download_config=tfds.download.DownloadConfig(manual_dir=str(folder))
    )
    return builder


@pytest.fixture
def built(tmp_path):
    videos = tmp_path / "videos"
    touch(videos, "train/anna/1.mp4", "train/bad/1.mp4", "train/mute/1.mp4", "test/ben/1.mp4", "validation/bad2/1.mp4")
    (videos / "train/anna/1.mp4").write_bytes(b"abc")
    return _build("prepared_folder", videos, tmp_path / "data")


def test_what_the_stream_reads(built):
    folder = records.find_dataset(pathlib.Path(built.data_dir).parents[2], "prepared_folder")
    assert folder == pathlib.Path(built.data_dir) and folder.parts[-2:] == ("tiny_64", "1.0.0")
    train = records.RecordSplit(folder, "train")
    assert sorted(train.clip_ids) == ["anna_1_0", "anna_1_1"] and sorted(train.lengths) == [3, 4]
    assert train[0].image(0).shape == (80, 80, 3)
    # A split of which nothing could be used is left out: TFDS cannot write one without examples.
    assert set(built.info.splits) == {"train", "test"}


def test_nothing_is_lost_silently(built):
    assert sorted(built.quality["kept"]) == ["anna_1_0", "anna_1_1", "ben_1_0", "ben_1_1"]
    reasons = {entry["clip"]: entry["reason"] for entry in built.quality["dropped"]}
    assert set(reasons) == {"anna_1_2", "bad_1", "bad2_1", "ben_1_2", "mute_1"}
    assert "no face" in reasons["bad2_1"] and "no clip came of it" in reasons["mute_1"]
    written = json.loads((pathlib.Path(built.data_dir) / "quality.json").read_text())
    assert sorted(written["kept"]) == sorted(built.quality["kept"]) and len(written["dropped"]) == 5


def test_manifests(built):
    folder = pathlib.Path(built.data_dir)
    manifest = json.loads((folder / shard_manifest.NAME).read_text())
    assert manifest["examples"] == {"train": 2, "test": 2} and len(manifest["shards"]) == 2
    shard_manifest.check(folder, checksums=True)
    sources = [json.loads(line) for line in (folder / "sources.jsonl").read_text().splitlines()]
    assert [entry["file"] for entry in sources] == [
        "test/ben/1.mp4",
        "train/anna/1.mp4",
        "train/bad/1.mp4",
        "train/mute/1.mp4",
        "validation/bad2/1.mp4",
    ]
    assert sources[1]["bytes"] == 3 and sources[1]["sha256"].startswith("ba7816bf")  # of "abc"


def test_the_same_input_gives_the_same_shards(tmp_path):
    touch(tmp_path / "videos", *(f"p{i}/1.mp4" for i in range(4)))
    first, second = (_build("folder_mine", tmp_path / "videos", tmp_path / name) for name in ("a", "b"))
    digests = [
        {path.name: files.sha256(path) for path in pathlib.Path(b.data_dir).glob("*.array_record-*")}
        for b in (first, second)
    ]
    assert digests[0] == digests[1] and first.name == "folder_mine"


def test_published_emotions_reach_the_clips(tmp_path):
    touch(tmp_path / "mead", "M005/video/front/happy/level_2/001.mp4")
    folder = pathlib.Path(_build("mead", tmp_path / "mead", tmp_path / "data").data_dir)
    clip = records.RecordSplit(folder, "train")[0]
    (source,) = (folder / "sources.jsonl").read_text().splitlines()
    assert json.loads(source)["file"] == "M005/video/front/happy/level_2/001.mp4"
    expected = np.tile(emotions.coefficients("happiness", 2 / 3), (len(clip), 1))
    np.testing.assert_allclose(clip.labels["emotion"], expected)


def test_only_the_sources_that_are_given(tmp_path):
    touch(tmp_path / "videos", "anna/1.mp4", "ben/1.mp4")
    sources = datasets.find_sources("prepared_folder", tmp_path / "videos")[1:]
    builder = _build("prepared_folder", tmp_path / "videos", tmp_path / "data", sources=sources)
    assert builder.quality["kept"] == ["ben_1_0", "ben_1_1"]


def test_nothing_of_use_leaves_nothing_behind(tmp_path):
    touch(tmp_path / "videos", "bad/1.mp4", "bad/2.mp4")
    with pytest.raises(InputError, match=r"none of 2 videos is of use; the first: .*no face"):
        _build("prepared_folder", tmp_path / "videos", tmp_path / "data")
    assert not list((tmp_path / "data").glob("**/*.array_record*"))
    assert not list((tmp_path / "data").glob("**/dataset_info.json"))


def test_images_of_another_size_are_a_mistake(tmp_path):
    touch(tmp_path / "videos", "anna/1.mp4")
    builder = datasets.builder("prepared_folder", produce=_produce, config="small_128", data_dir=tmp_path)
    with pytest.raises(ValueError, match="small_128 holds 160 px"):
        builder.download_and_prepare(
            download_dir=tmp_path, download_config=tfds.download.DownloadConfig(manual_dir=str(tmp_path / "videos"))
        )


@pytest.mark.parametrize("name", datasets.NAMES)
def test_every_builder_says_what_to_fetch_and_what_is_allowed(name, tmp_path):
    builder = datasets.builder(name, config="small_128", data_dir=tmp_path)
    data_set = datasets.get(name)
    assert builder.name == name and builder.MANUAL_DOWNLOAD_INSTRUCTIONS == data_set.instructions
    info = builder.info
    assert info.redistribution_info.license == data_set.license and data_set.size in info.description
    assert set(builder.builder_configs) == set(schema.RESOLUTIONS)
