"""Writes log_mel_golden.json: mel power of a short audio by transformers.audio_utils, which follows librosa.

python -m tests.models.audio.make_log_mel_golden        # needs transformers
"""

import json
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).with_name("log_mel_golden.json")
BANDS = 10


def audio() -> np.ndarray:
    """A sweep from 100 Hz to 7 kHz over noise, 0.1 s."""
    t = np.arange(1600) / 16_000
    sweep = np.sin(2 * np.pi * (100 * t + 0.5 * 69_000 * t**2))
    return (0.3 * sweep + 0.01 * np.random.default_rng(3).standard_normal(t.size)).astype(np.float32)


def main() -> None:
    import transformers
    from transformers import audio_utils

    filters = audio_utils.mel_filter_bank(257, BANDS, 60.0, 7600.0, 16_000, norm=None, mel_scale="htk")
    window = audio_utils.window_function(400, "hann", periodic=True)
    # A step is the middle 160 of 400 samples; what lies outside the audio is zero.
    padded = np.pad(audio().astype(np.float64), 120)
    power = audio_utils.spectrogram(
        padded, window, 400, 160, fft_length=512, power=2.0, center=False, mel_filters=filters, mel_floor=0.0
    )
    power = power.T * 2.0 / (512 * np.square(window).sum())  # to mean squares
    rows = [[float(f"{x:.6g}") for x in row] for row in power]
    found = {"transformers": transformers.__version__, "power": rows}
    GOLDEN.write_text(json.dumps(found, separators=(",", ":")).replace("],[", "],\n[") + "\n")


if __name__ == "__main__":
    main()
