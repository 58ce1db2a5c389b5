"""Makes the drawn data sets: python -m data_pipelines.synthetic --data_dir=data --config=small_128 [--twins]"""

import sys

from absl import app, flags

from data_pipelines import requirements
from vasa_jax.errors import InputError

_DATA_DIR = flags.DEFINE_string("data_dir", "data", "TFDS data folder to write to.")
_CONFIG = flags.DEFINE_enum("config", "small_128", ["tiny_64", "small_128", "lite_256"], "Which configuration.")
_TWINS = flags.DEFINE_bool("twins", False, "Draw procedural_twins, one face made by several people, in its place.")
_IDENTITIES = flags.DEFINE_integer("identities", None, "How many people, instead of the configuration's number.")
_CLIPS = flags.DEFINE_integer("clips", None, "How many clips of each person, instead of the configuration's number.")
_FRAMES = flags.DEFINE_integer("frames", None, "Frames of a clip, instead of the configuration's number.")
_PROCESSES = flags.DEFINE_integer("processes", 1, "Processes that draw.")


def main(argv: list[str]) -> int:
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]}")
    try:
        requirements.check_writing()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    from data_pipelines.prepare import shard_manifest
    from data_pipelines.synthetic.procedural_heads import procedural_heads_dataset_builder as heads
    from data_pipelines.synthetic.procedural_twins import procedural_twins_dataset_builder as twins

    amounts = {"identities": _IDENTITIES.value, "clips": _CLIPS.value, "frames": _FRAMES.value}
    amounts = {name: value for name, value in amounts.items() if value is not None}
    builder = (twins if _TWINS.value else heads).Builder(
        data_dir=_DATA_DIR.value,
        config=_CONFIG.value,
        processes=_PROCESSES.value,
        amounts=amounts,
        file_format="array_record",
    )
    builder.download_and_prepare()
    shard_manifest.write(builder.data_dir, {name: split.num_examples for name, split in builder.info.splits.items()})
    print(builder.data_dir)
    return 0


if __name__ == "__main__":
    app.run(main)
