"""Rigged twins: clips of one face each, made by another rigged head in another pose in every frame, with exact labels.

For what must not depend on who is seen and how the head is turned. Splits share no head, neither with each other nor
with those of rigged_heads.
"""

import dataclasses
import os
from collections.abc import Iterator
from typing import Any, ClassVar

import tensorflow_datasets as tfds

from data_pipelines import schema
from data_pipelines.rigged_heads import generate, readers, twins
from data_pipelines.rigged_heads import rigged_heads_dataset_builder as heads
from data_pipelines.synthetic.generate import in_order


@dataclasses.dataclass
class RiggedTwinsConfig(heads.RiggedHeadsConfig):
    """clips: of each group of heads; frames: heads in a group."""

    clips: int = 30
    frames: int = 8


class Builder(heads.Builder):
    """Rigged twins; arguments are those of the builder of rigged heads."""

    name = "rigged_twins"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "First release."}
    BUILDER_CONFIGS: ClassVar[list[RiggedTwinsConfig]] = [
        RiggedTwinsConfig(name=name, resolution=resolution, description=f"for models of {resolution} px")
        for name, resolution in schema.RESOLUTIONS.items()
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        return self._described(__doc__)

    def tasks(self, folder: str | os.PathLike) -> dict[str, list[Any]]:
        """The groups of each split; heads that are left over after groups of full size make a smaller one."""
        config, out = self.amounts(), {}
        size, photographs = schema.stored_size(config.resolution), readers.find_photographs(self._photographs)
        for number, (split, paths) in enumerate(generate.splits(folder).items()):
            groups = [tuple(paths[k : k + config.frames]) for k in range(0, len(paths), config.frames)]
            out[split] = [
                twins.Group(group, 1000 * number + k, config.clips, size, photographs)
                for k, group in enumerate(groups)
                if len(group) > 1
            ]
        return out

    def _generate_examples(self, tasks: list[Any]) -> Iterator[tuple[str, dict]]:
        for examples in in_order(twins.make_group, tasks, self._processes):
            for example in examples:
                yield example["clip_id"], example
