"""The TFDS builder that all data sets of real video share: from sources to ArrayRecord shards.

A data set's own folder says which files belong to it (`data_pipelines.data_set.DataSet`); what is made of a file is up
to `produce`, usually `data_pipelines.prepare.process` or what that left on disk. The builder stores what comes out, and
writes beside the shards:

    manifest.json    counts of the splits, bytes and SHA-256 of every shard
    sources.jsonl    bytes and SHA-256 of every file the clips were made of
    quality.json     {"kept": [clip ids], "dropped": [{"clip", "reason"}]}
"""

import dataclasses
import io
import itertools
import json
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import tensorflow_datasets as tfds
from PIL import Image

from data_pipelines import emotions, schema
from data_pipelines.data_set import DataSet
from data_pipelines.prepare import shard_manifest
from data_pipelines.prepare.source import Processed, Source
from data_pipelines.stable_writer import StableWriter
from vasa_jax import files
from vasa_jax.errors import InputError

SOURCES = "sources.jsonl"
QUALITY = "quality.json"
_SPLIT_ORDER = ("train", "validation", "test")


@dataclasses.dataclass
class VideoConfig(tfds.core.BuilderConfig):
    """Size of the stored images, for a model of `resolution`."""

    resolution: int = 128


class VideoBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Clips of a `DataSet`: faces cropped, 25 fps and 16 kHz, with labels per frame (`data_pipelines.schema`).

    Args:
      produce: source -> its clips; needed to build, not to read.
      sources: what to build from, instead of all that the data set finds in TFDS's manual folder.
      **kwargs: those of every TFDS builder.

    Attributes:
      quality: {"kept": clip ids, "dropped": [{"clip", "reason"}]} after building.
    """

    DATA_SET: ClassVar[DataSet]
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "First release."}
    BUILDER_CONFIGS: ClassVar[list[VideoConfig]] = [
        VideoConfig(name=name, resolution=resolution, description=f"for models of {resolution} px")
        for name, resolution in schema.RESOLUTIONS.items()
    ]

    def __init_subclass__(cls, **kwargs: Any):
        cls.name = cls.DATA_SET.name
        cls.MANUAL_DOWNLOAD_INSTRUCTIONS = cls.DATA_SET.instructions
        super().__init_subclass__(**kwargs)

    def __init__(
        self,
        *,
        produce: Callable[[Source], Processed] | None = None,
        sources: Sequence[Source] | None = None,
        **kwargs: Any,
    ):
        self._produce, self._sources = produce, sources
        self._files: dict[pathlib.Path, dict[str, Any]] = {}
        self.quality: dict[str, list] = {"kept": [], "dropped": []}
        kwargs.setdefault("file_format", "array_record")
        super().__init__(**kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        data_set = self.DATA_SET
        return tfds.core.DatasetInfo(
            builder=self,
            description=f"{data_set.description} {data_set.size}.",
            features=schema.features(),
            homepage=data_set.homepage,
            citation=data_set.citation,
            license=data_set.license,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        """One generator a split that holds a clip: TFDS cannot write a split without."""
        if self._produce is None:
            raise InputError(f"{self.name}: nothing to make clips with; build it with vasa-prepare --name={self.name}")
        sources = self._sources if self._sources is not None else self.DATA_SET.find_sources(dl_manager.manual_dir)
        splits: dict[str, Iterator] = {}
        for split in sorted({s.split for s in sources}, key=_place):
            examples = self._generate_examples([s for s in sources if s.split == split])
            first = next(examples, None)
            if first is not None:
                splits[split] = itertools.chain([first], examples)
        if not splits:
            reason = self.quality["dropped"][0]["reason"] if sources else "there are no videos"
            raise InputError(f"{self.name}: none of {len(sources)} videos is of use; the first: {reason}")
        return splits

    def _generate_examples(self, sources: Sequence[Source]) -> Iterator[tuple[str, dict[str, Any]]]:
        for source in sources:
            processed = self._produce(source)
            self._note_files(source)
            self.quality["dropped"] += [{"clip": d.clip, "reason": d.reason} for d in processed.dropped]
            if not processed.examples and not processed.dropped:
                self.quality["dropped"].append({"clip": source.name, "reason": f"{source.path}: no clip came of it"})
            for example in processed.examples:
                self._check_size(example)
                self.quality["kept"].append(example["clip_id"])
                yield example["clip_id"], emotions.labelled(example, source.emotion, source.intensity)

    def _example_writer(self) -> tfds.core.ExampleWriter:
        return StableWriter(self.info.file_format)

    def _check_size(self, example: dict[str, Any]) -> None:
        wanted = schema.stored_size(self.builder_config.resolution)
        found = Image.open(io.BytesIO(example["frames"][0])).size
        if found != (wanted, wanted):
            raise ValueError(f"{example['clip_id']}: images of {found}; {self.builder_config.name} holds {wanted} px")

    def _note_files(self, source: Source) -> None:
        for path in filter(None, (source.path, source.audio, *source.further)):
            if path not in self._files:
                self._files[path] = _describe(path)

    def _download_and_prepare(self, dl_manager: tfds.download.DownloadManager, download_config: Any) -> None:
        """Writes the shards, then what is known of them into the same folder, before TFDS moves it to its place."""
        super()._download_and_prepare(dl_manager=dl_manager, download_config=download_config)
        folder = pathlib.Path(self.data_dir)
        shard_manifest.write(folder, {name: split.num_examples for name, split in self.info.splits.items()})
        _write_sources(folder / SOURCES, self._files, download_config.manual_dir)
        files.write_json(folder / QUALITY, {name: sorted(entries, key=str) for name, entries in self.quality.items()})


def _describe(path: pathlib.Path) -> dict[str, Any]:
    try:
        size = path.stat().st_size
        if not path.is_file():  # reading a pipe would wait for ever
            return {"error": "Not a file"}
        return {"bytes": size, "sha256": files.sha256(path)}
    except OSError as error:
        return {"error": error.strerror}


def _place(split: str) -> tuple[int, str]:
    return _SPLIT_ORDER.index(split) if split in _SPLIT_ORDER else len(_SPLIT_ORDER), split


def _write_sources(
    path: pathlib.Path, found: dict[pathlib.Path, dict[str, Any]], root: str | os.PathLike | None
) -> None:
    """One line of JSON a file, by name below the data set's folder (or the one that holds all): it may lie anywhere."""
    names = {os.path.abspath(file): entry for file, entry in found.items()}
    if root is None or not os.path.isdir(root):
        root = os.path.commonpath([os.path.dirname(name) for name in names])
    with files.replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as stream:
        for name in sorted(names):
            stream.write(json.dumps({"file": os.path.relpath(name, root), **names[name]}) + "\n")
