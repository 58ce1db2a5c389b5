"""Cuts are found where they are, and moving heads, moving cameras and noise pass for none."""

import numpy as np
import pytest

from data_pipelines.prepare import shots


def scene(seed: int, count: int, speed: float = 0.0) -> np.ndarray:
    """[count, 90, 160, 3] a smooth image that slides by `speed` pixels a frame, with noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (10, 40, 3))
    wide = np.kron(coarse, np.ones((9, 9, 1)))
    for _ in range(3):
        wide = (wide + np.roll(wide, 4, 0) + np.roll(wide, 4, 1)) / 3
    frames = [np.roll(wide, -round(k * speed), 1)[:, :160] for k in range(count)]
    return np.clip(np.stack(frames) + rng.normal(0, 4, (count, 90, 160, 3)), 0, 255).astype(np.uint8)


def cuts(*scenes: np.ndarray) -> list[int]:
    watch = shots.Watch()
    assert len(list(watch.over(np.concatenate(scenes)))) == len(watch)
    return watch.cuts()


@pytest.mark.parametrize("speed", [0.0, 2.0])
def test_cuts_between_scenes(speed):
    assert cuts(scene(0, 20, speed), scene(1, 15, speed), scene(2, 30)) == [20, 35]


@pytest.mark.parametrize("speed", [0.0, 1.0, 4.0, 12.0])
def test_moving_cameras_do_not_cut(speed):
    assert cuts(scene(3, 60, speed)) == []


def test_slow_change_of_light_does_not_cut():
    frames = scene(4, 50).astype(np.float32) * np.linspace(0.3, 1, 50)[:, None, None, None]
    assert cuts(frames.astype(np.uint8)) == []


def test_repeated_images_are_no_change():
    image = scene(5, 1)[0]
    watch = shots.Watch()
    list(watch.over([image] * 5))
    assert (watch.changes == 0).all() and watch.cuts() == []


def test_nothing_to_see():
    assert shots.Watch().cuts() == []
