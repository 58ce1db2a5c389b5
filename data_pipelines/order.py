"""Which clip stands at which place of the endless training sequence: pure functions of (seed, position).

Nothing here has state, so an iterator's state is the step alone, and any number of hosts can resume from it.
"""

import functools
from collections.abc import Mapping, Sequence

import numpy as np

_PERIOD = 1000


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


class ClipOrder:
    """Clips of one data set in endless order.

    Args:
      speakers: speaker of every clip.
      seed: of the order.
      speaker_power: 1 visits every clip once an epoch, in a new order each time. Below 1, clips are drawn
        independently, a speaker with n clips with a weight of n ** speaker_power: 0 treats speakers alike.
    """

    def __init__(self, speakers: Sequence[str], seed: int, speaker_power: float = 1.0):
        self._seed, self._power, self._count = seed, speaker_power, len(speakers)
        names, inverse = np.unique(np.asarray(speakers), return_inverse=True)
        self._clips = [np.flatnonzero(inverse == i) for i in range(len(names))]
        self._of_clip = inverse
        weights = np.asarray([len(clips) for clips in self._clips], np.float64) ** speaker_power
        self._cumulative = np.cumsum(weights / weights.sum())
        self._permutation = functools.lru_cache(maxsize=8)(self._permute)

    @property
    def speakers(self) -> int:
        """How many speakers there are."""
        return len(self._clips)

    def at(self, ordinal: int) -> int:
        """The clip at a place of the order."""
        if self._power == 1:
            epoch, place = divmod(ordinal, self._count)
            return int(self._permutation(epoch)[place])
        return self._draw(item_rng(self._seed, 1, ordinal))

    def other(self, clip: int, rng: np.random.Generator) -> int:
        """A clip of another speaker, speakers alike; any clip if there is one speaker only."""
        mine = self._of_clip[clip]
        speaker = int(rng.integers(max(self.speakers - 1, 1)))
        clips = self._clips[(mine + 1 + speaker) % self.speakers]
        return int(clips[rng.integers(len(clips))])

    def next_of_speaker(self, clip: int) -> int:
        """The clip of the same speaker that is stored after this one; after the last comes the first."""
        clips = self._clips[self._of_clip[clip]]
        return int(clips[(np.searchsorted(clips, clip) + 1) % len(clips)])

    def _draw(self, rng: np.random.Generator) -> int:
        speaker = min(int(np.searchsorted(self._cumulative, rng.random(), side="right")), self.speakers - 1)
        clips = self._clips[speaker]
        return int(clips[rng.integers(len(clips))])

    def _permute(self, epoch: int) -> np.ndarray:
        return item_rng(self._seed, 0, epoch).permutation(self._count)
