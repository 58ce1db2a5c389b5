"""What the motion model is given of the sound of a window: log-mel below the speech level, or pretrained features."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from vasa_jax.errors import InputError, UsageError
from vasa_jax.models.audio import log_mel
from vasa_jax.models.motion_transformer import MotionConfig
from vasa_jax.pretrained.speech import SpeechModel, open_speech

Listener = Callable[[Float[np.ndarray, "n"], Bool[np.ndarray, "t"], float], Float[Array, "1 s c"]]


def open_for(config: MotionConfig, path: str, flag: str) -> SpeechModel | None:
    """The speech model that a motion model listens through, from `path`; None for one that listens to log-mel.

    Raises:
      UsageError: it needs one and none is given, or it takes none.
      InputError: this is not the model that it was made for.
    """
    if config.speech == "mel":
        if path:
            raise UsageError(f"{flag}={path}: this motion model listens to log-mel; leave the flag out")
        return None
    if not path:
        raise UsageError(
            f"this motion model listens through {config.speech} of {config.speech_layers} layers of "
            f"{config.speech_width}: give {flag}=FOLDER, as Hugging Face publishes it"
        )
    speech = open_speech(path, config.speech_layer, config.dtype)
    check(config, speech)
    return speech


def check(config: MotionConfig, speech: SpeechModel | None) -> None:
    """Raises InputError where the speech model is not of the form that the motion model was made for."""
    if config.speech == "mel":
        return
    if speech is None:
        raise InputError(f"this motion model listens through {config.speech}: load it with speech_model=FOLDER")
    found = speech.config.layers, speech.config.width, speech.layer
    wanted = config.speech_layers, config.speech_width, config.speech_layer
    if found != wanted:
        names = ("speech_layers", "speech_width", "speech_layer")
        said = ", ".join(f"{name} {a}, not {b}" for name, a, b in zip(names, found, wanted, strict=True) if a != b)
        raise InputError(f"{speech.name} does not fit the motion model: {said}; give the model it was trained with")


def window_features(
    speech: SpeechModel, sound: Float[Array, "b n"], heard: Bool[Array, "b t"]
) -> Float[Array, "b s c"]:
    """Pretrained features of windows from nothing but their own sound, as far as it is heard."""
    return speech(sound, jnp.repeat(heard, log_mel.SAMPLES_PER_FRAME, axis=1))


_window_features = jax.jit(window_features)


class Hearing:
    """Hears windows as the motion model's configuration says."""

    def __init__(self, config: MotionConfig, speech: SpeechModel | None = None) -> None:
        check(config, speech)
        self._speech = speech
        self._mel = jax.jit(functools.partial(_mel, bands=config.bands))

    def recording(self) -> Listener:
        """Hears one recording: (sound of a window, which of its frames are heard, seconds until the next) -> features.

        The level of the speech goes on from window to window.
        """
        level = None

        def listen(sound: np.ndarray, heard: np.ndarray, seconds: float) -> Array:
            nonlocal level
            if self._speech is not None:
                return _window_features(self._speech, sound[None], heard[None])
            power, current = self._mel(sound)
            level = log_mel.running_level(level, float(current[0]), seconds)
            return log_mel.features(power, jnp.full(1, level))

        return listen


def _mel(sound: Float[Array, "n"], *, bands: int) -> tuple[Float[Array, "1 s bands"], Float[Array, "1"]]:
    power = log_mel.mel_power(sound[None], bands)
    return power, log_mel.speech_level(power)
