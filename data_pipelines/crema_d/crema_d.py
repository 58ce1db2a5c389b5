"""CREMA-D: where its videos lie, and the emotions they show.

Layout, that of the repository https://github.com/CheyneyComputerScience/CREMA-D (fetch it with git-lfs):

    FOLDER/VideoFlash/1001_DFA_ANG_XX.flv      480x360 with audio
    FOLDER/AudioWAV/1001_DFA_ANG_XX.wav        the same audio at 16 kHz; not used, the video's own cannot be out of step

The name says actor (1001 ... 1091), sentence, emotion and level: LO, MD, HI, or XX where none was asked for. Relied
upon: that repository, its README for the levels (20, 50 and 80 of 100), its LICENSE.txt.

Licence: Open Database License 1.0, contents Database Contents License 1.0.
"""

import pathlib

from data_pipelines import emotions, layout
from data_pipelines.data_set import DataSet
from data_pipelines.prepare.source import Source

LEVELS = {"LO": 0.2, "MD": 0.5, "HI": 0.8, "XX": 0.5}
"""Of the scale on which the publishers had the clips judged. XX: not asked for, so taken to lie in the middle."""


def _find(folder: pathlib.Path) -> list[Source]:
    sources = []
    for path in layout.videos(folder / "VideoFlash"):
        parts = path.stem.split("_")
        if len(parts) < 4:
            continue
        emotion = emotions.from_label(parts[2])
        # One file ends in a lone X: 1040_ITH_SAD_X.
        intensity = 1.0 if emotion in (None, "neutral") else LEVELS.get(parts[3], LEVELS["XX"])
        sources.append(Source(path, path.stem, parts[0], _split(parts[0]), emotion=emotion, intensity=intensity))
    return sources


def _split(actor: str) -> str:
    """The publishers fix none. 1001, 1011, ... 1091 test, 1007, 1027, ... 1087 validate: 10 and 5 of 91 actors."""
    number = int(actor) if actor.isdigit() else 0
    return "test" if number % 10 == 1 else "validation" if number % 20 == 7 else "train"


DATA_SET = DataSet(
    name="crema_d",
    title="CREMA-D",
    find=_find,
    description=(
        "CREMA-D, actors who speak twelve sentences with six emotions. The emotion coefficients are those asked for: "
        "low, medium, high are 0.2, 0.5, 0.8 of the emotion, the rest neutral. Split by actor: 1001, 1011, ... 1091 "
        "test, 1007, 1027, ... 1087 validation."
    ),
    fetch="Run git lfs clone https://github.com/CheyneyComputerScience/CREMA-D.",
    layout="VideoFlash/1001_DFA_ANG_XX.flv",
    size="91 people, 7,442 clips of 2.5 s, 5 h, 480x360",
    license="Open Database License 1.0 (contents: Database Contents License 1.0)",
    non_commercial=False,
    homepage="https://github.com/CheyneyComputerScience/CREMA-D",
    citation="""\
@article{cao2014cremad,
  author  = {Houwei Cao and David G. Cooper and Michael K. Keutmann and Ruben C. Gur and Ani Nenkova and Ragini Verma},
  title   = {{CREMA-D}: Crowd-Sourced Emotional Multimodal Actors Dataset},
  journal = {IEEE Transactions on Affective Computing},
  volume  = {5}, number = {4}, pages = {377--390}, year = {2014}, doi = {10.1109/TAFFC.2014.2336244},
}""",
)
find_sources = DATA_SET.find_sources
