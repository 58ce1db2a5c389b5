"""Cuts a stretch of video into pieces: one shot, one face, 2-10 s. Every image lands in exactly one piece."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float

from data_pipelines import schema

MAX_GAP = 12
"""Pictures without a face (half a second) that a track may bridge; longer ones end it."""
MAX_JUMP = 0.5
"""How far the face may go from one image to the next, in its own half widths; beyond that it is another face."""


@dataclasses.dataclass(frozen=True)
class Piece:
    """Pictures start..stop-1 of a stretch; `reason` says why they are of no use, None that they may be a clip."""

    start: int
    stop: int
    reason: str | None = None

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return (self.stop - self.start) / schema.FRAME_RATE


def find(
    valid: Bool[np.ndarray, " t"],
    points: Float[np.ndarray, "t k c"],
    cuts: list[int],
    min_seconds: float,
    max_seconds: float,
) -> list[Piece]:
    """The pieces of a stretch, in order and without gaps.

    Args:
      valid: whether a face was found.
      points: of the face, in pixels; anything where not valid.
      cuts: first images of new shots.
      min_seconds, max_seconds: a longer track is cut into equal parts, a shorter one is of no use.
    """
    edges = {0, len(valid), *cuts, *jumps(valid, points)}
    pieces = []
    for start, stop in _pairs(edges):
        for a, b in _pairs({start, stop, *_gap_edges(valid[start:stop], start)}):
            pieces += _judged(a, b, bool(valid[a:b].any()), min_seconds, max_seconds)
    return pieces


def jumps(valid: Bool[np.ndarray, " t"], points: Float[np.ndarray, "t k c"]) -> list[int]:
    """Pictures in which the face stands elsewhere, or is of another size, than in the last image that showed one."""
    at = np.flatnonzero(valid)
    centre = points[at, :, :2].mean(1)
    size = points[at, :, :2].std(axis=1).mean(-1) * 2 + 1e-9  # about half the face's width
    moved = np.linalg.norm(np.diff(centre, axis=0), axis=-1) / size[:-1]
    grown = np.abs(np.diff(np.log(size)))
    # A face that was away for some images had time to move; one that swaps without a gap did not.
    patience = 1 + 0.25 * (np.diff(at) - 1)
    return [int(k) for k in at[1:][(moved > MAX_JUMP * patience) | (grown > 0.35 * patience)]]


def _gap_edges(valid: np.ndarray, offset: int) -> set[int]:
    """Both ends of every run of more than MAX_GAP images without a face."""
    edges = np.flatnonzero(np.diff(np.concatenate([[1], valid.astype(np.int8), [1]])))
    return {int(offset + e) for a, b in zip(edges[::2], edges[1::2]) if b - a > MAX_GAP for e in (a, b)}


def _pairs(edges: set[int]) -> list[tuple[int, int]]:
    ordered = sorted(edges)
    return list(zip(ordered[:-1], ordered[1:]))


def _judged(start: int, stop: int, face: bool, min_seconds: float, max_seconds: float) -> list[Piece]:
    whole = Piece(start, stop)
    if not face:
        return [dataclasses.replace(whole, reason=f"no face: none was found in {whole.seconds:.1f} s")]
    if whole.seconds < min_seconds - 1e-6:
        reason = f"too short: {whole.seconds:.1f} s of one face in one shot, less than {min_seconds:g} s"
        return [dataclasses.replace(whole, reason=reason)]
    parts = max(1, int(np.ceil(whole.seconds / max_seconds - 1e-6)))
    ends = np.linspace(start, stop, parts + 1).round().astype(int)
    return [Piece(int(a), int(b)) for a, b in zip(ends[:-1], ends[1:])]
