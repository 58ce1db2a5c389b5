"""Procedural twins: clips of one face each, made by another person in another pose in every frame, with exact labels.

For what must not depend on who is seen and how the head is turned. Splits share no identity, neither with each other
nor with those of procedural_heads.
"""

import dataclasses
from collections.abc import Iterator
from typing import ClassVar

import tensorflow_datasets as tfds

from data_pipelines import schema
from data_pipelines.synthetic import generate, twins
from data_pipelines.synthetic.procedural_heads import procedural_heads_dataset_builder as heads


@dataclasses.dataclass
class ProceduralTwinsConfig(heads.ProceduralHeadsConfig):
    """identities: how many people in all; clips: of each group of people; frames: people in a group."""

    identities: int = 288
    clips: int = 30
    frames: int = 8


class Builder(heads.Builder):
    """Procedural twins; arguments are those of the builder of procedural heads."""

    name = "procedural_twins"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "First release."}
    BUILDER_CONFIGS: ClassVar[list[ProceduralTwinsConfig]] = [
        ProceduralTwinsConfig(name="tiny_64", description="for models of 64 px", resolution=64),
        ProceduralTwinsConfig(name="small_128", description="for models of 128 px", resolution=128),
        ProceduralTwinsConfig(name="lite_256", description="for models of 256 px", resolution=256),
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self, description=__doc__, features=schema.features(), license="Apache-2.0"
        )

    def groups(self, split: str) -> list[tuple[int, tuple[int, ...], int, int]]:
        """The tasks of `twins.make_group` of a split; the seed of each is its first person."""
        config = dataclasses.replace(self.builder_config, **self._amounts)
        people = [i for i in range(config.identities) if generate.split_of(i) == split]
        groups = [tuple(people[k : k + config.frames]) for k in range(0, len(people), config.frames)]
        size = schema.stored_size(config.resolution)
        return [(group[0], group, config.clips, size) for group in groups if len(group) > 1]

    def _generate_examples(self, split: str) -> Iterator[tuple[str, dict]]:
        for examples in generate.in_order(twins.make_group, self.groups(split), self._processes):
            for example in examples:
                yield example["clip_id"], example
