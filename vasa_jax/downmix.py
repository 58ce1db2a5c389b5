"""What a listener hears of a recording, as the one channel that the motion model is given.

Loudspeakers add powers, not samples: a voice whose right channel is the left one turned over is heard, and a mean of
the two is silence. A constant offset is not heard at all, and a listener turns up what is quiet. `Hearing` looks at a
recording once and says what of this it needs; one that needs nothing is the plain mean, bit for bit.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np
from jaxtyping import Complex, Float

_LEFT = {"FL": 1.0, "FC": 0.8, "BL": 0.7, "SL": 0.7, "FLC": 0.9, "BC": 0.5, "TFL": 0.7, "TBL": 0.7, "WL": 0.7}
_RIGHT = {"FR": 1.0, "FC": 0.8, "BR": 0.7, "SR": 0.7, "FRC": 0.9, "BC": 0.5, "TFR": 0.7, "TBR": 0.7, "WR": 0.7}
_SILENT = ("LFE", "LFE2")
KNOWN = frozenset([*_LEFT, *_RIGHT, *_SILENT])
"""Names of places that something is known of."""
_UNKNOWN = 0.7
"""Of a loudspeaker whose place is not known, in either channel. ITU-R BS.775 gives the centre 0.71; 0.8 loses less of
a voice that stands there alone."""
_PLACES = ("FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC", "SL", "SR")  # bits of WAV's mask, from the lowest
_USUAL = {
    3: ("FL", "FR", "FC"),
    4: ("FL", "FR", "BL", "BR"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}

_CANCELLED, _MOST_CANCELLED = 0.1, 0.25
"""Share of a spectral bin's power that must be left in the mean, and share of all power in bins where it is not."""
_DULLED, _BANDS, _AUDIBLE = 0.4, 24, 1e-4
"""Share of a band's power that must be left in the mean, if the band has this much of the strongest one's: a channel
that comes late takes single bands out of the mean, and with them what tells vowels apart. Of channels that have
nothing to do with each other, or one of which is silent, half is left in every band."""
_BELOW = 30.0  # Hz: lower is no speech
_MOST_BELOW = 1.3
"""Power with what lies below over power without it. What the model learned from, GRID, has 1.00 to 1.20."""
_STEPS = 100  # a second, in which levels are measured
_LOUDEST = 12  # steps of a second that make its level, as in the model's own front end
_QUIET, _USUAL_LEVEL, _CONTRAST = -34.0, -14.0, 20.0
"""dB of full scale: speech below the first is brought to the second, if it stands that far above its background."""
_LOWEST = -100.0
_TURNED_UP, _OVER, _LEAST = 10.0, 2.0, 0.05
"""Gain from which rounding is heard, how much more than it is subtracted, and the least that is left of a bin."""


def places(channels: int, mask: int = 0) -> tuple[str, ...]:
    """The loudspeakers of a file's channels: by WAV's mask, else what is usual for so many."""
    named = tuple(name for bit, name in enumerate(_PLACES) if mask >> bit & 1)
    return named if len(named) == channels else _USUAL.get(channels, ("",) * channels)


def mixing(names: Sequence[str]) -> Float[np.ndarray, "n 2"]:
    """What each channel gives to left and right."""
    rows = []
    for name in names:
        known = name in _LEFT or name in _RIGHT or name in _SILENT
        rows.append((_LEFT.get(name, 0.0), _RIGHT.get(name, 0.0)) if known else (_UNKNOWN, _UNKNOWN))
    return np.asarray(rows, np.float32)


@dataclasses.dataclass(frozen=True)
class Needs:
    """What makes the model's audio of a recording; as by default, it is the plain mean.

    Attributes:
      gain: what it is turned up by.
      noise: mean square of the noise of rounding, where turning up brings it out.
      apart: the channels cancel.
      offset: there is much below speech.
    """

    gain: float = 1.0
    noise: float = 0.0
    apart: bool = False
    offset: bool = False


