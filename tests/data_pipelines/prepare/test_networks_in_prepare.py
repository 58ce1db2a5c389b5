"""A folder of videos with networks beside it: their labels are what is stored, and other files redo the work."""

import json
import os

import numpy as np
import pytest

from data_pipelines import clips, records, schema
from data_pipelines.prepare import backends, local, pipeline, process, steps
from data_pipelines.prepare.networks import NetworkFiles
from data_pipelines.prepare.source import Source
from tests.data_pipelines.conftest import write_video
from tests.data_pipelines.prepare.conftest import CENTRE, HEIGHT, SCALE, WIDTH, audio_of, speech
from tests.data_pipelines.prepare.networks import stand_ins
from vasa_jax.errors import InputError

FRAMES = 12
EDGE = 48  # of the red part of the images, in pixels


@pytest.fixture
def red_left(heads):
    """A video that is red to the left of EDGE and blue to its right, and tracks of a face."""
    path = heads.write("a_b", seconds=FRAMES / 25)
    images = np.zeros((FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    images[:, :, :EDGE, 0] = images[:, :, EDGE:, 2] = 255
    write_video(path, images, audio_of(speech(FRAMES, 0), 0))
    return heads


def request(heads, output, files, **fields):
    return pipeline.Request(
        name="folder_made",
        config="tiny_64",
        videos=os.fspath(heads.root / "videos"),
        output=output,
        tracker=backends.Spec(landmarks=os.fspath(heads.tracks)),
        options=process.Options(size=80, min_seconds=0.0, filters=False),
        networks=files,
        **fields,
    )


def test_all_three_label_a_folder(red_left, tmp_path):
    pytest.importorskip("onnxruntime", reason="needs the package onnxruntime, which runs ONNX files")
    given = NetworkFiles(
        os.fspath(stand_ins.write_gaze(tmp_path / "gaze.pkl", 20.0, -10.0)),
        os.fspath(stand_ins.write_emotion(tmp_path / "emotion.onnx")[0]),
        os.fspath(stand_ins.write_matte(tmp_path / "matte.onnx")),
    )
    output = tmp_path / "data"
    report = pipeline.prepare(request(red_left, output, given))
    assert report["examples"] == {"train": 1}
    clip = records.RecordSplit(records.find_dataset(output, "folder_made"), "train")[0]
    np.testing.assert_allclose(clip.labels["gaze"], np.tile(np.radians([-20, -10]), (FRAMES, 1)), atol=1e-3)
    emotion = clip.labels["emotion"]
    np.testing.assert_allclose(emotion.sum(1), 1, atol=1e-5)
    assert (emotion == emotion[0]).all() and emotion[0].min() > 0  # a softmax: the landmarks' zeros are gone
    assert len(clip.mattes) == FRAMES
    labels = json.loads((output / "quality.json").read_text())["labels"]
    assert labels["from"] == "tracks made before, gaze by gaze.pkl, emotion by emotion.onnx, matte by matte.onnx"
    assert labels["networks"]["gaze"].keys() == {"file", "sha256"}
    stream = clips.ClipStream(str(output), {"folder_made": 1}, kind="clips", length=4, batch_size=1, mattes=True)
    matte = stream.batch(0)["matte"]
    assert matte.shape == (1, 4, 80, 80, 1) and matte.dtype == np.uint8
    edge = round((1 + (EDGE - CENTRE[0]) / SCALE / schema.MARGIN) * 40)  # in the stored image
    assert matte[..., : edge - 3, :].min() > 250 and matte[..., edge + 3 :, :].max() < 5


def test_wrong_files_are_refused_before_anything_is_made(red_left, tmp_path):
    (tmp_path / "text.pkl").write_text("no network")
    with pytest.raises(InputError, match=r"text.pkl.*no PyTorch file") as caught:
        pipeline.prepare(request(red_left, tmp_path / "data", NetworkFiles(gaze=os.fspath(tmp_path / "text.pkl"))))
    assert "\n" not in str(caught.value) and not (tmp_path / "data").exists()


def test_another_file_is_another_result(heads, tmp_path, monkeypatch):
    """And every worker opens the networks once."""
    opened = []

    class Looks:
        labels = ("gaze",)

        def __init__(self, value):
            self.value = value

        def __call__(self, frames, points):
            return {"gaze": np.full((len(frames), 2), self.value, np.float32)}

    def open_(self):
        opened.append(self.gaze)
        with open(self.gaze) as file:
            return [Looks(float(file.read()))]

    monkeypatch.setattr(NetworkFiles, "open", open_)
    sources = [Source(heads.write(name, seed=k), name, "a") for k, name in enumerate(("a_b", "a_c"))]
    (tmp_path / "gaze").write_text("0.25")
    spec, options = backends.Spec(landmarks=os.fspath(heads.tracks)), process.Options(size=80)
    plain = steps.Job(tmp_path / "staged", spec, options)
    job = steps.Job(tmp_path / "staged", spec, options, NetworkFiles(gaze=os.fspath(tmp_path / "gaze")))
    assert plain.made_from(sources[0]) != job.made_from(sources[0])

    def run():
        old = []
        local.run(sources, job, 1, lambda outcome: old.append(outcome.old))
        return old

    assert run() == [False, False] and len(opened) == 1
    assert run() == [True, True] and len(opened) == 1  # nothing to do, nothing to open
    (tmp_path / "gaze").write_text("0.125")
    assert run() == [False, False] and len(opened) == 2
