import numpy as np
import pytest

from experiments.evaluation.data import HeldOut
from tests.data_pipelines.conftest import data_dir  # noqa: F401
from vasa_jax.errors import InputError


@pytest.fixture
def train(data_dir):  # noqa: F811
    return HeldOut(data_dir, "alpha", "train", 64)


def test_speakers_take_turns(train):
    chosen = train.choose(4)
    assert [train.clip(i).speaker for i in chosen] == ["s1", "s2", "s3", "s1"]
    assert chosen == train.choose(4) and len(train.choose(0)) == 10
    assert {train.clip(i).speaker for i in train.choose(0, ["s2"])} == {"s2"} and train.main_speaker() == "s1"


def test_images_are_the_inner_crop(train):
    clip = train.clip(train.choose(1)[0])
    assert clip.images.shape[1:] == (64, 64, 3) and clip.images.dtype == np.uint8 and len(clip) == 12
    assert np.abs(clip.images[3].astype(int) - [5, 14, 128]).max() <= 3  # JPEG


def test_tracks_of_one_speaker(train):
    found = list(train.tracks("s1", 2))
    assert [clip.speaker for clip in found] == ["s1", "s1"] and len({clip.clip_id for clip in found}) == 2
    assert len(list(train.tracks())) == 10


def test_what_is_not_there(train, data_dir):  # noqa: F811
    with pytest.raises(InputError, match="s9"):
        train.choose(1, ["s9"])
    with pytest.raises(InputError, match="100 px"):
        HeldOut(data_dir, "alpha", "train", 100)
    with pytest.raises(InputError, match="no split"):
        HeldOut(data_dir, "alpha", "unseen", 64)
