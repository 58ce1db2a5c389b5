"""A small source-filter speech synthesiser (Klatt 1980 in spirit): phonemes in, 16 kHz speech and timing out.

A glottal pulse train and noise drive a cascade of time-varying formant resonators; fricatives and bursts are shaped
noise beside it. Formants glide between targets, which is what coarticulation sounds like.
"""

import dataclasses
from typing import NamedTuple

import numpy as np
import scipy.signal
from jaxtyping import Float, Int

from data_pipelines.schema import FRAME_RATE, SAMPLE_RATE
from data_pipelines.synthetic import phonemes as ph

STEP = 80
"""Samples between updates of the filters (5 ms)."""
NOISES = {"s": (5200, 7600), "sh": (2300, 5200), "f": (1300, 7600), "th": (1600, 7600), "h": (400, 3500),
          "t": (3000, 7000), "k": (1400, 3200), "p": (300, 1500)}  # fmt: skip
"""Kind of noise -> pass band in Hz."""


@dataclasses.dataclass(frozen=True)
class Speaker:
    """pitch: Hz. tract: formant factor (1 male, 1.17 female). breath: 0..1. rate: 1 is plain. lively: pitch range."""

    pitch: float = 115.0
    tract: float = 1.0
    breath: float = 0.15
    rate: float = 1.0
    lively: float = 1.0


class Speech(NamedTuple):
    """audio: [samples] at 16 kHz. segments: (phoneme number, start, end) in seconds, without gaps."""

    audio: Float[np.ndarray, " samples"]
    segments: list[tuple[int, float, float]]


def sample_speaker(identity: int) -> Speaker:
    """The voice of an identity number."""
    rng = np.random.default_rng([identity, 7201])
    high = rng.random()
    return Speaker(
        pitch=float(95 + 130 * high + rng.normal(0, 8)),
        tract=float(0.95 + 0.25 * high + rng.normal(0, 0.03)),
        breath=float(rng.uniform(0.03, 0.4)),
        rate=float(np.exp(rng.normal(0.05, 0.14))),
        lively=float(rng.uniform(0.5, 1.5)),
    )


def babble(rng: np.random.Generator, seconds: float, rate: float = 1.0) -> list[str]:
    """Random words of plausible syllables with pauses, at least `seconds` long at that rate."""
    sounds, total = ["sil"] * int(rng.integers(1, 3)), 0.0
    while total < seconds:
        phrase: list[str] = []
        for _ in range(rng.integers(2, 8)):
            for _ in range(rng.choice([1, 2, 3], p=[0.5, 0.35, 0.15])):
                if rng.random() < 0.88:
                    phrase += str(rng.choice(ph.ONSETS)).split()
                phrase.append(str(rng.choice(ph.VOWELS)))
                if rng.random() < 0.15:
                    phrase.append(str(rng.choice(["ih", "uh"])))
                if rng.random() < 0.45:
                    phrase += str(rng.choice(ph.CODAS)).split()
        phrase += ["sil"] * int(rng.choice([1, 2, 4], p=[0.5, 0.3, 0.2]))
        sounds += phrase
        total += sum(ph.PHONEMES[p].duration for p in phrase) / rate
    return sounds


def _timing(sounds: list[str], speaker: Speaker, rng: np.random.Generator) -> list[tuple[int, float, float]]:
    segments, now = [], 0.0
    for i, name in enumerate(sounds):
        duration = ph.PHONEMES[name].duration / speaker.rate * np.exp(rng.normal(0, 0.12))
        if name in ph.VOWELS and i + 1 < len(sounds) and sounds[i + 1] == "sil":
            duration *= 1.4  # the last syllable of a phrase is longer
        segments.append((ph.INDEX[name], now, now + duration))
        now += duration
    return segments


