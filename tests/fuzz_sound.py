"""Mutated recordings and videos through the readers and the command.

    python -m tests.fuzz_sound --count=500 --commands=20 --result=experiments/results/fuzz_sound.json
    python -m tests.fuzz_sound --formats=mp4 --result=experiments/results/fuzz_sound.json   # this one again

Every format has one child process (`fuzz_child`) for all its files, with a limit on processor time a file and on
memory; the command runs with stand-in models, so that what is tried is reading and refusing.
"""

import argparse
import collections
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av
import numpy as np
import soundfile
from PIL import Image

from tests.damage import mutated
from vasa_jax import media
from vasa_jax.files import write_json

ROOT = Path(__file__).resolve().parents[1]
FORMATS = ("wav", "mp3", "m4a", "ogg", "mp4")
SECONDS = 10


def speech_like(seconds: float, rate: int) -> np.ndarray:
    """Syllables of noise and tones; [n] float32."""
    at = np.arange(round(seconds * rate)) / rate
    rng = np.random.default_rng(0)
    voice = sum(np.sin(2 * np.pi * 140 * k * at) / k for k in range(1, 12)) + 0.3 * rng.standard_normal(len(at))
    return (0.15 * voice * np.maximum(np.sin(2 * np.pi * 2.5 * at), 0.02)).astype(np.float32)


def write_aac(path: Path, samples: np.ndarray, rate: int, form: str = "mp4", codec: str = "aac") -> Path:
    """One channel by FFmpeg's encoder; AAC in MP4, or without a container (`form` "adts")."""
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
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
        return write_aac(path, samples, rate)
    if form == "mp4":
        soundfile.write(folder / "sound.wav", samples, rate)
        with media.VideoWriter(path, media.AudioReader(folder / "sound.wav")) as writer:
            for k in range(50):
                y, x = np.mgrid[:64, :96]
                writer.write(np.stack([(2 * x + 5 * k) % 256, 4 * y, 0 * x + 100], -1).astype(np.uint8))
        return path
    soundfile.write(path, samples, rate)
    return path


def readers(folder: Path, form: str, first: int, count: int) -> dict:
    """Outcomes of `count` mutated files, counted; AssertionError where one of them ends or stops the reader."""
    command = [sys.executable, "-m", "tests.fuzz_child", str(original(folder, form)), str(folder)]
    done = subprocess.run(
        [*command, str(first), str(count), str(SECONDS)],
        capture_output=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (lines[-1:], done.returncode, done.stderr.decode(errors="replace")[-2000:])
    rows = [line for line in lines if "outcome" in line]
    assert len(rows) == count
    kinds = collections.Counter(row["outcome"] for row in rows)
    slowest = max(row["seconds"] for row in rows)
    return {"files": count, **kinds, "slowest_cpu_seconds": round(slowest, 2), "peak_mib": lines[-1]["peak_mib"]}


def commands(folder: Path, form: str, first: int, count: int) -> dict:
    """The same through vasa-generate: exit codes, counted; a refusal is one line and leaves nothing."""
    from data_pipelines.synthetic.clip import make_clip
    from tests.experiments.test_generate import run

    Image.fromarray(make_clip(4, 4, 1, 160)["frames"][0]).save(folder / "face.png")
    data, made = original(folder, form).read_bytes(), folder / "made"
    made.mkdir()
    cases = []
    for seed in range(first, first + count):
        (folder / f"{seed}.{form}").write_bytes(mutated(data, seed))
        words = {"portrait": folder / "face.png", "audio": folder / f"{seed}.{form}", "output": made / f"{seed}.mp4"}
        cases.append({"flags": [f"--{name}={value}" for name, value in words.items()], "folder": str(made)})
    results = run(cases, folder / "keys")
    for case, result in zip(cases, results, strict=True):
        assert result["code"] in (0, 3) and "Traceback" not in result["stderr"], (case, result)
        assert result["code"] == 0 or len(result["stderr"].strip().splitlines()) == 1, (case, result)
    counted = collections.Counter(f"exit {result['code']}" for result in results)
    assert len(results[-1]["left"]) == counted["exit 0"]
    return {"files": count, **counted}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--commands", type=int, default=20)
    parser.add_argument("--formats", default="", help="some of them, whose rows in the result are put in place")
    parser.add_argument("--result", type=Path, required=True)
    asked = parser.parse_args()
    formats = asked.formats.split(",") if asked.formats else FORMATS
    report = {
        "command": "python -m tests.fuzz_sound " + " ".join(sys.argv[1:]),
        "date": time.strftime("%Y-%m-%d"),
        "device": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {"av": av.__version__, "libsndfile": soundfile.__libsndfile_version__},
        "limits": {"cpu_seconds_a_file": SECONDS, "address_space_gib": 3},
        "readers": {},
        "vasa-generate": {},
    }
    if asked.formats:
        known = json.loads(asked.result.read_text(encoding="utf-8"))
        again = {"command": report["command"], "date": report["date"], "versions": report["versions"]}
        report = known | {"again": known.get("again", []) + [again]}
    for form in formats:
        with tempfile.TemporaryDirectory() as folder:
            report["readers"][form] = readers(Path(folder), form, 1000, asked.count)
        print(form, report["readers"][form], flush=True)
        write_json(asked.result, report)
    for form in formats:
        with tempfile.TemporaryDirectory() as folder:
            report["vasa-generate"][form] = commands(Path(folder), form, 2000, asked.commands)
        print(form, report["vasa-generate"][form], flush=True)
        write_json(asked.result, report)


if __name__ == "__main__":
    main()
