"""vasa-prepare: from raw video to a data set, and from a data set to the motion model's latents.

    python -m experiments.prepare --input=FOLDER --output=data --name=grid --face_model=face_landmarker.task
    python -m experiments.prepare --input=FOLDER --output=data --name=grid --landmarks=FOLDER_OF_TRACKS
    python -m experiments.prepare --stage=latents --input=data --name=grid --checkpoint=DIR --output=data/latents

The first two write OUTPUT/NAME/CONFIG/VERSION (ArrayRecord, read by `data_pipelines.clips`) and OUTPUT/quality.json,
which says what was kept, and what was dropped and why. The third runs the face model over every frame.
"""

import contextlib
import pathlib
import tempfile
from typing import Any

from absl import flags

from data_pipelines import schema
from experiments import app
from vasa_jax import files
from vasa_jax.errors import InputError, UsageError

_INPUT = flags.DEFINE_string(
    "input", None, "Folder of videos SPEAKER/CLIP.mpg (or mp4 ...); for --stage=latents the data folder."
)
_OUTPUT = flags.DEFINE_string("output", None, "Where the data set, or the latents, go.")
_NAME = flags.DEFINE_string("name", "grid", "Data set.")
_STAGE = flags.DEFINE_enum("stage", "clips", ["clips", "latents"], "What to make.")
_CONFIG = flags.DEFINE_enum(
    "size", "small_128", sorted(schema.RESOLUTIONS), "Size of the stored pictures: that of the model to train."
)
_LANDMARKS = flags.DEFINE_string(
    "landmarks", None, "Folder of tracks CLIP_ID.npz; with --face_model, tracks are kept there."
)
_FACE_MODEL = flags.DEFINE_string("face_model", None, "The MediaPipe face landmarker's .task file.")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Make a data set again that exists.")
_CHECKPOINT = flags.DEFINE_string("checkpoint", "bundled", "Release or workdir of the face model (--stage=latents).")


def _tracker() -> Any:
    from data_pipelines.prepare import tracking

    if _FACE_MODEL.value:
        tracker = tracking.MediaPipeTracker(_FACE_MODEL.value)
        return tracking.SavingTracker(tracker, _LANDMARKS.value) if _LANDMARKS.value else tracker
    if _LANDMARKS.value:
        return tracking.LandmarksFolder(_LANDMARKS.value)
    raise UsageError(
        "give --face_model=face_landmarker.task to track faces, or --landmarks=FOLDER of tracks made before"
    )


def _build(tracker: Any, unusable: list[dict[str, str]]) -> Any:
    """Builds the data set without the clips known to be unusable; returns the builder."""
    import tensorflow_datasets as tfds

    from data_pipelines.grid import grid

    builder = grid.Grid(
        tracker=tracker, unusable=unusable, config=_CONFIG.value, data_dir=_OUTPUT.value, file_format="array_record"
    )
    if pathlib.Path(builder.data_dir).exists() and not _OVERWRITE.value:
        raise InputError(f"{builder.data_dir}: exists; use it, or give --overwrite to make it again")
    mode = tfds.GenerateMode.REUSE_CACHE_IF_EXISTS if _OVERWRITE.value else tfds.GenerateMode.REUSE_DATASET_IF_EXISTS
    config = tfds.download.DownloadConfig(manual_dir=_INPUT.value, download_mode=mode)
    with tempfile.TemporaryDirectory() as downloads:  # TFDS wants one; nothing is downloaded
        try:
            builder.download_and_prepare(download_dir=downloads, download_config=config)
        except AssertionError:  # TFDS cannot write a split without examples
            dropped = builder.quality["dropped"]
            if len(dropped) == len(unusable):
                raise
            if not builder.quality["kept"] and len(dropped) == len(grid.find_sources(_INPUT.value)):
                message = f"{_INPUT.value}: none of {len(dropped)} clips is of use; the first: {dropped[0]['reason']}"
                raise InputError(message) from None
            return _build(tracker, dropped)
    return builder


def prepare_clips() -> dict[str, Any]:
    """Builds the data set of the flags; returns the report."""
    from data_pipelines import records
    from data_pipelines.grid import grid
    from data_pipelines.prepare import shard_manifest

    if _NAME.value != "grid":
        raise UsageError(f"--name={_NAME.value}: unknown data set; known: grid")
    grid.find_sources(_INPUT.value)  # complains before trackers are loaded
    with contextlib.closing(_tracker()) as tracker:
        builder = _build(tracker, [])
    folder = pathlib.Path(builder.data_dir)
    counts = {name: split.num_examples for name, split in builder.info.splits.items()}
    shard_manifest.write(folder, counts)
    for split in counts:
        records.RecordSplit(folder, split)  # leaves its index beside the shards
    quality = {name: sorted(entries, key=str) for name, entries in builder.quality.items()}
    for place in (pathlib.Path(_OUTPUT.value), folder):
        files.write_json(place / "quality.json", quality)
    dropped = len(quality["dropped"])
    print(f"{folder}: {counts}, {dropped} clips dropped (see {_OUTPUT.value}/quality.json)")
    return {"data_set": str(folder), "examples": counts, "kept": len(quality["kept"]), "dropped": dropped}


def prepare_latents() -> dict[str, Any]:
    """Encodes the data set of the flags; returns the report."""
    from data_pipelines.prepare import latents

    path = pathlib.Path(_OUTPUT.value) / f"{_NAME.value}.npz"
    return latents.make_latents(_INPUT.value, _NAME.value, _CONFIG.value, _CHECKPOINT.value, path)


def main() -> dict[str, Any]:
    """Runs the stage; returns the report."""
    for flag in (_INPUT, _OUTPUT):
        if not flag.value:
            raise UsageError(f"--{flag.name} is missing; see --help")
    return prepare_clips() if _STAGE.value == "clips" else prepare_latents()


def run() -> None:
    """The console script vasa-prepare."""
    app.run(main)


if __name__ == "__main__":
    run()
