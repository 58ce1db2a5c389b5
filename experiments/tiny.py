"""Trains both stages from nothing and lets the result speak, in about a quarter of an hour on two cores: `make tiny`.

    python -m experiments.tiny --output=runs/tiny --report=runs/tiny/report.json

The same commands, one after another, that the README gives for a laptop: draw people, train the face model, take
their motion, train the motion model, export, generate. What is done is not done again; after Ctrl-C the same command
resumes.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from absl import flags

from experiments import app
from experiments.demo import PORTRAIT, SPEECH
from vasa_jax import files
from vasa_jax.errors import UserError

FACE_SCORES = ("eval/l1_mouth", "eval/copy_mouth", "eval/l1_eyes", "eval/copy_eyes", "eval/mouth_cosine")


def define_flags() -> None:
    """Here and not at import, so that the stages can be imported beside other commands."""
    flags.DEFINE_string("output", "runs/tiny", "Folder for data, runs, weights and the video.")
    flags.DEFINE_integer("processes", 2, "Processes that draw.")


def stages(folder: Path, processes: int = 2) -> list[tuple[str, list[str], Path]]:
    """(name, module and flags, what exists when it is done) of each stage, in order."""
    data, face, motion, release = (folder / name for name in ("data", "face", "motion", "release"))
    latents = data / "latents"

    def train(config: str, workdir: Path) -> list[str]:
        flag = f"--config=experiments/configs/{config}.py"
        return ["experiments.train", flag, f"--config.data.dir={data}", f"--workdir={workdir}"]

    draw = ["data_pipelines.synthetic", "--config=tiny_64", f"--data_dir={data}", f"--processes={processes}"]
    prepare = ["experiments.prepare", "--stage=latents", "--name=procedural_heads", "--size=tiny_64"]
    prepare += [f"--input={data}", f"--checkpoint={face}", f"--output={latents}"]
    export = ["experiments.export", f"--face={face}", f"--motion={motion}", f"--output={release}"]
    video = folder / "talking.mp4"
    generate = ["experiments.generate", f"--checkpoint={release}", f"--portrait={PORTRAIT}", f"--audio={SPEECH}"]
    return [
        ("data", draw, data / "procedural_heads" / "tiny_64" / "1.0.0"),  # TFDS names it so when it is whole
        ("face", train("face/tiny_64", face), face / "checkpoints" / "600"),
        ("latents", prepare, latents / "procedural_heads.npz"),
        ("motion", train("motion/tiny", motion), motion / "checkpoints" / "600"),
        ("export", export, release / "manifest.json"),
        ("generate", [*generate, f"--output={video}"], video),
    ]


def held_out(run: Path, names: tuple[str, ...] | None = None) -> list[dict[str, float]]:
    """The held-out scores of a run, {"step": ..., name: ...} for each evaluation."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [
        {"step": row["step"]} | {k: round(v, 4) for k, v in row.items() if k in (names or row) and "eval/" in k}
        for row in rows
        if any(k.startswith("eval/") for k in row)
    ]


def main() -> dict[str, Any]:
    """Runs what is not done yet; the report holds seconds a stage and the held-out scores of both."""
    folder = Path(flags.FLAGS.output)
    folder.mkdir(parents=True, exist_ok=True)
    clock = folder / "seconds.json"
    seconds = json.loads(clock.read_text()) if clock.exists() else {}
    for name, command, product in stages(folder, flags.FLAGS.processes):
        if product.exists():
            continue
        print(f"\n== {name}: python -m {' '.join(command)}", flush=True)
        begun = time.monotonic()
        code = subprocess.run([sys.executable, "-m", *command], check=False).returncode
        seconds[name] = round(seconds.get(name, 0.0) + time.monotonic() - begun, 1)
        files.write_json(clock, seconds)
        if code:
            raise UserError(f"the stage {name!r} ended with exit code {code}; the same command resumes there")
    from vasa_jax.training import manifest

    report = {
        "command": ["experiments.tiny", *sys.argv[1:]],
        "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "device": manifest.devices() | {"cores": len(os.sched_getaffinity(0))},
        "versions": manifest.versions(),
        "commit": manifest.commit(),
        "seconds": seconds | {"all": round(sum(seconds.values()), 1)},
        "face": held_out(folder / "face", FACE_SCORES),
        "motion": held_out(folder / "motion"),
        "video": str(folder / "talking.mp4"),
    }
    print(json.dumps(report, indent=2))
    return report


def run() -> None:
    """`make tiny`."""
    define_flags()
    app.run(main)


if __name__ == "__main__":
    run()
