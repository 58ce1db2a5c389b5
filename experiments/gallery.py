"""Twelve faces talk with your recordings, on one page: `make gallery PORTRAITS=FOLDER AUDIO=speech.wav`.

    python -m experiments.gallery --portraits=FACES --audio=one.wav,two.wav --output=gallery

Writes OUTPUT/NAME.mp4, each signed and with the badge, and OUTPUT/gallery.html, which holds them all and loads nothing.
The portraits are twelve of the folder's, evenly; the recordings come in turn. Of the published sets of photographs
(docs/datasets.md) only those are taken in which nobody is seen who lives.
"""

import html
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from experiments.common import app
from vasa_jax import paths
from vasa_jax.errors import InputError, UsageError

COUNT, MAX_SECONDS = 12, 30  # the page holds all of it
NOT_SHOWN = frozenset({"london_set", "us_congress", "congress_historic"})
"""Sets of people who did not agree to be seen talking."""


def define_flags() -> None:
    """Here and not at import, so that this can be imported beside other commands."""
    flags.DEFINE_string("portraits", None, "Folder of images of faces.")
    flags.DEFINE_list("audio", [], f"Recordings of at most {MAX_SECONDS} s each.")
    flags.DEFINE_string("output", "gallery", "Folder for the videos and gallery.html.")
    flags.DEFINE_string("checkpoint", "bundled", "Folder of a release, 'bundled' or 'bundled-fast'.")
    flags.DEFINE_integer("count", COUNT, "Faces.", lower_bound=1, upper_bound=60)
    flags.DEFINE_integer("seed", 0, "Of the first face; the next one has the next.", lower_bound=0)


def main() -> dict[str, Any]:
    """The gallery with the flags of the command line."""
    wanted = flags.FLAGS
    if not wanted.portraits or not wanted.audio:
        raise UsageError("give --portraits=FOLDER of images and --audio=RECORDING, or several parted by commas")
    portraits = find_portraits(wanted.portraits, wanted.count)
    recordings = [paths.check_file(path, "a recording") for path in wanted.audio]
    folder = Path(wanted.output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--output={folder} cannot be made ({error.strerror}); choose another folder") from None
    return run_gallery(portraits, recordings, folder, wanted.checkpoint, wanted.seed)


def find_portraits(folder: str, count: int) -> list[Path]:
    """At most `count` images of the folder and its sub-folders, evenly.

    Raises:
      InputError: there is none that may be shown.
    """
    from data_pipelines import layout
    from data_pipelines.prepare import sheets

    root = Path(folder)
    found = list(layout.walk_images(root)) if root.is_dir() else []
    shown = [path for path in found if path.parent.name not in NOT_SHOWN]
    if not shown:
        what = "only people who did not agree to be seen talking" if found else "no image in it"
        raise InputError(f"{folder}: {what}; give --portraits a folder of faces that you may show")
    return sheets.evenly(shown, count)


def run_gallery(
    portraits: Sequence[Path],
    recordings: Sequence[Path],
    folder: Path,
    checkpoint: str,
    seed: int = 0,
    face: Any = None,
) -> dict[str, Any]:
    """Writes the videos and the page.

    Args:
      portraits, recordings: who speaks, and what, in turn.
      folder: where all goes.
      checkpoint: whose weights.
      seed: of the first video.
      face: a TalkingFace to use instead of loading the checkpoint.

    Raises:
      InputError: none of the portraits can be animated; one that cannot is named on the page.
      UsageError: a recording is too long.
    """
    from vasa_jax import media
    from vasa_jax.inference.talking_face import TalkingFace

    for path in recordings:
        if media.AudioReader(path).seconds > MAX_SECONDS:
            raise UsageError(f"{path} is longer than {MAX_SECONDS} s; cut it")
    app.compile_cache()
    face = face or TalkingFace.load(checkpoint)
    shown: list[dict[str, Any]] = []
    for k, portrait in enumerate(portraits):
        entry = {"portrait": portrait.name, "recording": recordings[k % len(recordings)].name}
        output = folder / f"{k + 1:02d}_{portrait.stem}.mp4"
        print(f"  {k + 1}/{len(portraits)}  {portrait.name}", flush=True)
        try:
            made = face.animate(portrait, recordings[k % len(recordings)], seed=seed + k).save(output)
            entry |= {"video": str(output), "seconds": made["seconds"], "size": made["size"]}
        except InputError as error:
            entry["failed"] = str(error)
        shown.append(entry)
    if all("failed" in entry for entry in shown):
        raise InputError(f"none of {len(shown)} portraits can be animated; the first: {shown[0]['failed']}")
    page = write_page(folder / "gallery.html", shown, checkpoint)
    print(f"\n  page  {page}  (open it in a browser)")
    return {"command": ["experiments.gallery", *sys.argv[1:]], "page": str(page), "faces": shown} | {
        "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "model_sha256": face.model_hash,
    }


def write_page(path: Path, shown: Sequence[dict[str, Any]], checkpoint: str) -> Path:
    """The page with the videos inside; returns its path."""
    from vasa_jax import files
    from vasa_jax.report import template

    failed = [entry for entry in shown if "failed" in entry]
    items = "".join(f"<li>{html.escape(entry['failed'])}</li>" for entry in failed)
    fields = {
        "figures": "".join(_figure(entry) for entry in shown if "failed" not in entry),
        "failed": f"<h2>Not animated</h2><ul>{items}</ul>" if failed else "",
        "count": len(shown) - len(failed),
        "checkpoint": html.escape(checkpoint),
    }
    with files.replacing(path) as temporary:
        temporary.write_text(template.fill("experiments", "gallery.html", fields), encoding="utf-8")
    return path


def _figure(entry: dict[str, Any]) -> str:
    from vasa_jax.report import timeline

    video = timeline.data_uri(Path(entry["video"]).read_bytes(), "video/mp4")
    names = f"{html.escape(entry['portrait'])}<br>{html.escape(entry['recording'])}"
    return f'<figure><video controls playsinline src="{video}"></video><figcaption>{names}</figcaption></figure>'


def run() -> None:
    """Of `python -m experiments.gallery`."""
    define_flags()
    app.run(main)


if __name__ == "__main__":
    run()