class Hearing:
    """Looks at all blocks of a recording, in order; then `needs` holds.

    Args:
      rate: Hz.
      channels: 1 or 2.
    """

    def __init__(self, rate: int, channels: int):
        self._rate, self._stereo = rate, channels == 2
        self._high = _HighPass(rate)
        self._step = max(1, rate // _STEPS)
        self._size = 1 << max(6, round(np.log2(rate / 16)))
        self._kept = np.zeros((0, channels), np.float32)
        self._steps: list[np.ndarray] = []
        self._power = np.zeros(2)  # as it is, and without what lies below
        self._bins = np.zeros(2)  # power of all bins, and of those in which the mean cancels
        self._bands = np.zeros((2, _BANDS))  # power that is heard and that of the mean, of the blocks that differ
        self._edges = _band_edges(rate, self._size)

    def look(self, block: Float[np.ndarray, "n c"]) -> None:
        """Takes in the next block; finite."""
        above = self._high(block)
        self._power += np.square(block, dtype=np.float64).sum(), np.square(above, dtype=np.float64).sum()
        self._kept = np.concatenate([self._kept, above])
        whole = len(self._kept) // self._size * self._size
        if whole:
            self._measure(self._kept[:whole])
            self._kept = self._kept[whole:]

    def _measure(self, audio: np.ndarray) -> None:
        count = len(audio) // self._step
        power = np.square(audio[: count * self._step]).reshape(count, self._step, -1)
        self._steps.append(power.mean((1, 2)))
        if self._stereo and (audio[:, 0] != audio[:, 1]).any():
            spectrum = np.fft.rfft(audio.reshape(-1, self._size, 2), axis=1)
            heard = np.square(np.abs(spectrum)).mean(-1)
            mean = np.square(np.abs(spectrum.mean(-1)))
            self._bins += heard.sum(), heard[mean < _CANCELLED * heard].sum()
            for row, power in enumerate((heard, mean)):
                self._bands[row] += np.add.reduceat(power.sum(0), self._edges)[:_BANDS]
        elif self._stereo:
            self._bins[0] += power.sum() * self._size / 2  # of the same scale, by Parseval

    @classmethod
    def of(cls, blocks: Iterator[Float[np.ndarray, "n c"]], rate: int, channels: int) -> Self:
        """Having looked at all of them."""
        hearing = cls(rate, channels)
        for block in blocks:
            hearing.look(block)
        return hearing

    def needs(self, scale: float = 1.0, step: float = 0.0) -> Needs:
        """What the model's audio is made with, if every sample is taken times `scale`.

        Args:
          scale: of the samples.
          step: between two numbers of the file, before scaling; 0 where it has no steps.
        """
        every, above = self._power
        apart = bool(self._bins[1] > _MOST_CANCELLED * self._bins[0]) or self._dulled()
        gain = self._gain(scale)
        noise = (step * scale) ** 2 / 12 if gain > _TURNED_UP else 0.0
        return Needs(gain, noise, apart, bool(every > _MOST_BELOW * above > 0))

    def _dulled(self) -> bool:
        """Whether the mean lacks single bands, in a recording most of which has channels that differ."""
        heard, mean = self._bands
        audible = heard > _AUDIBLE * heard.max()
        return bool(2 * heard.sum() > self._bins[0] and (mean[audible] < _DULLED * heard[audible]).any())

    def _gain(self, scale: float) -> float:
        if not self._steps:
            return 1.0
        power = np.concatenate(self._steps) * scale**2
        energy = np.maximum(10 * np.log10(power + 1e-30), _LOWEST)
        seconds = [energy[at : at + _STEPS] for at in range(0, len(energy), _STEPS)]
        levels = [np.sort(second)[-_LOUDEST:].mean() for second in seconds if len(second) >= _LOUDEST]
        level = float(np.percentile(levels or [energy.mean()], 90))
        if not _LOWEST < level < _QUIET or level - np.percentile(energy, 10) < _CONTRAST:
            return 1.0
        return float(10 ** ((_USUAL_LEVEL - level) / 20))


def _band_edges(rate: int, size: int) -> np.ndarray:
    """First bins of bands that are even in mel from 100 Hz to 7 kHz, or to where the rate ends; and where they end."""
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (100, min(7000, 0.45 * rate)))
    mel = np.linspace(low, high, _BANDS + 1)
    edges = np.round(700 * (10 ** (mel / 2595) - 1) * size / rate).astype(int)
    return np.maximum(edges, edges[0] + np.arange(_BANDS + 1))  # a bin at least


def mono(blocks: Iterator[Float[np.ndarray, "n c"]], rate: int, needs: Needs) -> Iterator[Float[np.ndarray, " n"]]:
    """The model's audio, as many samples as the blocks have."""
    if needs.apart or needs.noise:
        first = next(blocks, np.zeros((0, 1), np.float32))
        parts = _short_time(itertools.chain([first], blocks), rate, needs, first.shape[1])
    else:
        parts = (block.mean(1) for block in blocks)
    for part in _above(parts, rate) if needs.offset else parts:
        yield part if needs.gain == 1.0 else np.clip(part * np.float32(needs.gain), -1.0, 1.0)


