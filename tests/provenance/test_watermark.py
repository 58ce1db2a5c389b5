"""Any key comes back from what is coded, scaled, cropped or slowed; what is not marked is not found."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import watermark_study as study
from vasa_jax.provenance import watermark

KEYS = st.integers(0, 2**32 - 1)


def speaking(seconds=3.0, size=256, seed=0):
    """An image with the spectrum of photographs, and a part of it that moves like a head."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]) * size
    detail = np.fft.irfft2(np.fft.rfft2(random.normal(size=(2, size, size))) / np.maximum(frequency, 2) ** 1.2)
    ground, face = 100 + 25 * detail[0] / detail[0].std(), 150 + 25 * detail[1] / detail[1].std()
    frames = []
    for i in range(round(25 * seconds)):
        down, right = round(0.03 * size * np.sin(i / 7 + seed)), round(0.02 * size * np.sin(i / 11))
        head = np.hypot((y - 0.5 - down / size) / 0.32, (x - 0.5 - right / size) / 0.24) < 1
        shown = np.where(head, np.roll(face, (down, right), (0, 1)), ground)
        frames.append(np.clip(shown[..., None] + np.array([8, 0, -8]), 0, 255).astype(np.uint8))
    return frames


SCENE = speaking()


@settings(max_examples=4, deadline=None, derandomize=True)
@given(KEYS)
def test_any_key_comes_back_from_what_is_coded(key):
    found = watermark.find(study.encoded(list(watermark.mark(SCENE, key)), "libx264", 23))
    assert found.found and found.key_id == f"{key:08x}" and found.bit_error == 0


@pytest.mark.parametrize("attack", ["h264 crf 28", "hevc crf 28", "gif", "15 frames/s, h264 crf 23"])
def test_it_survives(attack):
    found = watermark.find(study.ATTACKS[attack](list(watermark.mark(SCENE, 0x01FE80A7))))
    assert found.found and found.key_id in (None, "01fe80a7") and found.bit_error < 0.2


def test_half_the_size():
    found = watermark.find(study.ATTACKS["half size, h264 crf 23"](list(watermark.mark(SCENE, 77))))
    assert found.found and found.key_id == "0000004d"


@settings(max_examples=2, deadline=None, derandomize=True)
@given(KEYS, st.tuples(*[st.floats(0, 0.07)] * 4))
def test_any_crop_is_found_again(key, sides):
    top, bottom, left, right = sides
    found = watermark.find(study.cropped(list(watermark.mark(SCENE, key)), top, bottom, left, right))
    assert found.found and found.key_id == f"{key:08x}"
    wanted = 1 - top - bottom, 1 - left - right, top, left
    off = (np.subtract(found.place, wanted) + 0.5) % 1 - 0.5  # places wrap around
    assert np.abs(off).max() < 0.01


@pytest.mark.heavy
def test_what_is_not_marked_is_not_found():
    for seed in range(2):
        found = watermark.find(speaking(seconds=1.5, seed=seed))
        assert not found.found and found.key_id is None and found.score < watermark.SEARCH_THRESHOLD
    noise = np.random.default_rng(5).integers(0, 256, (40, 64, 64, 3)).astype(np.uint8)
    assert not watermark.find(noise).found
    assert not watermark.find(SCENE[:3]).found and not watermark.find([np.zeros((64, 64, 3), np.uint8)] * 40).found


def test_chance_is_as_it_was_calculated():
    """Scores of nothing are those of coins: mean 0, deviation at most 1."""
    random = np.random.default_rng(1)
    scores = [watermark._score(random.normal(size=(192, 192)).astype(np.float32), (1, 1, 0, 0)) for _ in range(200)]
    assert abs(np.mean(scores)) < 0.3 and 0.8 < np.std(scores) < 1.2
    assert watermark._AS_IT_IS * np.exp(-(watermark.THRESHOLD**2) / 2) <= 0.5e-6 * 1.001
    assert watermark._TRIED * np.exp(-(watermark.SEARCH_THRESHOLD**2) / 2) <= 0.5e-6 * 1.001


def test_it_cannot_be_seen():
    marked = list(watermark.mark(SCENE, 5))
    error = np.stack(marked).astype(int) - np.stack(SCENE)
    assert 10 * np.log10(255**2 / np.mean(error**2)) > 42
    inside = ((np.stack(SCENE) > 10) & (np.stack(SCENE) < 245)).all(-1, keepdims=True)
    assert ((error == error[..., :1]) | ~inside).all(), "brightness alone"
    plain = np.full((128, 128, 3), 128, np.uint8)
    flat = np.stack(list(watermark.mark([plain] * 20, 5))).astype(int) - 128
    assert flat.std() < 0.8 and np.abs(flat).max() <= 3


@pytest.mark.parametrize("shape", [(64, 64), (33, 90), (512, 512), (101, 64)])
def test_any_shape_and_nothing_kept(shape):
    frame = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    before = frame.copy()
    first = watermark.mark_frame(frame, 3, 5)
    assert first.shape == frame.shape and first.dtype == np.uint8 and (frame == before).all()
    watermark.mark_frame(frame[::-1], 9, 2)
    assert (watermark.mark_frame(frame, 3, 5) == first).all() and (first != frame).any()
    tiny = frame[:31]
    assert watermark.mark_frame(tiny, 3, 5) is tiny
