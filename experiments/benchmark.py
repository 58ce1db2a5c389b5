"""Measures how fast the parts of the project are on this machine.

    python -m experiments.benchmark --suite=data --data=data --report=data_benchmark.json
    python -m experiments.benchmark --suite=data --latents=data/latents --workdir=runs/face_small_128

Suites are the modules of experiments/benchmarks/. Every time is taken after a warm-up, several times, and given as
median (p50) and 95th percentile; what is compared is measured in turns, so that other work on the machine slows down
both sides. On a machine that is busy (`load_average` above `cores`) trust the processor times and shares (cpu_*) only.
"""

import importlib
import os
import pkgutil
import sys
import time
from typing import Any

from absl import flags

from experiments import benchmarks
from experiments.common import app
from vasa_jax.errors import UsageError

SUITES = tuple(sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__)))

_SUITE = flags.DEFINE_enum("suite", None, SUITES, "What to measure.")
_DATA = flags.DEFINE_string("data", "data", "Folder of the data sets.")
_NAMES = flags.DEFINE_list("names", ["grid"], "Data sets to read.")
_CONFIG = flags.DEFINE_string("config", "small_128", "Builder configuration of the data sets.")
_SPLIT = flags.DEFINE_string("split", "train", "Split to read.")
_LATENTS = flags.DEFINE_string("latents", None, "Folder of the latents caches; by default DATA/latents.")
_WORKDIR = flags.DEFINE_list("workdir", [], "Training runs, to read how long they waited for data.")
_ENGINES = flags.DEFINE_list("engines", [], "Engines to measure; by default all that are installed.")
_THREADS = flags.DEFINE_integer("threads", 2, "Threads that work at once.", lower_bound=1)
_BATCH = flags.DEFINE_integer("batch_size", 16, "Items of a batch (windows: four times as many).", lower_bound=1)
_ROUNDS = flags.DEFINE_integer("rounds", 9, "How often each measurement is repeated.", lower_bound=3)
_STEPS = flags.DEFINE_integer("steps", 16, "Batches of one measurement.", lower_bound=2)
_CONFIGS = flags.DEFINE_list("configs", [], "Names of experiments/configs/face, or motion (motion); releases (video).")
_DENOISE = flags.DEFINE_list("denoise", ["10", "50"], "Denoising steps of a window (motion).")
_BATCHES = flags.DEFINE_list(
    "batches", [], "Batch sizes to measure (decode), to begin with (tpu), or sessions a call (stream)."
)
_DTYPE = flags.DEFINE_enum("dtype", None, ["float32", "bfloat16"], "Of the convolutions (decode, forms).")
_CHIPS = flags.DEFINE_list("chips", ["v5e", "v6e", "v5p"], "TPU chips to compile for (tpu).")
_EFFORT = flags.DEFINE_float(
    "effort", 0.0, "How hard the compiler tries: -1 takes less than half the time (tpu).", lower_bound=-1, upper_bound=1
)
_SPEECH_MODEL = flags.DEFINE_string("speech_model", None, "Folder of a wav2vec2 model; random weights if not given.")
_AUDIO = flags.DEFINE_string("audio", None, "A recording (speech, stream, video).")
_SIZES = flags.DEFINE_list("sizes", [], "Sides of the videos in pixels (video).")


def options() -> dict[str, Any]:
    """The flags as the suites get them."""
    return {
        "data": _DATA.value,
        "names": _NAMES.value,
        "config": _CONFIG.value,
        "split": _SPLIT.value,
        "latents": _LATENTS.value,
        "workdirs": _WORKDIR.value,
        "engines": _ENGINES.value,
        "threads": _THREADS.value,
        "batch_size": _BATCH.value,
        "rounds": _ROUNDS.value,
        "steps": _STEPS.value,
        "configs": _CONFIGS.value,
        "batches": _numbers("batches", _BATCHES.value),
        "denoise": _numbers("denoise", _DENOISE.value),
        "dtype": _DTYPE.value,
        "chips": _CHIPS.value,
        "effort": _EFFORT.value,
        "speech_model": _SPEECH_MODEL.value,
        "audio": _AUDIO.value,
        "sizes": _numbers("sizes", _SIZES.value),
    }


def _numbers(flag: str, texts: list[str]) -> list[int]:
    try:
        numbers = [int(text) for text in texts]
    except ValueError as error:
        raise UsageError(f"--{flag}={','.join(texts)}: whole numbers, please ({error})") from error
    if any(number < 1 for number in numbers):
        raise UsageError(f"--{flag}={','.join(texts)}: at least 1 each")
    return numbers


def main() -> dict[str, Any]:
    """Runs the suite; returns the report."""
    if _SUITE.value is None:
        raise UsageError(f"--suite is missing: {', '.join(SUITES)}")
    app.compile_cache()
    from vasa_jax.training import manifest

    start, load = time.monotonic(), os.getloadavg()[0]
    report = importlib.import_module(f"experiments.benchmarks.{_SUITE.value}").run(options())
    head = {
        "suite": _SUITE.value,
        "command": ["vasa-benchmark", *sys.argv[1:]],
        "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "device": manifest.devices(),
        "versions": manifest.versions(),
        "commit": manifest.commit(),
        "load_average": [round(load, 2), round(os.getloadavg()[0], 2)],  # before and after: other work beside ours
        "cores": os.cpu_count(),
        "seconds": round(time.monotonic() - start, 1),
    }
    return head | report


HELP = app.Help(
    example="--suite=decode --configs=small_128 --batches=1,8 --report=decode.json",
    groups={
        "what is measured": (_SUITE, _ROUNDS),
        "data sets": (_DATA, _NAMES, _CONFIG, _SPLIT, _LATENTS, _WORKDIR, _ENGINES, _THREADS, _BATCH, _STEPS),
        "models": (_CONFIGS, _BATCHES, _DENOISE, _DTYPE, _SPEECH_MODEL, _AUDIO, _SIZES),
        "compiling for TPUs": (_CHIPS, _EFFORT),
    },
)


def run() -> None:
    """The console script vasa-benchmark."""
    app.run(main, info=HELP)


if __name__ == "__main__":
    run()
