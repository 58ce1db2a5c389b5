import numpy as np
import pytest
import soundfile
from PIL import Image

from data_pipelines import schema
from data_pipelines.portraits import portraits
from data_pipelines.prepare import tracking
from experiments.evaluation import stills
from tests.data_pipelines.conftest import mesh_of
from tests.data_pipelines.files import touch
from tests.data_pipelines.prepare.conftest import (
    CENTRE,
    SCALE,
    audio_of,
    face_points,
    heads,  # noqa: F401
    images_of,
    speech,
)
from vasa_jax.errors import InputError


def test_held_out_portraits_come_first_else_every_image(tmp_path):
    touch(tmp_path, "mine/b.png", "mine/a.jpg", "notes.txt")
    found = stills.find_stills(tmp_path)
    assert [s.name for s in found] == ["mine/a.jpg", "mine/b.png"]
    assert found[0].groups == {"source": "mine", "age": "-", "skin": "-"}
    held = portraits.held_out()[:3]
    touch(tmp_path, *(f"{entry.set}/{entry.file}" for entry in held), f"{held[0].set}/of_training.jpg")
    found = stills.find_stills(tmp_path)
    assert [(s.path.name, s.groups["age"]) for s in found] == [(entry.file, entry.age) for entry in held]
    assert [s.path.name for s in stills.find_stills(tmp_path, 2)] == [held[0].file, held[2].file]


@pytest.mark.parametrize("name", ["absent", "empty"])
def test_no_image(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="give --data a folder of portraits"):
        stills.find_stills(tmp_path / name)


def write_speech(path, seconds: float, silent: float = 0.0, seed: int = 0):
    """Speech with `silent` seconds of near silence before it."""
    audio = audio_of(np.clip(speech(round(25 * seconds), seed) + 0.2, 0, 1), seed, rate=schema.SAMPLE_RATE)
    quiet = np.random.default_rng(1).normal(0, 1e-4, round(silent * schema.SAMPLE_RATE))
    soundfile.write(path, np.concatenate([quiet, audio]), schema.SAMPLE_RATE)


def test_recordings_in_turn_without_silence(tmp_path):
    write_speech(tmp_path / "a.wav", 6.0, silent=3.0)
    write_speech(tmp_path / "b.wav", 5.9, seed=1)
    (tmp_path / "notes.txt").write_text("no audio")
    found = stills.find_speech([tmp_path], 3.0, 9)
    assert [name for name, _ in found] == ["a at 3 s", "b at 0 s", "a at 6 s", "b at 2.92 s"]
    assert all(len(audio) == 3 * schema.SAMPLE_RATE for _, audio in found)
    assert len(stills.find_speech([tmp_path], 3.0, 3)) == 3


def test_one_piece_of_speech_is_not_enough(tmp_path):
    write_speech(tmp_path / "a.wav", 4.0)
    with pytest.raises(InputError, match="1 pieces of 3 s.*give --audio a longer recording"):
        stills.find_speech([tmp_path / "a.wav"], 3.0, 9)


def test_the_project_s_own_speech_serves():
    assert len(stills.find_speech([stills.OWN_SPEECH], stills.SECONDS, 24)) == 2


class Still:
    """A tracker that sees the face where the made videos have it."""

    def track(self, clip_id, images, box=None):
        t = sum(1 for _ in images)
        shapes = np.zeros((t, tracking.BLENDSHAPES), np.float32)
        return tracking.Track(mesh_of(face_points(np.zeros(t))), shapes, np.ones(t, bool))


def test_real_clips_speakers_in_turn_cut_about_the_face(tmp_path, heads):  # noqa: F811
    for name in ("s1_a", "s1_b", "s2_c"):
        heads.write(name, seconds=1.0)
    found = list(stills.real_clips(heads.root / "videos", Still(), 40, seconds=0.6, count=2))
    assert [clip.name for clip in found] == ["s1/a", "s2/c"]
    assert found[0].images.shape == (15, 40, 40, 3) and len(found[0].audio) == 15 * 640
    whole = Image.fromarray(images_of(speech(25, 0), 0)[0])
    box = (CENTRE[0] - SCALE, CENTRE[1] - SCALE, CENTRE[0] + SCALE, CENTRE[1] + SCALE)
    cut = np.asarray(whole.resize((40, 40), Image.Resampling.BICUBIC, box=box)).astype(int)
    assert np.abs(found[0].images[0].astype(int) - cut).mean() < 6
    with pytest.raises(InputError, match="give --real a folder"):
        list(stills.real_clips(tmp_path / "absent", Still(), 40))
