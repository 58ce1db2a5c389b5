"""Rigged heads that talk: 38 people modelled from faces of many origins, with teeth, tongue and eyes that turn.

They say what this project's synthesiser says: visemes with coarticulation, blinks, saccades, eight emotions, nods.
Pose, gaze, lids, mouth, emotion and phonemes are those that drew the images. Splits share no head.
"""

import dataclasses
import os
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import tensorflow_datasets as tfds

from data_pipelines import schema
from data_pipelines.rigged_heads import generate, readers
from data_pipelines.stable_writer import StableWriter
from data_pipelines.synthetic.generate import in_order
from vasa_jax.errors import InputError


@dataclasses.dataclass
class RiggedHeadsConfig(tfds.core.BuilderConfig):
    """resolution: of the model, in pixels. clips (of each head) and frames (of each clip): how much of it."""

    resolution: int = 256
    clips: int = 4
    frames: int = 75


class Builder(tfds.core.GeneratorBasedBuilder):
    """Rigged talking heads with the fields of `data_pipelines.schema`.

    Args:
      heads: folder of the heads (`data_pipelines.rigged_heads.readers`); needed to build, not to read. By default the
        manual folder of TFDS.
      photographs: folder of images without faces that stand behind half of the clips, out of focus.
      processes: how many to make them with.
      amounts: clips or frames, instead of the configuration's.
      **kwargs: those of every TFDS builder.
    """

    name = "rigged_heads"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "First release."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = readers.WHERE
    BUILDER_CONFIGS: ClassVar[list[RiggedHeadsConfig]] = [
        RiggedHeadsConfig(name=name, resolution=resolution, description=f"for models of {resolution} px")
        for name, resolution in schema.RESOLUTIONS.items()
    ]

    def __init__(
        self,
        *,
        heads: str | os.PathLike | None = None,
        photographs: str | os.PathLike | None = None,
        processes: int = 1,
        amounts: Mapping[str, int] | None = None,
        **kwargs: Any,
    ):
        self._heads, self._photographs = heads, photographs
        self._processes, self._amounts = processes, dict(amounts or {})
        super().__init__(**kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        return self._described(__doc__)

    def _described(self, text: str) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=text,
            features=schema.features(),
            homepage="https://github.com/xrtlab/Validated-Avatar-Library-for-Inclusion-and-Diversity---VALID",
            citation="Do, Zelenty, Gonzalez-Franco, McMahan (2023): VALID: a perceptually validated Virtual Avatar"
            " Library for Inclusion and Diversity. Frontiers in Virtual Reality 4, doi 10.3389/frvir.2023.1248915",
            license="MIT, (c) 2022 Tiffany Do (the heads)",
        )

    def _example_writer(self) -> tfds.core.ExampleWriter:
        return StableWriter(self.info.file_format)

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        folder = self._heads if self._heads is not None else dl_manager.manual_dir
        return {split: self._generate_examples(tasks) for split, tasks in self.tasks(folder).items() if tasks}

    def tasks(self, folder: str | os.PathLike) -> dict[str, list[Any]]:
        """What to draw for each split."""
        config = self.amounts()
        amount = config.frames, schema.stored_size(config.resolution), readers.find_photographs(self._photographs)
        return {
            split: [generate.Task(path, seed, *amount) for path in paths for seed in range(config.clips)]
            for split, paths in generate.splits(folder).items()
        }

    def amounts(self) -> RiggedHeadsConfig:
        """The configuration with the amounts asked for."""
        config = dataclasses.replace(self.builder_config, **self._amounts)
        if min(config.clips, config.frames) < 1:
            raise InputError(f"{self.name}: clips={config.clips}, frames={config.frames}; both must be at least 1")
        return config

    def _generate_examples(self, tasks: list[Any]) -> Iterator[tuple[str, dict]]:
        for example in in_order(generate.make_example, tasks, self._processes):
            yield example["clip_id"], example
