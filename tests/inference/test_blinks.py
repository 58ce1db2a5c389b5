"""Blinker: how often, how long, never twice at once, in pieces, and what it leaves alone."""

import numpy as np
import pytest

from vasa_jax.errors import UsageError
from vasa_jax.inference import blinks
from vasa_jax.inference.blinks import FPS, Blinker, lids_of
from vasa_jax.metrics.blinks import find_blinks

D, MINUTE = 8, 60 * FPS
_RNG = np.random.default_rng(0)
HEAD = {"kernel": _RNG.standard_normal((D, 6)), "bias": np.asarray([0.4, 3.0, 0.1, 0.1, 0.0, 0.0])}
STD = np.linspace(0.2, 1.0, D)
LIDS = lids_of(HEAD, STD)


def _read(motion: np.ndarray) -> np.ndarray:
    return motion[:, 7:] @ HEAD["kernel"] + HEAD["bias"]


def _motion(closure: np.ndarray, seed: int = 0) -> np.ndarray:
    """A face that moves as it likes, with lids closed as told."""
    rng = np.random.default_rng(seed)
    motion = np.cumsum(rng.standard_normal((len(closure), 7 + D)) * 0.02, 0)
    motion[:, 7:] += (closure - LIDS.read(motion[:, 7:]))[:, None] * LIDS.direction
    return motion.astype(np.float32)


def _closure(motion: np.ndarray) -> np.ndarray:
    return np.repeat(_read(motion)[:, 2:4].mean(-1, keepdims=True), 2, -1)


def _shown(closure: np.ndarray, seed: int = 0, mode: str = blinks.AUTO, lids: blinks.Lids = LIDS) -> np.ndarray:
    return Blinker(lids, seed, mode).over(_motion(closure, seed))


def _blink(closure: np.ndarray, at: int, peak: float) -> None:
    closure[at : at + 6] += peak * np.asarray([0.4, 0.9, 1.0, 0.8, 0.5, 0.2])


@pytest.mark.parametrize("rest", [0.0, pytest.param(0.15, marks=pytest.mark.slow), 0.3])
def test_a_face_that_never_blinks_blinks_as_people_do(rest: float) -> None:
    counts = [len(find_blinks(_closure(_shown(np.full(MINUTE, rest), seed)))) for seed in range(20)]
    assert min(counts) >= 9 and max(counts) <= 20, counts
    assert 12 <= np.mean(counts) <= 17 and np.std(counts) > 0.5


def test_a_blink_lasts_as_peoples_do_and_closes_faster_than_it_opens() -> None:
    closure = _closure(_shown(np.full(10 * MINUTE, 0.1))).mean(-1)
    found = find_blinks(np.stack([closure] * 2, -1))[1:-1]
    half = [int((closure[a - 3 : b + 6] > 0.5).sum()) for a, b in found]
    assert min(half) >= 4 and max(half) <= 7, "160 to 280 ms at half closure"
    assert all(closure[a - 3 : b + 6].max() > 0.9 for a, b in found)
    rise, fall = [], []
    for a, b in found:
        part = closure[a - 4 : b + 8]
        top = np.flatnonzero(part > 0.9)
        rise.append(top[0] - np.flatnonzero(part[: top[0]] < 0.15)[-1])
        fall.append(top[-1] + np.flatnonzero(part[top[-1] :] < 0.15)[0] - top[-1])
    assert np.mean(rise) < np.mean(fall)
    gaps = np.diff([a for a, _ in found]) / FPS
    assert gaps.min() >= 1.5 and gaps.max() <= 8.2 and gaps.std() > 0.8, "not by the clock"


def test_the_models_own_blinks_count_and_weak_ones_become_whole() -> None:
    closure, own = np.full(MINUTE, 0.1), range(50, MINUTE - 20, 60)
    for at in own:
        _blink(closure, at, 0.42)
    assert not find_blinks(np.stack([closure] * 2, -1)), "too weak to be seen"
    found = [a for a, _ in find_blinks(_closure(_shown(closure)))]
    met = [any(abs(a - at - 1) <= 1 for a in found) for at in own]
    assert np.mean(met) > 0.7, "but for those right after one that was made"
    assert len(found) <= len(own) + 5, "the process waits for the model"


