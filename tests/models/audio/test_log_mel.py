"""The front end against scipy and plain numpy, and what it promises about loudness, silence and pieces."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal

from tests.models.audio import make_log_mel_golden
from vasa_jax.models.audio import log_mel

BANDS = 40


def _speech_like(seconds: float = 2.4, seed: int = 0) -> np.ndarray:
    """Harmonics of 120 Hz in syllables of 4 Hz over faint noise, float32."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * 16_000)) / 16_000
    voice = sum(np.sin(2 * np.pi * 120 * k * t) / k for k in range(1, 20))
    syllables = np.maximum(np.sin(2 * np.pi * 2 * t), 0.0)
    return (0.05 * voice * syllables + 1e-4 * rng.standard_normal(t.size)).astype(np.float32)


def _reference_power(audio: np.ndarray) -> np.ndarray:
    """scipy's short-time Fourier transform and filters built one by one, in float64."""
    window = scipy.signal.get_window("hann", 400)
    padded = np.pad(audio.astype(np.float64), 120)
    *_, spectrum = scipy.signal.stft(padded, 16_000, window, 400, 240, 512, boundary=None, padded=False)
    # scipy scales by the sum of the window; undo it to mean squares.
    power = np.abs(spectrum.T * window.sum()) ** 2 * 2.0 / (512 * np.sum(window**2))
    mel = np.linspace(2595 * np.log10(1 + 60 / 700), 2595 * np.log10(1 + 7600 / 700), BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    hertz = np.arange(257) * 16_000 / 512
    out = np.zeros((len(power), BANDS))
    for band in range(BANDS):
        out[:, band] = power @ np.interp(hertz, edges[band : band + 3], [0.0, 1.0, 0.0], left=0.0, right=0.0)
    return out


def test_power_agrees_with_scipy() -> None:
    audio = _speech_like()
    got = np.asarray(log_mel.mel_power(jnp.asarray(audio), BANDS))
    want = _reference_power(audio)
    assert got.shape == want.shape == (240, BANDS)
    # float32 transform of 512 points: relative rounding of the largest band, some 1e-6 of the power.
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-6 * want.max())


def test_power_agrees_with_the_committed_numbers_of_transformers() -> None:
    golden = json.loads(make_log_mel_golden.GOLDEN.read_text(encoding="utf-8"))["power"]
    got = np.asarray(log_mel.mel_power(jnp.asarray(make_log_mel_golden.audio()), make_log_mel_golden.BANDS))
    assert got.shape == (10, make_log_mel_golden.BANDS)
    # Written with six digits; rounding of the float32 transform as above.
    np.testing.assert_allclose(got, golden, rtol=1e-3, atol=1e-6 * np.max(golden))


def test_power_is_that_of_mean_squares() -> None:
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000)
    power = np.asarray(log_mel.mel_power(jnp.asarray(tone, jnp.float32), BANDS)).sum(-1)
    # Triangles overlap to about one; 1 dB for what falls between their peaks.
    np.testing.assert_allclose(10 * np.log10(power[5:-5]), 10 * np.log10(0.125), atol=1.0)


def test_features_do_not_depend_on_loudness() -> None:
    audio = jnp.asarray(_speech_like())
    power = log_mel.mel_power(jnp.stack([audio, 0.3 * audio]), BANDS)
    loud, quiet = log_mel.features(power, log_mel.speech_level(power))
    # Equal but for the floor of 1e-10 inside the logarithm, which only the faintest bands feel.
    np.testing.assert_allclose(loud, quiet, atol=2e-2)


def test_silence_is_zero_and_stays_silence() -> None:
    power = log_mel.mel_power(jnp.zeros((1, 16_000)), BANDS)
    np.testing.assert_array_equal(log_mel.features(power, log_mel.speech_level(power)), 0.0)
    for loudness in (1e-4, 1e-3, 1e-2):
        noise = loudness * jax.random.normal(jax.random.key(0), (1, 38_400))
        power = log_mel.mel_power(noise, BANDS)
        level = log_mel.speech_level(power)
        energy = 10 * np.log10(np.asarray(power).sum(-1))
        # Stationary noise alone lies far below what the front end takes for the level of speech.
        assert np.median(energy) < float(level[0]) - 15.0


def test_pieces_equal_the_whole() -> None:
    audio = jnp.asarray(_speech_like())
    whole = log_mel.mel_power(audio, BANDS)
    piece = log_mel.mel_power(audio[640 * 10 : 640 * 50], BANDS)
    level = log_mel.speech_level(whole)
    inside = np.s_[1:-1]  # the first and last step of a piece lack 7.5 ms of their neighbours
    np.testing.assert_allclose(
        log_mel.features(piece, level)[inside], log_mel.features(whole, level)[40:200][inside], atol=1e-4
    )


def test_the_level_falls_slowly() -> None:
    assert log_mel.least_level(-30.0, 2.0) == pytest.approx(-32.0)
