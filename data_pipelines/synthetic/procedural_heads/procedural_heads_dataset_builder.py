"""Procedural talking heads: people who do not exist, speaking words that mean nothing, with exact labels per frame.

Head pose, gaze, lid closure, mouth shape, distance, emotion, identity and phonemes are those that drew the images,
not estimates. Splits share no identity.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import tensorflow_datasets as tfds

from data_pipelines import schema
from data_pipelines.stable_writer import StableWriter
from data_pipelines.synthetic import generate


@dataclasses.dataclass
class ProceduralHeadsConfig(tfds.core.BuilderConfig):
    """resolution: of the model, in pixels. identities, clips (of each) and frames (of each clip): how much of it."""

    resolution: int = 128
    identities: int = 600
    clips: int = 1
    frames: int = 75


class Builder(tfds.core.GeneratorBasedBuilder):
    """Procedural talking heads with the fields of `data_pipelines.schema`.

    Args:
      processes: how many to make them with.
      amounts: identities, clips or frames, instead of the configuration's.
      **kwargs: those of every TFDS builder; `config` may be a ProceduralHeadsConfig of one's own.
    """

    name = "procedural_heads"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "First release."}
    BUILDER_CONFIGS: ClassVar[list[ProceduralHeadsConfig]] = [
        ProceduralHeadsConfig(
            name="tiny_64", description="for models of 64 px", resolution=64, identities=84, frames=60
        ),
        ProceduralHeadsConfig(
            name="small_128", description="for models of 128 px", resolution=128, identities=600, frames=75
        ),
        ProceduralHeadsConfig(
            name="lite_256", description="for models of 256 px", resolution=256, identities=360, frames=12
        ),
    ]

    def __init__(self, *, processes: int = 1, amounts: Mapping[str, int] | None = None, **kwargs: Any):
        self._processes = processes
        self._amounts = dict(amounts or {})
        super().__init__(**kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self, description=__doc__, features=schema.features(), license="Apache-2.0"
        )

    def _example_writer(self) -> tfds.core.ExampleWriter:
        return StableWriter(self.info.file_format)

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        del dl_manager  # nothing to download
        return {split: self._generate_examples(split) for split in generate.SPLITS}

    def _generate_examples(self, split: str) -> Iterator[tuple[str, dict]]:
        config = dataclasses.replace(self.builder_config, **self._amounts)
        size = schema.stored_size(config.resolution)
        identities = [i for i in range(config.identities) if generate.split_of(i) == split]
        tasks = [(seed, identity, config.frames, size) for identity in identities for seed in range(config.clips)]
        for example in generate.examples(tasks, self._processes):
            yield example["clip_id"], example
