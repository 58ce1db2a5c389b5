"""Which clips are left out, and the words for it. A reason begins with its kind, which the report counts.

The limits are set so that hardly any true clip is lost; beside each stands what it was measured on.
"""

import dataclasses
import re
from collections.abc import Mapping

SECONDS_TO_JUDGE = 1.0
"""Of shorter clips jitter and audio are not judged: there is too little of them."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a clip must have. Numbers of GRID are over 58 clips of its eight speakers.

    Attributes:
      face_share: of the images must show a face.
      people_share: of the images may show a second one.
      half: pixels; least half side of the crop.
      outside: share of the model's square that may lie beyond the image's edge. GRID 0 but for one speaker's 0.1.
      sharpness: see `measures.sharpness`. GRID 0.33-0.57; blurred by 2 of 128 pixels 0.06-0.12; stored at 80 pixels,
        for models of 64, 0.17-0.27.
      jitter_degrees, jitter_share: see `measures.jitter`. GRID 0.09-0.24 degrees, 0.001-0.002.
      level: dB below full scale that loud parts must reach. GRID -19 to -7.
      level_range: dB between loud and quiet parts. GRID 23-40, six other recordings of speech 15-76, white noise 1.
      sync: how much better another place of the audio may fit, for one second; falls with the root of the length.
        GRID, changes of mouth opening against loudness: at 0.6, of 221 single clips of 3 s 2% are lost and of those
        with the audio moved by 8 frames 24% found; of 24 s of one file together, under 1% and 85%.
    """

    face_share: float = 0.9
    people_share: float = 0.1
    half: float = 24.0
    outside: float = 0.25
    sharpness: float = 0.1
    jitter_degrees: float = 1.5
    jitter_share: float = 0.02
    level: float = -50.0
    level_range: float = 8.0
    sync: float = 0.6


def judge(measured: Mapping[str, float], limits: Limits) -> str | None:
    """Why a clip with these numbers is left out; None if it is kept. Numbers that are missing are not judged.

    Args:
      measured: of `measures`, with "seconds", "face_share", "people_share" (share of images with a second face) and
        "half" (pixels).
      limits: what the clip must have.
    """

    def has(name: str) -> bool:
        return name in measured and (name in _ALWAYS or measured["seconds"] >= SECONDS_TO_JUDGE)

    get, at = measured.get, limits
    checks = (
        (
            has("people_share") and get("people_share") > at.people_share,
            lambda: f"several people: a second face in {get('people_share'):.0%} of the images",
        ),
        (
            has("half") and get("half") < at.half,
            lambda: f"head too small: {2 * get('half'):.0f} pixels wide, less than {2 * at.half:.0f}",
        ),
        (
            has("outside") and get("outside") > at.outside,
            lambda: f"beyond the edge: {get('outside'):.0%} of the crop lies outside of the image",
        ),
        (
            has("sharpness") and get("sharpness") < at.sharpness,
            lambda: f"blurred: sharpness {get('sharpness'):.3f}, less than {at.sharpness:g}",
        ),
        (
            has("jitter_degrees") and get("jitter_degrees") > at.jitter_degrees,
            lambda: f"shaky track: {get('jitter_degrees'):.1f} degrees from image to image",
        ),
        (
            has("jitter_share") and get("jitter_share") > at.jitter_share,
            lambda: f"shaky track: {get('jitter_share'):.1%} of the head's size from image to image",
        ),
        (
            has("level") and get("level") < at.level,
            lambda: f"silence: loud parts reach {get('level'):.0f} dB below full scale".replace("-", ""),
        ),
        (
            has("level_range") and get("level_range") < at.level_range,
            lambda: f"no pauses: loudness keeps within {get('level_range'):.1f} dB, as music and noise do, not speech",
        ),
    )
    return next((reason() for wrong, reason in checks if wrong), None)


_ALWAYS = frozenset({"people_share", "half", "outside", "sharpness"})


def too_far_out_of_step(margin: float, seconds: float, limits: Limits) -> bool:
    """Whether audio that fits elsewhere by that margin (`measures.out_of_step`) over so many seconds is out of sync."""
    return bool(seconds >= 2 and margin > max(0.08, limits.sync / seconds**0.5))


def kind(reason: str) -> str:
    """The kind of a reason: its words before the details."""
    return re.split(r"[:;(]| \d", reason, maxsplit=1)[0].strip()
