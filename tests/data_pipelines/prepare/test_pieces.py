"""Every image lands in one piece, and pieces end where shots, faces and lengths end."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipelines.prepare import pieces
from tests.data_pipelines.prepare.conftest import face_points


def still(t: int) -> np.ndarray:
    return face_points(np.zeros(t))


def spans(found):
    return [(p.start, p.stop) for p in found]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.booleans(), min_size=1, max_size=120), st.lists(st.integers(1, 119), max_size=3))
def test_pieces_cover_everything_once(valid, cuts):
    valid = np.asarray(valid)
    cuts = sorted({c for c in cuts if c < len(valid)})
    found = pieces.find(valid, still(len(valid)), cuts, 0.5, 1.0)
    assert [p.start for p in found] == [0, *(p.stop for p in found[:-1])] and found[-1].stop == len(valid)
    usable = [p for p in found if p.reason is None]
    assert all(0.5 <= p.seconds <= 1.0 and valid[p.start : p.stop].any() for p in usable)
    assert not any(p.start < cut < p.stop for p in found for cut in cuts)


def test_long_tracks_are_cut_in_equal_parts():
    found = pieces.find(np.ones(625, bool), still(625), [], 2, 10)
    assert [p.stop - p.start for p in found] == [208, 209, 208] and all(p.reason is None for p in found)


def test_short_gaps_are_bridged_and_long_ones_end_a_track():
    valid = np.ones(300, bool)
    valid[50:62] = valid[150:163] = False
    found = pieces.find(valid, still(300), [], 2, 10)
    assert spans(found) == [(0, 150), (150, 163), (163, 300)]
    assert [p.reason is None for p in found] == [True, False, True] and "no face" in found[1].reason


def test_short_tracks_say_so():
    (piece,) = pieces.find(np.ones(40, bool), still(40), [], 2, 10)
    assert piece.reason.startswith("too short: 1.6 s")
    (piece,) = pieces.find(np.ones(40, bool), still(40), [], 0, 10)
    assert piece.reason is None


@pytest.mark.parametrize(("at", "scale"), [((90.0, 46.0, 5.0), 30.0), ((64.0, 46.0, 5.0), 50.0)])
def test_another_face_ends_a_track(at, scale):
    points = np.concatenate([still(60), face_points(np.zeros(60), at, scale)])
    assert spans(pieces.find(np.ones(120, bool), points, [], 2, 10)) == [(0, 60), (60, 120)]


def test_a_head_that_moves_does_not():
    points = still(100) + np.sin(np.arange(100) / 8)[:, None, None] * np.float32([15, 5, 0])
    assert pieces.jumps(np.ones(100, bool), points) == []
