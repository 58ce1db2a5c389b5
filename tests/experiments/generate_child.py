"""Runs vasa-generate on several command lines with stand-in models; command lines in, outcomes out, as JSON.

A process of its own, because flags are global and each command defines its own.
"""

import contextlib
import io
import json
import os
import sys

from absl.testing import flagsaver

from experiments import generate
from experiments.common import app
from tests.inference.stand_ins import StandInMotion, talking_face
from vasa_jax.inference.talking_face import TalkingFace


def outcome(case):
    """Exit code, messages and the files left in the folder."""
    motion = StandInMotion(fail_at=1) if case.get("interrupt") else StandInMotion()
    TalkingFace.load = classmethod(lambda cls, path, speech_model=None: talking_face(motion))
    errors, output = io.StringIO(), io.StringIO()
    with flagsaver.flagsaver(), contextlib.redirect_stderr(errors), contextlib.redirect_stdout(output):
        code = app.call(generate.main, ["vasa-generate", *case["flags"]])
    return {
        "code": code,
        "stderr": errors.getvalue(),
        "stdout": output.getvalue(),
        "left": sorted(os.listdir(case["folder"])),
    }


if __name__ == "__main__":
    json.dump([outcome(case) for case in json.load(sys.stdin)], sys.stdout)