def _above(parts: Iterator[Float[np.ndarray, " n"]], rate: int) -> Iterator[Float[np.ndarray, " n"]]:
    high = _HighPass(rate)
    for part in parts:
        yield high(part[:, None])[:, 0]
    yield high.rest()[:, 0]


def _together(spectrum: Complex[np.ndarray, "k f 2"]) -> Complex[np.ndarray, "k f"]:
    """The power that both channels have together; the phase of their mean, and of one of them where they cancel."""
    power = np.square(np.abs(spectrum))
    mean, heard = spectrum.mean(-1), power.mean(-1)
    # The right one only where it is louder by far, lest the phase changes its mind from bin to bin.
    louder = np.where(power[..., 1] > 2 * power[..., 0], spectrum[..., 1], spectrum[..., 0])
    phase = np.where(np.square(np.abs(mean)) > _CANCELLED * heard, mean, louder)
    return phase * (np.sqrt(heard) / np.maximum(np.abs(phase), 1e-20))


def _quiet(spectrum: Complex[np.ndarray, "k f"], noise: float) -> Complex[np.ndarray, "k f"]:
    """Less of a noise of this power (Boll 1979), which is white: that of rounding, which turning up brings out."""
    power = np.square(np.abs(spectrum))
    return spectrum * np.sqrt(np.maximum(1 - _OVER * noise / np.maximum(power, 1e-30), _LEAST**2))


def _short_time(
    blocks: Iterator[Float[np.ndarray, "n c"]], rate: int, needs: Needs, channels: int
) -> Iterator[Float[np.ndarray, " n"]]:
    """The blocks through a short spectrum, as one channel.

    Windows are square roots of Hann, half over one another, so that what is not changed comes back.
    """
    size = 1 << max(6, round(np.log2(rate / 32)))
    hop = size // 2
    window = np.sqrt(np.hanning(size + 1)[:-1]).astype(np.float32)
    noise = needs.noise * float(np.square(window).sum())
    kept, tail, skip, given, taken = np.zeros((hop, channels), np.float32), np.zeros(hop, np.float32), hop, 0, 0

    def filled() -> Iterator[np.ndarray]:
        nonlocal taken
        for block in blocks:
            taken += len(block)
            yield block
        yield np.zeros((2 * size, channels), np.float32)

    for block in filled():
        kept = np.concatenate([kept, block])
        count = (len(kept) - hop) // hop
        if count <= 0:
            continue
        index = np.arange(count)[:, None] * hop + np.arange(size)
        spectrum = np.fft.rfft(kept[index] * window[:, None], axis=1)
        spectrum = _together(spectrum) if needs.apart else spectrum.mean(-1)
        spectrum = _quiet(spectrum, noise) if noise else spectrum
        pieces = np.fft.irfft(spectrum, n=size, axis=1).astype(np.float32) * window
        out = pieces[:, :hop].copy()
        out[0] += tail
        out[1:] += pieces[:-1, hop:]
        tail, kept = pieces[-1, hop:], kept[count * hop :]
        out = out.reshape(-1)[skip:]
        skip = 0
        out = out[: max(0, taken - given)]
        given += len(out)
        if len(out):
            yield out


class _HighPass:
    """Takes away what is slower than speech: a running mean over 1/_BELOW s, twice. Nothing is moved in time.

    A constant gives silence from the first sample to the last. What comes out lags behind what goes in; `rest` is what
    is still due at the end.
    """

    def __init__(self, rate: int):
        self._half = max(1, round(rate / _BELOW / 2))
        self._kept: np.ndarray | None = None

    def __call__(self, block: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "m c"]:
        if not len(block):
            return block
        first = self._kept is None
        kept = np.repeat(block[:1], 2 * self._half, axis=0) if first else self._kept
        audio = np.concatenate([kept, block])
        count = len(audio) - 4 * self._half
        if count <= 0:
            self._kept = audio
            return block[:0]
        self._kept = audio[count:]
        slow = self._mean(self._mean(audio.astype(np.float64)))
        return (audio[2 * self._half : 2 * self._half + count] - slow).astype(np.float32)

    def rest(self) -> Float[np.ndarray, "m c"]:
        """The last samples."""
        if self._kept is None:
            return np.zeros((0, 1), np.float32)
        return self(np.repeat(self._kept[-1:], 2 * self._half, axis=0))

    def _mean(self, audio: np.ndarray) -> np.ndarray:
        width = 2 * self._half + 1
        sums = np.concatenate([np.zeros_like(audio[:1]), np.cumsum(audio, axis=0)])
        return (sums[width:] - sums[:-width]) / width
