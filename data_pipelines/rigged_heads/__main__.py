"""Makes rigged_heads: python -m data_pipelines.rigged_heads --heads=valid3d --data_dir=data --config=lite_256"""

import sys

from absl import app, flags

from data_pipelines.prepare import shard_manifest
from data_pipelines.rigged_heads import rigged_heads_dataset_builder as heads
from data_pipelines.rigged_twins import rigged_twins_dataset_builder as twins
from vasa_jax.errors import UserError

_HEADS = flags.DEFINE_string("heads", None, "Folder of the heads, .glb as published or .npz.", required=True)
_PHOTOGRAPHS = flags.DEFINE_string("photographs", None, "Folder of images without faces, for half of the backgrounds.")
_DATA_DIR = flags.DEFINE_string("data_dir", "data", "TFDS data folder to write to.")
_CONFIG = flags.DEFINE_enum(
    "config", "lite_256", [c.name for c in heads.Builder.BUILDER_CONFIGS], "Which configuration."
)
_TWINS = flags.DEFINE_bool("twins", False, "Draw rigged_twins, one performance by several heads, in its place.")
_CLIPS = flags.DEFINE_integer("clips", None, "How many clips of each head, instead of the configuration's number.")
_FRAMES = flags.DEFINE_integer("frames", None, "Frames of a clip, instead of the configuration's number.")
_PROCESSES = flags.DEFINE_integer("processes", 1, "Processes that draw.")


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]}")
    amounts = {"clips": _CLIPS.value, "frames": _FRAMES.value}
    builder = (twins if _TWINS.value else heads).Builder(
        heads=_HEADS.value,
        photographs=_PHOTOGRAPHS.value,
        data_dir=_DATA_DIR.value,
        config=_CONFIG.value,
        processes=_PROCESSES.value,
        amounts={name: value for name, value in amounts.items() if value is not None},
        file_format="array_record",
    )
    try:
        builder.download_and_prepare()
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
    shard_manifest.write(builder.data_dir, {name: split.num_examples for name, split in builder.info.splits.items()})
    print(builder.data_dir)


if __name__ == "__main__":
    app.run(main)
