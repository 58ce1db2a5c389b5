"""Mutated recordings and videos are used or refused with a line: no traceback, no hang, bounded memory."""

import collections
import json
import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from tests.test_media import gradient, write_video
from vasa_jax import media

ROOT = Path(__file__).resolve().parents[1]
FORMATS = ("wav", "mp3", "m4a", "ogg", "mp4")
SECONDS = 10


def speech_like(seconds: float, rate: int) -> np.ndarray:
    """Syllables of noise and tones; [n] float32."""
    at = np.arange(round(seconds * rate)) / rate
    rng = np.random.default_rng(0)
    voice = sum(np.sin(2 * np.pi * 140 * k * at) / k for k in range(1, 12)) + 0.3 * rng.standard_normal(len(at))
    return (0.15 * voice * np.maximum(np.sin(2 * np.pi * 2.5 * at), 0.02)).astype(np.float32)


def write_m4a(path: Path, samples: np.ndarray, rate: int, form: str = "mp4") -> Path:
    """AAC in MP4, or without a container (`form` "adts")."""
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream("aac", rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = rate, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def original(folder: Path, form: str) -> Path:
    """A good file of the format, 2 s."""
    samples, rate = speech_like(2.0, 16_000), 16_000
    path = folder / f"whole.{form}"
    if form == "m4a":
        return write_m4a(path, samples, rate)
    if form == "mp4":
        soundfile.write(folder / "sound.wav", samples, rate)
        frames = (np.roll(gradient(64, 96), 3 * k, axis=1) for k in range(50))
        return write_video(path, frames, media.AudioReader(folder / "sound.wav"))
    soundfile.write(path, samples, rate)
    return path


def fuzz(folder: Path, form: str, first: int, count: int) -> dict:
    """Outcomes of `count` mutated files, counted; AssertionError where one of them ends or stops the reader."""
    command = [sys.executable, "-m", "tests.fuzz_child", str(original(folder, form)), str(folder)]
    done = subprocess.run(
        [*command, str(first), str(count), str(SECONDS)],
        capture_output=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (lines[-1], done.returncode, done.stderr.decode(errors="replace")[-2000:])
    rows = [line for line in lines if "outcome" in line]
    assert len(rows) == count
    slowest = max(rows, key=lambda row: row["seconds"])
    kinds = collections.Counter(row["outcome"] for row in rows)
    return {"files": count, **kinds, "slowest_seconds": round(slowest["seconds"], 2), "peak_mib": lines[-1]["peak_mib"]}


@pytest.mark.parametrize("form", FORMATS)
def test_a_few_mutated_files(tmp_path, form):
    found = fuzz(tmp_path, form, 0, 20)
    assert found.get("refused", 0) + found.get("noted", 0) > 0  # else nothing was put to the test


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
def test_many_mutated_files(tmp_path, form):
    fuzz(tmp_path, form, 1000, 500)
