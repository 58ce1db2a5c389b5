"""What the motion model is given of the sound of a window: log-mel below the speech level, or pretrained features."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from vasa_jax.errors import InputError, UsageError
from vasa_jax.models.audio import log_mel
from vasa_jax.models.motion_transformer import MotionConfig
from vasa_jax.pretrained.speech import SpeechModel, open_speech


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


def hear(
    config: MotionConfig,
    speech: SpeechModel | None,
    sound: Float[Array, "n"],
    heard: Bool[Array, "t"],
    floor: Float[Array, ""],
) -> tuple[Float[Array, "1 s c"], Float[Array, ""]]:
    """What a motion model is given of a window's sound. Pure, to be jitted.

    Sound of frames that are not `heard` counts for nothing, not even for the level.

    Args:
      floor: least speech level in dB, carried over from the window before; only log-mel has one.

    Returns:
      Speech features, and the speech level.
    """
    if speech is not None:
        return window_features(speech, sound[None], heard[None]), floor
    sound = jnp.where(jnp.repeat(heard, log_mel.SAMPLES_PER_FRAME), sound, 0.0)
    power = log_mel.mel_power(sound[None], config.bands)
    level = jnp.maximum(log_mel.speech_level(power)[0], floor)
    return log_mel.features(power, level[None]), level
