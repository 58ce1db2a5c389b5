"""Speech features of a pretrained model: how fast they are made, and what making them in pieces costs in accuracy.

    python -m experiments.benchmark --suite=speech --speech_model=wav2vec2-base-960h --audio=speech.wav

Without a folder the weights are random: the speed is right, but the differences say little about published weights,
whose attention has learned where to look.
"""

from typing import Any

import jax
import numpy as np

from experiments.common import timing
from vasa_jax import media, paths
from vasa_jax.errors import UsageError
from vasa_jax.models.audio.log_mel import SAMPLES_PER_FRAME
from vasa_jax.models.audio.speech_model import RANDOM, Pieces, SpeechModel, open_speech, relative_difference

PIECES = (
    Pieces(5, 38, 5),  # 1.5 s back and 0.2 s ahead
    Pieces(5, 38, 0),
    Pieces(5, 12, 5),
    Pieces(5, 75, 12),
    Pieces(25, 38, 5),
)
MOST_FRAMES = 500


def run(options: dict[str, Any]) -> dict[str, Any]:
    """The report of the suite; options "speech_model", "audio" and "rounds"."""
    if not options["audio"]:
        raise UsageError("--audio is missing: a recording of at least a second, to make features of")
    model = open_speech(options["speech_model"] or RANDOM)
    audio = read(options["audio"])
    frames = len(audio) // SAMPLES_PER_FRAME
    whole_of, pieces_of = jax.jit(SpeechModel.__call__), jax.jit(SpeechModel.in_pieces, static_argnames="pieces")
    whole = np.asarray(whole_of(model, audio[None])[0])

    def made_whole() -> int:
        whole_of(model, audio[None]).block_until_ready()
        return frames

    laps = timing.in_turns({"whole": lambda: timing.lap(made_whole)}, options["rounds"])["whole"]
    report = {"model": model.name, "states": model.states, "frames": frames, "whole": _row(laps), "pieces": []}
    print(f"{model.name}: whole, {report['whole']['seconds_of_sound_per_second_p50']} s of audio a second", flush=True)
    for pieces in PIECES:
        report["pieces"].append(in_pieces(pieces_of, model, audio, whole, pieces))
    return report


def in_pieces(pieces_of: Any, model: SpeechModel, audio: np.ndarray, whole: np.ndarray, pieces: Pieces) -> dict:
    """One form of pieces against the features of the whole."""
    found = np.asarray(pieces_of(model, audio, pieces=pieces))

    def made() -> int:
        pieces_of(model, audio, pieces=pieces).block_until_ready()
        return len(audio) // SAMPLES_PER_FRAME

    differences = relative_difference(found, whole, model.states)
    row = {
        "chunk": pieces.chunk,
        "before": pieces.before,
        "ahead": pieces.ahead,
        "latency_ms": 40 * (pieces.chunk + pieces.ahead),
        "relative_difference": [round(float(x), 4) for x in differences],
        **_row([timing.lap(made)]),
    }
    print(
        f"chunk {pieces.chunk}, before {pieces.before}, ahead {pieces.ahead}: differs by "
        f"{np.mean(differences):.3f} (mean of states), {differences[-1]:.3f} (output)",
        flush=True,
    )
    return row


def read(path: str) -> np.ndarray:
    """The first 20 s of a recording, in whole frames."""
    paths.check_file(path, "a recording")
    audio = np.concatenate(list(media.AudioReader(path).mono()))[: MOST_FRAMES * SAMPLES_PER_FRAME]
    if len(audio) < 25 * SAMPLES_PER_FRAME:
        raise UsageError(f"--audio={path} is shorter than a second; give a longer recording")
    return audio[: len(audio) // SAMPLES_PER_FRAME * SAMPLES_PER_FRAME]


def _row(laps: list[timing.Lap]) -> dict[str, float | None]:
    found = timing.rate(laps)
    return {
        "seconds_of_sound_per_second_p50": round(found["per_second_p50"] / media.FPS, 2),
        "seconds_of_sound_per_cpu_second_p50": round((found["per_cpu_second_p50"] or 0.0) / media.FPS, 2),
    }
