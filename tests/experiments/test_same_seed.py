"""Same seed, same video: what docs/generate.md says of runs on as many cores, and on fewer. The real model, minutes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from vasa_jax import media

ROOT = Path(__file__).resolve().parents[2]
ASSETS = ROOT / "vasa_jax" / "assets"


def made(folder: Path, name: str, cores: set[int]) -> Path:
    """The video of a process that may use these cores."""
    output = folder / f"{name}.mp4"
    words = [f"--portrait={ASSETS / 'portrait.jpg'}", f"--audio={folder / 'short.wav'}", f"--output={output}"]
    done = subprocess.run(
        [sys.executable, "-m", "experiments.generate", *words, "--seed=3", "--steps=2", "--nocredentials"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "XLA_FLAGS": ""},
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return output


@pytest.mark.slow
def test_the_same_bytes_on_as_many_cores_and_the_same_look_on_one(tmp_path):
    samples, rate = soundfile.read(ASSETS / "speech.flac")
    soundfile.write(tmp_path / "short.wav", samples[: rate * 2 // 5], rate)
    cores = os.sched_getaffinity(0)
    first, again = made(tmp_path, "first", cores), made(tmp_path, "again", cores)
    assert first.read_bytes() == again.read_bytes()
    if len(cores) == 1:
        pytest.skip("one core: nothing to compare with")
    one = made(tmp_path, "one", {min(cores)})
    a, b = (np.stack(list(media.VideoReader(path))).astype(np.float64) for path in (first, one))
    assert 10 * np.log10(255**2 / max(np.square(a - b).mean(), 1e-9)) > 35
