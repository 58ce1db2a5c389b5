"""The suites wander and blinks on motion that is made up."""

import numpy as np
import pytest

from experiments.evaluation import blinking, wander
from vasa_jax.inference import blinks

FPS = 25


class Walk:
    """A motion model whose head wanders off, unless it is poised; the mouth opens and closes."""

    def windows(self, audio, frames, *, seed, start, poised):
        rng = np.random.default_rng(seed)
        motion = np.tile(start, (frames, 1)).astype(np.float64)
        step = np.radians(0.4) * rng.standard_normal((frames, 3))
        keep = 0.98 if poised else 1.0
        for k in range(1, frames):
            motion[k, :3] = start[:3] + keep * (motion[k - 1, :3] - start[:3]) + step[k]
        motion[:, 7] = np.sin(np.arange(frames))
        for at in range(0, frames, 44):
            yield motion[at : at + 44]


def _run(real=()):
    start = np.asarray([0.1, 0, 0, 0, 0, 0, 1, 0.0])
    return wander.run(Walk(), lambda m: m[:, 7], np.zeros(40 * FPS * 640), range(4), start, real)


def test_it_tells_heads_that_wander_from_those_that_do_not() -> None:
    report = _run()
    assert report["free"]["beyond"] > 0.1 > report["poised"]["beyond"]
    assert report["free"]["furthest"].shape == (3,) and report["seeds"] == 4
    assert report["mouth_changes_kept"]["least"] == pytest.approx(1.0)


def test_made_stands_beside_real() -> None:
    rng = np.random.default_rng(0)
    calm = [np.cumsum(rng.standard_normal((75, 8)) * np.radians(0.4), 0) for _ in range(40)]
    report = _run(calm)
    assert report["piece"] == 75 and report["real"]["clips"] == 40
    assert all(report["within_real"]["speed"]) and all(report["within_real"]["range"])
    wild = _run([clip / 10 for clip in calm])
    assert not any(wild["within_real"]["speed"])
    wander.show(report)


def test_pieces() -> None:
    assert wander.pieces(np.zeros((160, 3)), 75).shape == (2, 75, 3)


def _lids(blink_every: int, frames: int = 60 * FPS) -> np.ndarray:
    lids = np.zeros((frames, 2))
    for at in range(10, frames - 5, blink_every):
        lids[at : at + 4] = 1.0
    return lids


class Read:
    def labels(self, motion):
        return {"lids": motion[:, :2], "mouth": motion[:, 2:]}


def test_blinks_are_counted_by_mode() -> None:
    mouth = np.zeros((60 * FPS, 2))
    made = {
        mode: [np.concatenate([_lids(every), mouth], 1)] * 3
        for mode, every in ((blinks.MODEL, 600), (blinks.AUTO, 100))
    }
    report = blinking.in_codes(Read(), made)
    assert report["model"]["mean"] == pytest.approx(3) and report["model"]["alive"] == 0
    assert report["auto"]["mean"] == pytest.approx(15) and report["auto"]["alive"] == 1
    assert report["mouth_moved"] == 0
    blinking.show({"codes": report})


def test_blinks_are_counted_in_images() -> None:
    class Reader:
        def read(self, images):
            return type("Reading", (), {"lids": _lids(int(images[0, 0, 0, 0]), 1500)})

    asked = []

    def animate(portrait, seed, mode):
        asked.append((portrait, seed, mode))
        return [np.full((2, 2, 3), 250 if mode == blinks.MODEL else 125, np.uint8)] * 3

    report = blinking.in_images(animate, Reader(), ["a.jpg", "b.jpg"])
    assert report["model"]["mean"] == pytest.approx(6) and report["auto"]["mean"] == pytest.approx(12)
    assert asked[0] == ("a.jpg", 0, "model") and asked[-1] == ("b.jpg", 1, "auto")
