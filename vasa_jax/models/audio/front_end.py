"""The front ends for speech, by the name that a motion model's configuration has (`config.model.speech`).

    front_end = open_for(config, "wav2vec2-base-960h", "--speech_model")
    features, level = front_end.features(audio, heard, floor)

Training and inference hear through the same one. Another is a file with a class of `protocol.FrontEnd`'s form, and a
line of `FRONT_ENDS`.
"""

from vasa_jax.errors import InputError
from vasa_jax.models.audio.log_mel import LogMel
from vasa_jax.models.audio.protocol import Asks, Form, FrontEnd
from vasa_jax.models.audio.speech_model import SpeechModel

FRONT_ENDS: dict[str, type[LogMel] | type[SpeechModel]] = {
    "mel": LogMel,
    "wav2vec2": SpeechModel,  # and, as models of before these had names of their own say, HuBERT and WavLM
    "hubert": SpeechModel,
    "wavlm": SpeechModel,
}


def form_of(config: Asks) -> Form:
    """How many features a frame the configuration's front end makes, and how wide.

    Raises:
      ValueError: there is no such front end.
    """
    if config.speech not in FRONT_ENDS:
        raise ValueError(f"speech is {', '.join(FRONT_ENDS)}, not {config.speech!r}")
    return FRONT_ENDS[config.speech].form(config)


def open_for(config: Asks, path: str, flag: str) -> FrontEnd:
    """The front end that a motion model listens through, its files from `path` if it has any.

    Raises:
      UsageError: it needs files and none are named, or it takes none.
      InputError: this is not the model that it was made for.
    """
    return FRONT_ENDS[config.speech].open(config, path, flag)


def fitting(config: Asks, given: FrontEnd | None) -> FrontEnd:
    """The front end that is given, or the configuration's own where that needs no files.

    Raises:
      InputError: it does not fit the motion model, or one is needed.
    """
    wanted = FRONT_ENDS[config.speech]
    if given is None and wanted is LogMel:
        return wanted.open(config, "", "")
    if not isinstance(given, wanted):
        raise InputError(f"this motion model listens through {config.speech}: load it with speech_model=FOLDER")
    given.check(config)
    return given
