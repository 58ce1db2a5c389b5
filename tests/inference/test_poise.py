"""Poise: heads come back, nods stay, trembling goes, and pieces do not matter."""

import numpy as np
import pytest

from vasa_jax.inference.poise import FPS, RETURN, Poise

REST = np.asarray([0.05, -0.1, 0.0, 0.01, 0.02, 0.0, 1.1])


def _followed(poses: np.ndarray, last: np.ndarray | None = REST) -> np.ndarray:
    return Poise(REST, last).follow(poses)


def _wandering(seed: int, seconds: int = 60) -> np.ndarray:
    """A head that a window turns by some degrees, from where the last one left it: 5 degrees every 2 s, unbounded."""
    steps = np.random.default_rng(seed).standard_normal((seconds * FPS, 7)) * np.radians(5.0) / np.sqrt(2 * FPS)
    return REST + np.cumsum(steps, 0)


def test_a_head_that_wanders_comes_back() -> None:
    far = lambda poses: np.abs(poses[..., :3] - REST[:3]).max(-1) > np.radians(15)  # noqa: E731
    wild = np.stack([_wandering(seed) for seed in range(20)])
    drawn = np.stack([_followed(poses) for poses in wild])
    assert far(wild).mean() > 0.3, "or the test shows nothing"
    assert far(drawn).mean() < 0.02
    assert np.degrees(drawn[..., :3].std()) > 1.5, "not frozen"


def test_a_turn_that_is_held_comes_back_in_its_time() -> None:
    poses = np.tile(REST, (12 * FPS, 1))
    poses[:, 0] += 0.05
    away = _followed(poses)[:, 0] - REST[0]
    assert away[FPS // 2] > 0.035, "first it turns"
    assert away[int(RETURN * FPS)] == pytest.approx(0.05 / np.e, abs=0.006)
    assert abs(away[-1]) < 0.002
    poses[:, 0] += 0.35
    assert _followed(poses)[3 * FPS, 0] - REST[0] < 0.1, "from far it comes sooner"


@pytest.mark.parametrize("hertz, least, most", [(0.5, 0.8, 1.1), (1.0, 0.8, 1.0), (10.0, 0.0, 0.15), (12.5, 0.0, 0.15)])
def test_nods_stay_and_trembling_goes(hertz: float, least: float, most: float) -> None:
    poses = np.tile(REST, (20 * FPS, 1))
    poses[:, 0] += np.radians(3) * np.cos(2 * np.pi * hertz * np.arange(len(poses)) / FPS)
    before, after = (p[5 * FPS :, 0].std() for p in (poses, _followed(poses)))
    assert least <= after / before <= most


def test_what_does_not_move_stays_and_the_scale_is_not_drawn() -> None:
    np.testing.assert_allclose(_followed(np.tile(REST, (50, 1))), np.tile(REST, (50, 1)), atol=1e-6)
    nearer = np.tile(REST, (200, 1))
    nearer[:, 6] *= 1.2
    np.testing.assert_allclose(_followed(nearer)[-1, 6], nearer[-1, 6], rtol=1e-3)


def test_it_begins_where_it_was_told_or_with_the_first_frame() -> None:
    poses = _wandering(0)
    assert np.abs(_followed(poses)[0] - REST).max() < np.abs(poses[0] - REST).max() + 1e-6
    np.testing.assert_allclose(_followed(poses + 0.3, None)[0], poses[0] + 0.3, atol=1e-6)


def test_the_same_in_pieces_that_go_on_from_what_was_shown() -> None:
    poses = _wandering(1, 8)
    whole = _followed(poses)
    poise, shown, at = Poise(REST, REST), [], 0
    for size in (1, 7, 44, 44, 104):
        last = shown[-1][-1] if shown else REST
        before = poses[at - 1] if at else REST
        shown.append(poise.follow(last + poses[at : at + size] - before))
        at += size
    assert at == len(poses)
    np.testing.assert_allclose(np.concatenate(shown), whole, atol=1e-5)


def test_golden() -> None:
    """A turn by 0.1 about pitch and yaw, of which 0.9 and 0.45 are taken, as it is shown in some frames."""
    poses = np.tile(REST, (60, 1))
    poses[:, :2] += 0.1
    shown = _followed(poses)[[0, 1, 2, 5, 10, 25, 59], :2] - REST[:2]
    pitch = np.asarray([0.02523, 0.04849, 0.06432, 0.08041, 0.07704, 0.05983, 0.03579])
    np.testing.assert_allclose(shown, np.stack([pitch, pitch / 2], -1), atol=2e-5)
