"""CelebV-HQ: where its videos lie, and what its list says of them.

Only a list is published; the videos are fetched from YouTube. Layout, that of the publishers' download script:

    FOLDER/celebvhq_info.json                          for each clip: ytb_id, duration, bbox, attributes
    FOLDER/downloaded_celebvhq/raw/YTB_ID.mp4          the whole video
    FOLDER/downloaded_celebvhq/processed/CLIP.mp4      the clip, cut and cropped; used where the whole one is not there

(raw/ and processed/ may also lie in FOLDER itself.) Relied upon: README.md, download_and_process.py of
https://github.com/CelebV-HQ/CelebV-HQ. Boxes are shares of the image; emotions are given for the whole clip or for
parts of it, and only those of a whole clip are used. Appearance and action labels have no field in our clips.

Terms: non-commercial research only.
"""

import json
import logging
import pathlib
from typing import Any

from data_pipelines import emotions, layout
from data_pipelines.data_set import DataSet
from data_pipelines.prepare.source import Source
from vasa_jax.errors import InputError

LIST = "celebvhq_info.json"


def _find(folder: pathlib.Path) -> list[Source]:
    """The clips of the list whose video is there; how many are not is logged."""
    clips = _read(folder / LIST)
    here = folder / "downloaded_celebvhq" if (folder / "downloaded_celebvhq").is_dir() else folder
    raw, processed = ({path.stem: path for path in layout.videos(here / name)} for name in ("raw", "processed"))
    sources = []
    for name, clip in sorted(clips.items()):
        try:
            sources += _source(name, clip, raw, processed)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{folder / LIST}: clip {name} cannot be read ({error!r}); fetch the list again") from None
    if len(sources) < len(clips):
        logging.warning("%s: %d of %d clips are not here", folder, len(clips) - len(sources), len(clips))
    return sources


def _read(path: pathlib.Path) -> dict[str, Any]:
    if not path.is_file():
        raise DATA_SET.missing(path.parent, f"no {LIST}")
    try:
        return json.loads(path.read_text(encoding="utf-8"))["clips"]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{path}: not the list of clips of CelebV-HQ; fetch it again") from None


def _source(
    name: str, clip: dict[str, Any], raw: dict[str, pathlib.Path], processed: dict[str, pathlib.Path]
) -> list[Source]:
    """The clip, cut from the whole video if that is there; [] if it is not there at all."""
    video = clip["ytb_id"]
    said: dict[str, Any] = {
        "name": layout.safe_name(name),
        "speaker": video,
        "split": layout.split_of(video),
        "emotion": _emotion(clip.get("attributes", {}).get("emotion", {})),
    }
    if video in raw:
        start, end = float(clip["duration"]["start_sec"]), float(clip["duration"]["end_sec"])
        box = tuple(float(clip["bbox"][side]) for side in ("left", "top", "right", "bottom"))
        return [Source(raw[video], start=start, end=end, box=box, **said)]
    return [Source(processed[name], **said)] if name in processed else []


def _emotion(said: dict[str, Any]) -> str | None:
    """The one emotion of the whole clip, if it has one."""
    labels = said.get("labels")
    if isinstance(labels, str) and not said.get("sep_flag"):
        return emotions.from_label(labels)
    return None


DATA_SET = DataSet(
    name="celebv_hq",
    title="CelebV-HQ",
    find=_find,
    description=(
        "CelebV-HQ, clips of celebrities. Who they are is not published, so the speaker is the video, and the splits "
        "(about 90 % train, 5 % validation, 5 % test) share no video; a person of several videos may be in two."
    ),
    fetch=(
        "Fetch celebvhq_info.json from https://github.com/CelebV-HQ/CelebV-HQ and run its download_and_process.py "
        "(needs yt-dlp)."
    ),
    layout="celebvhq_info.json and downloaded_celebvhq/raw/YTB_ID.mp4 (or downloaded_celebvhq/processed/CLIP.mp4)",
    size="15,653 people, 35,666 clips of 3 to 20 s, 68 h, at least 512x512; some videos have left YouTube",
    license="non-commercial research only (agreement of CelebV-HQ); the videos stay their makers' own",
    non_commercial=True,
    homepage="https://celebv-hq.github.io/",
    citation="""\
@inproceedings{zhu2022celebvhq,
  author    = {Hao Zhu and Wayne Wu and Wentao Zhu and Liming Jiang and Siwei Tang and Li Zhang and Ziwei Liu and
               Chen Change Loy},
  title     = {{CelebV-HQ}: A Large-Scale Video Facial Attributes Dataset},
  booktitle = {ECCV}, year = {2022},
}""",
)
find_sources = DATA_SET.find_sources
