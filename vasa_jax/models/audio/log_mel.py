"""Log-mel front end: speech to four steps a video frame.

A video frame at 25 fps covers 640 samples at 16 kHz and four mel steps of 160 samples (100 Hz). The window of
step s is centred on the middle of its 160 samples, so that the steps of a frame see the audio of that frame and
7.5 ms of either neighbour.

Loudness: features are decibels *below the speech level*, not absolute. The level comes from the loudest 120 ms of
a window, is bounded, and can be carried from window to window (`least_level`), so a file of any length needs
constant memory. Silence stays silence: the lower bound and the distance kept from the noise floor stop the gain
from raising a pause to the level of speech, and digital silence is exactly zero in the features.
"""

import functools
from typing import Self

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from vasa_jax.errors import UsageError
from vasa_jax.models.audio.protocol import SAMPLE_RATE, SAMPLES_PER_FRAME, Asks, Form
from vasa_jax.ops import precise

HOP = 160
WINDOW = 400
FFT = 512
STEPS_PER_FRAME = SAMPLES_PER_FRAME // HOP

# Bounds of the speech level in dB of full scale: speech whose loudest vowels lie below -42 dB is left quiet.
LEVEL_LOW, LEVEL_HIGH = -42.0, 0.0
LOUDEST_STEPS = 12
# Speech stands at least this far above its background; stationary noise alone therefore never counts as speech.
ABOVE_FLOOR = 20.0
RANGE = 60.0
RELEASE_PER_SECOND = 1.0
_TINY = 1e-12


@functools.cache
def mel_filterbank(bands: int, low: float = 60.0, high: float = 7600.0) -> np.ndarray:
    """Triangular filters of peak one, evenly spaced in mel (O'Shaughnessy 1987), [FFT / 2 + 1, bands]."""

    def to_mel(hertz: float) -> float:
        return 2595.0 * np.log10(1.0 + hertz / 700.0)

    edges = 700.0 * (10.0 ** (np.linspace(to_mel(low), to_mel(high), bands + 2) / 2595.0) - 1.0)
    bins = np.fft.rfftfreq(FFT, 1.0 / SAMPLE_RATE)[:, None]
    rise = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.maximum(0.0, np.minimum(rise, fall)).astype(np.float32)


@functools.cache
def _window() -> np.ndarray:
    return np.hanning(WINDOW + 1)[:-1].astype(np.float32)


def mel_power(audio: Float[Array, "*b n"], bands: int) -> Float[Array, "*b s bands"]:
    """Mel power of 16 kHz audio in -1..1, one step per 160 samples.

    The scale is that of mean squares: the power of a step summed over the bands is about the mean square of the
    audio around it. The audio before the first and after the last sample counts as zero.
    """
    steps = audio.shape[-1] // HOP
    margin = (WINDOW - HOP) // 2
    beyond = 3 * HOP - WINDOW + margin
    padded = jnp.pad(audio[..., : steps * HOP], [(0, 0)] * (audio.ndim - 1) + [(margin, beyond)])
    # Overlapping windows from whole hops: slices, where an index array would gather every sample one by one.
    hops = padded.reshape(*audio.shape[:-1], steps + 2, HOP)
    overlapping = jnp.concatenate([hops[..., :-2, :], hops[..., 1:-1, :], hops[..., 2:, : WINDOW - 2 * HOP]], -1)
    window = _window()
    spectrum = jnp.fft.rfft(overlapping * jnp.expand_dims(window, range(audio.ndim)), n=FFT)
    power = (jnp.square(spectrum.real) + jnp.square(spectrum.imag)) * (2.0 / (FFT * np.square(window).sum()))
    return precise.einsum("...sf,fm->...sm", power, mel_filterbank(bands))


def speech_level(power: Float[Array, "*b s bands"]) -> Float[Array, "*b"]:
    """Level of the speech in dB of full scale: mean of the loudest 120 ms, bounded, kept clear of the noise floor."""
    energy = 10.0 * jnp.log10(power.sum(-1) + _TINY)
    loudest = jax.lax.top_k(energy, min(LOUDEST_STEPS, energy.shape[-1]))[0].mean(-1)
    floor = jnp.percentile(energy, 10.0, axis=-1)
    return jnp.clip(jnp.maximum(loudest, floor + ABOVE_FLOOR), LEVEL_LOW, LEVEL_HIGH)


def least_level(previous: float | Float[Array, ""], seconds: float) -> float | Float[Array, ""]:
    """Of what follows: the level rises at once, but falls by at most 1 dB a second, so a pause is not turned up."""
    return previous - RELEASE_PER_SECOND * seconds


def features(power: Float[Array, "*b s bands"], level: Float[Array, "*b"]) -> Float[Array, "*b s bands"]:
    """Normalised log-mel: 0 at 60 dB and more below the speech level, 3 at the level."""
    decibels = 10.0 * jnp.log10(power + _TINY) - level[..., None, None]
    return jnp.clip(decibels + RANGE, 0.0, RANGE + 10.0) * (3.0 / RANGE)


def of_frames(values: Bool[Array, "*b t"]) -> Bool[Array, "*b s"]:
    """One value a step from one a frame."""
    return jnp.repeat(values, STEPS_PER_FRAME, axis=-1)


def heard_level(
    power: Float[Array, "*b s bands"], heard: Bool[Array, "*b t"], floor: Float[Array, "*b"] | float
) -> Float[Array, "*b"]:
    """Level of the speech in what is heard of a window, at least `floor`."""
    return jnp.maximum(speech_level(power * of_frames(heard)[..., None].astype(power.dtype)), floor)


@flax.struct.dataclass
class LogMel:
    """The front end that needs no files (`protocol.FrontEnd`): `bands` log-mel values, four times a frame."""

    bands: int = flax.struct.field(pytree_node=False)
    name: str = flax.struct.field(pytree_node=False, default="log-mel")
    hop: int = flax.struct.field(pytree_node=False, default=HOP)
    lookahead: int | None = flax.struct.field(pytree_node=False, default=(WINDOW - HOP) // 2)
    params: tuple[()] = ()

    @staticmethod
    def form(config: Asks) -> Form:
        return Form(STEPS_PER_FRAME, config.bands)

    @classmethod
    def open(cls, config: Asks, path: str, flag: str) -> Self:
        if path:
            raise UsageError(f"{flag}={path}: this motion model listens to log-mel; leave the flag out")
        return cls(config.bands)

    def check(self, config: Asks) -> None:
        """Nothing can be wrong with it."""

    def features(
        self, audio: Float[Array, "b n"], heard: Bool[Array, "b t"], floor: Float[Array, "b"]
    ) -> tuple[Float[Array, "b s c"], Float[Array, "b"]]:
        """As `protocol.FrontEnd` has it."""
        power = mel_power(jnp.where(jnp.repeat(heard, SAMPLES_PER_FRAME, axis=1), audio, 0.0), self.bands)
        level = jnp.maximum(speech_level(power), floor)
        return features(power, level), level