def test_no_blink_within_another() -> None:
    """Whatever the model does meanwhile: lids are never closed further than closed."""
    rng = np.random.default_rng(1)
    closure = np.full(5 * MINUTE, 0.1)
    for at in rng.choice(len(closure) - 10, 60, replace=False):
        _blink(closure, at, 0.9)
    shown = _closure(_shown(closure)).mean(-1)
    assert shown.max() < max(1.0, closure.max()) + 0.05
    quiet = _closure(_shown(np.full(5 * MINUTE, 0.1))).mean(-1)
    starts = [a for a, _ in find_blinks(np.stack([quiet] * 2, -1))]
    assert np.diff(starts).min() > blinks.SHORTEST * FPS - 2


def test_mouth_and_pose_are_as_they_were() -> None:
    plain = _motion(np.full(MINUTE, 0.1))
    shown = Blinker(LIDS, 0).over(plain)
    np.testing.assert_array_equal(shown[:, :7], plain[:, :7])
    np.testing.assert_allclose(_read(shown)[:, :2], _read(plain)[:, :2], atol=1e-4)
    assert np.abs(_read(shown) - _read(plain))[:, 2:4].max() > 0.7


def test_the_same_in_pieces_and_for_the_same_seed_only() -> None:
    motion = _motion(np.full(MINUTE, 0.1))
    whole = Blinker(LIDS, 3).over(motion)
    blinker = Blinker(LIDS, 3)
    pieces = [blinker.over(piece) for piece in np.split(motion, [1, 2, 44, 88, 700])]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
    assert np.abs(whole - Blinker(LIDS, 4).over(motion)).max() > 0.1
    cut = Blinker(LIDS, 3).over(motion[:500])
    np.testing.assert_array_equal(cut, whole[:500])


def test_modes() -> None:
    closure = np.full(MINUTE, 0.1)
    _blink(closure, 300, 0.9)
    motion = _motion(closure)
    np.testing.assert_array_equal(Blinker(LIDS, 0, blinks.MODEL).over(motion), motion)
    held = _closure(Blinker(LIDS, 0, blinks.OFF).over(motion))
    assert held.max() < 0.35
    with pytest.raises(UsageError, match="auto, model, off"):
        Blinker(LIDS, 0, "sometimes")


def test_lids_that_go_down_and_stay_are_followed() -> None:
    """A look down is no blink; blinks go on."""
    closure = np.full(MINUTE, 0.05)
    closure[500:] = 0.45
    shown = _closure(_shown(closure)).mean(-1)
    assert (shown[540:] < 0.6).mean() > 0.8, "not held shut"
    assert len(find_blinks(np.stack([shown[600:] > 0.8] * 2, -1).astype(float))) >= 5


def test_a_face_that_needs_more_gets_more() -> None:
    far = blinks.dataclasses.replace(LIDS, reach=2.5)
    shown = _closure(_shown(np.full(MINUTE, 0.1), lids=far))
    assert 2.3 < shown.max() < 2.6


def test_the_direction_closes_lids_alone_and_keeps_to_the_course() -> None:
    np.testing.assert_allclose((LIDS.direction @ HEAD["kernel"])[:4], blinks.MOUTH_KEPT, atol=1e-6)
    course = LIDS.direction + _RNG.standard_normal(D)
    led = lids_of(HEAD, STD, course)
    np.testing.assert_allclose((led.direction @ HEAD["kernel"])[:4], blinks.MOUTH_KEPT, atol=1e-6)
    away = [np.linalg.norm((lids.direction - course) / STD) for lids in (LIDS, led)]
    assert away[1] < away[0]
    np.testing.assert_allclose(lids_of(HEAD, STD, led.direction).direction, led.direction, atol=1e-6)


def test_the_profile() -> None:
    times = np.linspace(-0.2, 0.6, 801)
    shape = blinks.profile(times)
    assert shape.max() == pytest.approx(1.0) and shape.min() >= 0
    assert (shape[times <= 0] == 0).all() and (shape[times >= 0.3001] < 1e-6).all()
    assert np.abs(np.diff(shape)).max() < 0.02


def test_golden() -> None:
    """The first blinks of a seed: another sequence would be another performance of every seed."""
    shown = Blinker(LIDS, 0).over(_motion(np.full(MINUTE, 0.1), 5))
    assert [a for a, _ in find_blinks(_closure(shown))][:4] == [69, 135, 214, 310]
    assert np.abs(_closure(shown)[:10] - 0.1).max() < 0.01, "the portrait first"
