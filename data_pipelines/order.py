"""Which clip stands at which place of the endless training sequence: pure functions of (seed, position).

Nothing here has state, so an iterator's state is the step alone, and any number of hosts can resume from it.
"""

import functools
from collections.abc import Mapping, Sequence

import numpy as np

_PERIOD, _BLOCK = 1000, 256
REUSED = 256
"""Clips in use at a time where clips are reused; the memory of a stream must hold somewhat more."""


class Mixture:
    """Deals positions out to data sets in fixed proportion, evenly (smooth weighted round robin).

    Args:
      weights: data set -> share; need not sum to one. Shares are kept to 1/1000.
    """

    def __init__(self, weights: Mapping[str, float]):
        self.names = tuple(weights)
        shares = np.asarray(list(weights.values()), np.float64)
        if not len(shares) or (shares <= 0).any():
            raise ValueError(f"mixture {dict(weights)}: every weight must be above 0")
        shares = shares / shares.sum()
        credit, dealt = np.zeros(len(shares)), []
        for _ in range(_PERIOD):
            credit += shares
            dealt.append(int(np.argmax(credit)))
            credit[dealt[-1]] -= 1
        self._domain = np.asarray(dealt)
        onehot = self._domain[:, None] == np.arange(len(shares))
        self._rank = (np.cumsum(onehot, 0) - 1)[np.arange(_PERIOD), self._domain]
        self._count = onehot.sum(0)

    def at(self, position: int) -> tuple[int, int]:
        """Data set at a position, and how many earlier positions went to the same one."""
        turn, place = divmod(position, _PERIOD)
        domain = int(self._domain[place])
        return domain, int(turn * self._count[domain] + self._rank[place])


def item_rng(seed: int, *key: int) -> np.random.Generator:
    """Random numbers of one item: the same for the same seed and key, independent otherwise."""
    # The length is part of the key because SeedSequence takes (1,) and (1, 0) for the same.
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, len(key), *key])))


class Draws:
    """Uniform random numbers, `width` of them for every position: the same for the same seed, kind and position.

    They are made for `_BLOCK` positions at once, because setting up a generator takes longer than a thousand numbers.

    Args:
      seed, kind: draws of other seeds, or of other kinds, are independent.
      width: how many numbers a position has.
    """

    def __init__(self, seed: int, kind: int, width: int):
        self._seed, self._kind, self._width = seed, kind, width
        self._block = functools.lru_cache(maxsize=16)(self._make)

    def at(self, position: int) -> list[float]:
        """The numbers of a position, in 0 (inclusive) .. 1 (exclusive)."""
        block, place = divmod(position, _BLOCK)
        return self._block(block)[place]

    def _make(self, block: int) -> list[list[float]]:
        return item_rng(self._seed, self._kind, block).random((_BLOCK, self._width)).tolist()


def pick(number: float, count: int) -> int:
    """One of 0 .. count - 1, all alike, by a uniform number in 0..1."""
    return int(number * count)


class ClipOrder:
    """Clips of one data set in endless order.

    Args:
      speakers: speaker of every clip.
      seed: of the order.
      speaker_power: 1 visits every clip once an epoch, in a new order each time. Below 1, clips are drawn
        independently, a speaker with n clips with a weight of n ** speaker_power: 0 treats speakers alike.
      reuse: how often a clip comes, evenly spread over `REUSED` * reuse items, before it leaves for an epoch: so
        that a clip that was read serves that many items while it is in memory.
    """

    def __init__(self, speakers: Sequence[str], seed: int, speaker_power: float = 1.0, reuse: int = 1):
        self._seed, self._power, self._count, self._reuse = seed, speaker_power, len(speakers), reuse
        names, inverse = np.unique(np.asarray(speakers), return_inverse=True)
        self._clips = [np.flatnonzero(inverse == i) for i in range(len(names))]
        self._of_clip = inverse
        weights = np.asarray([len(clips) for clips in self._clips], np.float64) ** speaker_power
        self._cumulative = np.cumsum(weights / weights.sum())
        self._permutation = functools.lru_cache(maxsize=8)(self._permute)
        self._draws = Draws(seed, 1, 2)
        self._shuffle = functools.lru_cache(maxsize=8)(self._shuffled)

    @property
    def speakers(self) -> int:
        """How many speakers there are."""
        return len(self._clips)

    def at(self, ordinal: int) -> int:
        """The clip at a place of the order."""
        return self._at(self._place(ordinal))

    def other(self, clip: int, first: float, second: float, ordinal: int = 0) -> int:
        """A clip of another speaker, by two uniform numbers; any clip if there is one speaker only.

        Speakers come alike; with `reuse`, clips do that are in memory anyway at that place of the order.
        """
        mine = self._of_clip[clip]
        if self._reuse > 1:
            newest = self._place(ordinal, lane=0)
            count = min(REUSED, newest + 1)
            near = (self._at(newest - (pick(first, count) + i) % count) for i in range(count))
            if (found := next((clip for clip in near if self._of_clip[clip] != mine), None)) is not None:
                return found
        clips = self._clips[(mine + 1 + pick(first, max(self.speakers - 1, 1))) % self.speakers]
        return int(clips[pick(second, len(clips))])

    def _place(self, ordinal: int, lane: int | None = None) -> int:
        """Where the clip of an ordinal stands among clips that come once.

        `reuse` lanes take turns, each `REUSED` / reuse clips behind the one before: lane 0 meets a clip first.
        """
        if self._reuse == 1:
            return ordinal
        block, place = divmod(ordinal, REUSED)  # shuffled in blocks, lest the same clips always meet in a batch
        turn, chosen = divmod(block * REUSED + int(self._shuffle(block)[place]), self._reuse)
        lane = chosen if lane is None else lane
        return turn + (self._reuse - 1 - lane) * (REUSED // self._reuse)

    def _at(self, place: int) -> int:
        if self._power == 1:
            epoch, place = divmod(place, self._count)
            return int(self._permutation(epoch)[place])
        first, second = self._draws.at(place)
        speaker = min(int(np.searchsorted(self._cumulative, first, side="right")), self.speakers - 1)
        clips = self._clips[speaker]
        return int(clips[pick(second, len(clips))])

    def next_of_speaker(self, clip: int) -> int:
        """The clip of the same speaker that is stored after this one; after the last comes the first."""
        clips = self._clips[self._of_clip[clip]]
        return int(clips[(np.searchsorted(clips, clip) + 1) % len(clips)])

    def _permute(self, epoch: int) -> np.ndarray:
        return item_rng(self._seed, 0, epoch).permutation(self._count)

    def _shuffled(self, block: int) -> np.ndarray:
        return item_rng(self._seed, 2, block).permutation(REUSED)
