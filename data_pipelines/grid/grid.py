"""TFDS builder of the GRID corpus.

GRID: 34 people, 1,000 sentences each of the form "bin blue at f two now", 3 s of 25 fps video, by M. Cooke, J. Barker,
S. Cunningham and X. Shao (2006). Licence: CC BY 4.0; who uses the data, or weights trained on it, must name them.

The corpus is not downloaded: the user gives a folder ``SPEAKER/SENTENCE.mpg`` (or mp4, and other endings of
video), with or without the ``.align`` word times beside them.
"""

import dataclasses
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import tensorflow_datasets as tfds

from data_pipelines import schema
from data_pipelines.prepare import example as example_lib
from data_pipelines.prepare import tracking
from vasa_jax.errors import InputError

UNSEEN_SPEAKERS = frozenset({"s5", "s32"})
"""Never trained on: the split "unseen"."""
VIDEO_ENDINGS = (".mpg", ".mpeg", ".mp4", ".mov", ".mkv", ".avi", ".webm")
_TEST_EVERY, _TEST_AT = 8, 3
_CITATION = """\
@article{cooke2006grid,
  author  = {Martin Cooke and Jon Barker and Stuart Cunningham and Xu Shao},
  title   = {An audio-visual corpus for speech perception and automatic speech recognition},
  journal = {The Journal of the Acoustical Society of America},
  volume  = {120}, number = {5}, pages = {2421--2424}, year = {2006}, doi = {10.1121/1.2229005},
}"""


@dataclasses.dataclass(frozen=True)
class Source:
    """One video of the corpus."""

    path: pathlib.Path
    speaker: str
    sentence: str
    split: str

    @property
    def clip_id(self) -> str:
        """Unique name, for instance s1_bbaf2n."""
        return f"{self.speaker}_{self.sentence}"


def find_sources(folder: str | os.PathLike) -> list[Source]:
    """All videos ``folder/SPEAKER/SENTENCE.ext``, sorted, each with its split.

    Speakers s5 and s32 are "unseen". Of every other speaker each eighth sentence by name is "test", the rest "train".

    Raises:
      InputError: no such folder, or no video in it.
    """
    root = pathlib.Path(folder)
    if not root.is_dir():
        raise InputError(f"{folder}: no such folder; give --input a folder SPEAKER/SENTENCE.mpg")
    sources = []
    for speaker in sorted(p for p in root.iterdir() if p.is_dir()):
        by_sentence = {p.stem: p for p in sorted(speaker.iterdir()) if p.suffix.lower() in VIDEO_ENDINGS}
        for index, (sentence, path) in enumerate(sorted(by_sentence.items())):
            split = "test" if index % _TEST_EVERY == _TEST_AT else "train"
            split = "unseen" if speaker.name in UNSEEN_SPEAKERS else split
            sources.append(Source(path, speaker.name, sentence, split))
    if not sources:
        raise InputError(f"{folder}: no video in its sub-folders; it must hold SPEAKER/SENTENCE.mpg (or mp4)")
    return sources


@dataclasses.dataclass
class GridConfig(tfds.core.BuilderConfig):
    """Size of the stored pictures, for a model of `resolution`."""

    resolution: int = 128


class Grid(tfds.core.GeneratorBasedBuilder):
    """GRID cropped to the face, 25 fps and 16 kHz, with labels per frame (`data_pipelines.schema`).

    Args:
      tracker: finds the faces; needed to build, not to read.
      unusable: {"clip", "reason"} of clips to leave out.

    Attributes:
      quality: {"kept": clip ids, "dropped": [{"clip", "reason"}]} after building.
      **kwargs: those of every TFDS builder.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "First release."}
    BUILDER_CONFIGS: ClassVar[list[GridConfig]] = [
        GridConfig(name=name, resolution=resolution, description=f"for models of {resolution} px")
        for name, resolution in schema.RESOLUTIONS.items()
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "A folder SPEAKER/SENTENCE.mpg of the GRID corpus (https://zenodo.org/records/3625687)."
    )

    def __init__(
        self,
        *,
        tracker: tracking.FaceTracker | None = None,
        unusable: Sequence[Mapping[str, str]] = (),
        **kwargs: Any,
    ):
        self._tracker = tracker
        self._unusable = frozenset(entry["clip"] for entry in unusable)
        self.quality: dict[str, list] = {"kept": [], "dropped": list(unusable)}
        super().__init__(**kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=__doc__,
            features=schema.features(),
            homepage="https://spandh.dcs.shef.ac.uk/gridcorpus/",
            citation=_CITATION,
            license="CC BY 4.0",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        sources = [s for s in find_sources(dl_manager.manual_dir) if s.clip_id not in self._unusable]
        splits = [name for name in ("train", "test", "unseen") if any(s.split == name for s in sources)]
        return {name: self._generate_examples([s for s in sources if s.split == name]) for name in splits}

    def _generate_examples(self, sources: list[Source]) -> Iterator[tuple[str, dict]]:
        if self._tracker is None:
            raise InputError("no face tracker; give --face_model or --landmarks")
        size = schema.stored_size(self.builder_config.resolution)
        for source in sources:
            try:
                example = example_lib.make_example(source.path, source.clip_id, source.speaker, self._tracker, size)
            except InputError as error:
                self.quality["dropped"].append({"clip": source.clip_id, "reason": str(error)})
                continue
            self.quality["kept"].append(source.clip_id)
            yield source.clip_id, example
