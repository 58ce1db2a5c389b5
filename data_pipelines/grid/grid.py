"""The GRID corpus: where its videos lie, and how they are split.

GRID: 34 people, 1,000 sentences each of the form "bin blue at f two now", 3 s of 25 fps video, by M. Cooke, J. Barker,
S. Cunningham and X. Shao (2006). Licence: CC BY 4.0; who uses the data, or weights trained on it, must name them.

Layout, as unpacked from https://zenodo.org/records/3625687 (s1.zip ... s34.zip): ``SPEAKER/SENTENCE.mpg`` (or mp4, and
other endings of video), with or without the ``.align`` word times beside them.
"""

import pathlib

from data_pipelines import layout
from data_pipelines.data_set import DataSet
from data_pipelines.prepare.source import Source

UNSEEN_SPEAKERS = frozenset({"s5", "s32"})
"""Never trained on: the split "unseen"."""
_HELD_OUT = {3: "validation", 11: "test"}
"""Place of a sentence among each sixteen of its speaker -> its split."""


def _find(folder: pathlib.Path) -> list[Source]:
    """All ``folder/SPEAKER/SENTENCE.ext``.

    Speakers s5 and s32 are "unseen". Of every sixteen sentences by name of the others one is "validation", one "test"
    and the rest "train". Settings are chosen on validation; test asks for new words of people who are known, unseen for
    people who are not.
    """
    sources = []
    for speaker in layout.folders(folder):
        by_sentence = {path.stem: path for path in layout.videos(speaker)}  # a sentence in two formats counts once
        for index, (sentence, path) in enumerate(sorted(by_sentence.items())):
            split = "unseen" if speaker.name in UNSEEN_SPEAKERS else _HELD_OUT.get(index % 16, "train")
            sources.append(Source(path, f"{speaker.name}_{sentence}", speaker.name, split))
    return sources


DATA_SET = DataSet(
    name="grid",
    title="GRID",
    find=_find,
    description=(
        "The GRID audio-visual sentence corpus. Speakers s5 and s32 are the split unseen; of every sixteen sentences "
        "of the others one is validation, one test, the rest train."
    ),
    fetch="Fetch s1.zip ... s34.zip from https://zenodo.org/records/3625687 and unpack them.",
    layout="SPEAKER/SENTENCE.mpg (or mp4), for instance s1/bbaf2n.mpg",
    size="34 people, 34,000 clips of 3 s, 28 h, 360x288",
    license="CC BY 4.0; name Cooke, Barker, Cunningham and Shao 2006",
    non_commercial=False,
    homepage="https://spandh.dcs.shef.ac.uk/gridcorpus/",
    citation="""\
@article{cooke2006grid,
  author  = {Martin Cooke and Jon Barker and Stuart Cunningham and Xu Shao},
  title   = {An audio-visual corpus for speech perception and automatic speech recognition},
  journal = {The Journal of the Acoustical Society of America},
  volume  = {120}, number = {5}, pages = {2421--2424}, year = {2006}, doi = {10.1121/1.2229005},
}""",
)
find_sources = DATA_SET.find_sources
