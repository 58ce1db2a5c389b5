"""Makes a data set of raw videos, and the motion model's latents of a data set.

    python -m experiments.prepare --input=FOLDER --output=data --face_model=face_landmarker.task
    python -m experiments.prepare --input=FOLDER --output=data --name=grid --landmarks=FOLDER_OF_TRACKS
    python -m experiments.prepare --stage=latents --input=data --name=grid --checkpoint=DIR --output=data/latents
    python -m experiments.prepare --stage=generator --input=data --face_config=experiments/configs/face/X.py \
        --checkpoint=DIR --output=data/generator

The first two write OUTPUT/NAME/CONFIG/VERSION (ArrayRecord, read by `data_pipelines.clips`), and OUTPUT/quality.json
and quality.html, which say what was kept, and what was dropped and why. Killed and run again, they go on where they
were. The third runs the face model over every frame. The fourth stores what a face model's generator is given.
"""

import os
import pathlib
from typing import Any

from absl import flags
from ml_collections import config_flags

from data_pipelines import schema
from experiments.common import app
from vasa_jax.errors import UsageError

_INPUT = flags.DEFINE_string(
    "input", None, "Folder of videos, or a text file that lists them; for --stage=latents the data folder."
)
_OUTPUT = flags.DEFINE_string("output", None, "Where the data set, or the latents, go.")
_NAME = flags.DEFINE_string(
    "name",
    None,
    "Data set; a name of your own begins with folder_. By default folder_ and the name of the input's folder.",
)
_STAGE = flags.DEFINE_enum("stage", "clips", ["clips", "latents", "generator"], "What to make.")
_FACE_CONFIG = config_flags.DEFINE_config_file("face_config", None, "The face run to store inputs for (generator).")
_SPEECH = flags.DEFINE_string("speech", "", "Recordings that strangers speak in what is stored (generator).")
_ITEMS = flags.DEFINE_integer("items", 3600, "How many to store for training (generator).", 1)
_CONFIG = flags.DEFINE_enum(
    "size", "small_128", sorted(schema.RESOLUTIONS), "Size of the stored images: that of the model to train."
)
_LANDMARKS = flags.DEFINE_string(
    "landmarks", None, "Folder of tracks CLIP_ID.npz; with --face_model, tracks are kept there."
)
_FACE_MODEL = flags.DEFINE_string("face_model", None, "The MediaPipe face landmarker's .task file.")
_BACKEND = flags.DEFINE_enum(
    "face_backend", "landmarks", ["landmarks", "boxes"], "boxes: needs no file; finds the head, labels nothing on it."
)
_GAZE_MODEL = flags.DEFINE_string("gaze_model", None, "L2CS-Net's file (L2CSNet_gaze360.pkl), for better gaze labels.")
_EMOTION_MODEL = flags.DEFINE_string("emotion_model", None, "HSEmotion's file (.onnx), for better emotion labels.")
_MATTE_MODEL = flags.DEFINE_string("matte_model", None, "MODNet's file (.onnx), for a foreground matte of every image.")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Make a data set again that exists.")
_MIN_SECONDS = flags.DEFINE_float(
    "min_seconds", None, "Shortest clip; 2 by default, 0 for data sets that are published as cut sentences.", 0.0, 10.0
)
_MAX_SECONDS = flags.DEFINE_float("max_seconds", 10.0, "Longest clip; longer ones are cut in equal parts.", 0.5, 60.0)
_FILTERS = flags.DEFINE_bool("filters", True, "Leave out poor clips; --nofilters only measures them.")
_RUNNER = flags.DEFINE_enum(
    "runner", "local", ["local", "direct", "flink", "spark", "dataflow"], "Who works: local processes, or Apache Beam."
)
_RUNNER_FLAGS = flags.DEFINE_multi_string("runner_flag", [], "For Beam, for instance --flink_master=HOST:8081.")
_PROCESSES = flags.DEFINE_integer("processes", os.cpu_count() or 1, "Of the local runner.", 1)
_KEEP_STAGING = flags.DEFINE_bool(
    "keep_staging", False, "Keep the results of single files, so that making the data set again is quick."
)
_CHECKPOINT = flags.DEFINE_string("checkpoint", "bundled", "Release or workdir of the face model (--stage=latents).")