def tracks(segments: list[tuple[int, float, float]], times: np.ndarray) -> np.ndarray:
    """Index of the segment that holds each time [n]; the last one beyond the end."""
    ends = np.array([end for _, _, end in segments])
    return np.minimum(np.searchsorted(ends, times, side="right"), len(segments) - 1)


def frame_phonemes(segments: list[tuple[int, float, float]], frames: int) -> Int[np.ndarray, " t"]:
    """Phoneme number at the middle of each video frame; silence after the end."""
    times = (np.arange(frames) + 0.5) / FRAME_RATE
    numbers = np.array([s[0] for s in segments])[tracks(segments, times)]
    return np.where(times < segments[-1][2], numbers, 0).astype(np.int32)


def _smooth(values: np.ndarray, seconds: float) -> np.ndarray:
    """Raised-cosine smoothing of [n, c] at the filter step's rate."""
    n = max(round(seconds * SAMPLE_RATE / STEP) | 1, 3)
    window = np.hanning(n + 2)[1:-1]
    padded = np.pad(values, ((n // 2, n // 2), (0, 0)), mode="edge")
    return scipy.signal.fftconvolve(padded, (window / window.sum())[:, None], mode="valid", axes=0)


def _pitch(
    segments: list[tuple[int, float, float]], times: np.ndarray, speaker: Speaker, rng: np.random.Generator
) -> np.ndarray:
    """Fundamental frequency [n]: declination in each phrase, accents, a fall at its end, slow drift."""
    silent = [0.0] + [s[2] for s in segments if s[0] == 0] + [segments[-1][2] + 1e-3]
    start = np.asarray(silent)[np.searchsorted(silent, times, side="right") - 1]
    contour = -1.6 * np.minimum(times - start, 3.0)
    for number, begin, end in segments:
        if ph.NAMES[number] in ph.VOWELS and rng.random() < 0.4:
            contour += rng.uniform(0.5, 3.5) * np.exp(-(((times - (begin + end) / 2) / 0.11) ** 2))
    for stop in silent[1:]:
        contour -= rng.uniform(0, 3) * np.exp(-(((times - stop) / 0.15) ** 2))
    drift = 0.3 * np.sin(2 * np.pi * 3.1 * times + rng.uniform(0, 6)) + 0.4 * np.sin(
        2 * np.pi * 0.7 * times + rng.uniform(0, 6)
    )
    return speaker.pitch * 2 ** (speaker.lively * (contour + drift) / 12)


def _glottis(pitch: np.ndarray, breath: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Derivative of a Rosenberg (1971) pulse train at a pitch given per sample, with aspiration."""
    phase = np.cumsum(pitch * (1 + 0.008 * rng.normal(0, 1, len(pitch)))) / SAMPLE_RATE % 1.0
    rise, fall = 0.42, 0.16
    flow = np.where(phase < rise, 0.5 * (1 - np.cos(np.pi * phase / rise)), 0.0)
    falling = (phase >= rise) & (phase < rise + fall)
    flow[falling] = np.cos(np.pi / 2 * (phase[falling] - rise) / fall)
    pulse = np.diff(flow, prepend=0.0) * 12
    return pulse + breath * 0.25 * rng.normal(0, 1, len(pitch)) * (0.3 + flow)


def _formants(source: np.ndarray, frequencies: np.ndarray, bandwidths: np.ndarray) -> np.ndarray:
    """Cascade of resonators whose frequencies [n, f] change every STEP samples."""
    r = np.exp(-np.pi * bandwidths / SAMPLE_RATE)
    c = 2 * r * np.cos(2 * np.pi * np.minimum(frequencies, 7200) / SAMPLE_RATE)
    sections = np.zeros((*frequencies.shape, 6))
    sections[..., 0] = 1 - c + r * r
    sections[..., 3], sections[..., 4], sections[..., 5] = 1.0, -c, r * r
    state, pieces = np.zeros((frequencies.shape[1], 2)), []
    for section, piece in zip(sections, source.reshape(len(frequencies), STEP), strict=True):
        piece, state = scipy.signal.sosfilt(section, piece, zi=state)
        pieces.append(piece)
    return np.concatenate(pieces)


def _noise_amplitude(segments: list[tuple[int, float, float]], times: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Noise envelope [n]: steady in fricatives, a burst after the closure in plosives."""
    table = np.array([p.noise for p in ph.PHONEMES.values()])
    numbers = np.array([s[0] for s in segments])[which]
    begin, end = (np.array([s[k] for s in segments])[which] for k in (1, 2))
    share = (times - begin) / (end - begin)
    plosive = np.isin(numbers, [ph.INDEX[p] for p in ph.PLOSIVES])
    burst = np.where(share > 0.62, np.exp(-(share - 0.62) * 7), 0.0)
    return table[numbers] * np.where(plosive, burst, 1.0)


def synthesise(sounds: str | list[str], speaker: Speaker | None = None, seed: int = 0) -> Speech:
    """Speaks an English text or a list of phoneme names. A pure function of its arguments.

    Raises:
      ValueError: a name is not among `phonemes.NAMES`.
    """
    speaker = speaker or Speaker()
    sounds = ph.read(sounds) if isinstance(sounds, str) else list(sounds)
    if unknown := set(sounds) - set(ph.NAMES):
        raise ValueError(f"unknown phonemes {sorted(unknown)}; known are {' '.join(ph.NAMES)}")
    rng = np.random.default_rng([seed, 7202])
    segments = _timing(sounds, speaker, rng)
    steps = int(np.ceil(segments[-1][2] * SAMPLE_RATE / STEP))
    times = (np.arange(steps) + 0.5) * STEP / SAMPLE_RATE
    which = tracks(segments, times)
    numbers = np.array([s[0] for s in segments])[which]
    entries = list(ph.PHONEMES.values())
    target = np.array([p.formants for p in entries])[numbers] * speaker.tract
    formants = _smooth(target, 0.075)
    high = np.array([3400.0, 4300.0]) * speaker.tract
    formants = np.concatenate([formants, np.broadcast_to(high, (steps, 2))], -1)
    loud = _smooth(np.array([p.voice for p in entries])[numbers][:, None], 0.035)[:, 0]
    nasal = np.isin(numbers, [ph.INDEX[p] for p in ("m", "n", "ng")])
    samples = steps * STEP
    at = np.arange(samples) / STEP
    level = np.interp(at, np.arange(steps) + 0.5, loud)
    pitch = np.interp(at, np.arange(steps) + 0.5, _pitch(segments, times, speaker, rng))
    source = _glottis(pitch, np.full(samples, speaker.breath), rng) * level
    voiced = _formants(source, formants, np.array([70.0, 90.0, 130.0, 220.0, 300.0]))
    if nasal.any():  # nasals are dull
        dull = scipy.signal.lfilter([0.25], [1, -0.75], voiced)
        share = np.interp(at, np.arange(steps) + 0.5, _smooth(nasal[:, None].astype(float), 0.03)[:, 0])
        voiced = voiced * (1 - 0.7 * share) + dull * 0.7 * share
    envelope = _noise_amplitude(segments, times, which)
    total = 0.75 * voiced
    kinds = np.array([p.noise_kind for p in entries])[numbers]
    for kind in sorted(set(kinds[envelope > 0])):
        shape = _smooth(np.where(kinds == kind, envelope, 0.0)[:, None], 0.012)[:, 0]
        sos = scipy.signal.butter(2, NOISES[kind], "bandpass", fs=SAMPLE_RATE, output="sos")
        total += (
            0.35 * scipy.signal.sosfilt(sos, rng.normal(0, 1, samples)) * np.interp(at, np.arange(steps) + 0.5, shape)
        )
    peak = np.quantile(np.abs(total), 0.999) + 1e-9
    return Speech(np.tanh(0.7 * total / peak).astype(np.float32) * 0.85, segments)