_CUT_AS_PUBLISHED = ("grid", "crema_d", "mead")


def prepare_clips() -> dict[str, Any]:
    """Builds the data set of the flags; returns the report."""
    from data_pipelines import datasets
    from data_pipelines.prepare import backends, networks, pipeline, process

    name = _NAME.value or datasets.own_name(_INPUT.value)
    shortest = _MIN_SECONDS.value
    if shortest is None:
        shortest = 0.0 if name in _CUT_AS_PUBLISHED else 2.0
    if shortest > _MAX_SECONDS.value:
        raise UsageError(f"--min_seconds={shortest:g} is more than --max_seconds={_MAX_SECONDS.value:g}")
    request = pipeline.Request(
        name=name,
        config=_CONFIG.value,
        videos=_INPUT.value,
        output=pathlib.Path(_OUTPUT.value),
        tracker=backends.Spec(_FACE_MODEL.value, _LANDMARKS.value, _BACKEND.value == "boxes"),
        options=process.Options(
            size=schema.stored_size(schema.RESOLUTIONS[_CONFIG.value]),
            min_seconds=shortest,
            max_seconds=_MAX_SECONDS.value,
            filters=_FILTERS.value,
        ),
        runner=_RUNNER.value,
        processes=_PROCESSES.value,
        runner_flags=_RUNNER_FLAGS.value,
        overwrite=_OVERWRITE.value,
        keep_staging=_KEEP_STAGING.value,
        networks=networks.NetworkFiles(_GAZE_MODEL.value, _EMOTION_MODEL.value, _MATTE_MODEL.value),
    )
    report = pipeline.prepare(request)
    reasons = ", ".join(f"{kind} {count}" for kind, count in report["reasons"].items())
    print(
        f"{report['data_set']}: {report['examples']}, {report['dropped']} dropped"
        f"{f' ({reasons})' if reasons else ''}; see {request.output}/quality.html"
    )
    return report


def prepare_latents() -> dict[str, Any]:
    """Encodes the data set of the flags; returns the report."""
    from data_pipelines.prepare import latents

    if not _NAME.value:
        raise UsageError("--name is missing: which data set of the folder to encode")
    path = pathlib.Path(_OUTPUT.value) / f"{_NAME.value}.npz"
    return latents.make_latents(_INPUT.value, _NAME.value, _CONFIG.value, _CHECKPOINT.value, path)


def prepare_generator() -> dict[str, Any]:
    """Stores the inputs of a face run's generator; returns the report."""
    from data_pipelines.prepare import generator

    if _FACE_CONFIG.value is None:
        raise UsageError("--face_config is missing; for example experiments/configs/face/portrait_256.py")
    output = pathlib.Path(_OUTPUT.value)
    given = (_FACE_CONFIG.value, _INPUT.value, _CHECKPOINT.value)
    return generator.make_inputs(*given, output, _ITEMS.value, _SPEECH.value)


def main() -> dict[str, Any]:
    """Runs the stage; returns the report."""
    for flag in (_INPUT, _OUTPUT):
        if not flag.value:
            raise UsageError(f"--{flag.name} is missing; see --help")
    stages = {"clips": prepare_clips, "latents": prepare_latents, "generator": prepare_generator}
    return stages[_STAGE.value]()


HELP = app.Help(
    example="--input=videos --output=data --name=folder_mine --face_model=face_landmarker.task",
    groups={
        "what goes in and out": (_INPUT, _OUTPUT, _NAME, _STAGE, _CONFIG, _CHECKPOINT, _OVERWRITE, _KEEP_STAGING),
        "faces": (_FACE_MODEL, _LANDMARKS, _BACKEND),
        "better labels": (_GAZE_MODEL, _EMOTION_MODEL, _MATTE_MODEL),
        "what is kept": (_MIN_SECONDS, _MAX_SECONDS, _FILTERS),
        "what a generator is given": (_FACE_CONFIG, _ITEMS, _SPEECH),
        "who works": (_PROCESSES, _RUNNER, _RUNNER_FLAGS),
    },
)


def run() -> None:
    """The console script vasa-prepare."""
    app.run(main, info=HELP)


if __name__ == "__main__":
    run()
