"""vasa-generate's contract: exit codes, one line a mistake, the report, and nothing half-written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from tests.test_images import png_header
from tests.test_media import write_video
from vasa_jax import media
from vasa_jax.provenance.verify import verify

ROOT = Path(__file__).resolve().parents[2]


def run(cases, keys):
    """Outcomes of several command lines, in one child process."""
    environment = os.environ | {
        "VASA_KEYS": str(keys),
        "PYTHONPATH": str(ROOT),
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "",
    }
    command = [sys.executable, "-m", "tests.experiments.generate_child"]
    done = subprocess.run(command, input=json.dumps(cases), capture_output=True, text=True, env=environment, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Good and bad files, by name."""
    from data_pipelines.synthetic.clip import make_clip

    folder = tmp_path_factory.mktemp("inputs")
    Image.fromarray(make_clip(4, 4, 1, 160)["frames"][0]).save(folder / "face.png")
    Image.fromarray(np.full((100, 100, 3), 90, np.uint8)).save(folder / "wall.png")
    Image.new("CMYK", (100, 100), (90, 90, 90, 0)).save(folder / "inks.jpg")
    png_header(folder / "dot.png", 1, 1)
    png_header(folder / "bomb.png", 20_000, 20_000)
    rng = np.random.default_rng(0)
    soundfile.write(folder / "speech.wav", rng.uniform(-0.3, 0.3, 24_000), 16_000)
    soundfile.write(folder / "blip.wav", np.zeros(160), 16_000)
    noise = rng.uniform(-0.3, 0.3, 8_000).astype(np.float32)
    noise[100:200] = np.nan
    soundfile.write(folder / "nan.wav", noise, 16_000, subtype="FLOAT")
    (folder / "text.wav").write_text("hello " * 50)
    (folder / "empty").touch()
    write_video(folder / "mute.mp4", [np.zeros((64, 64, 3), np.uint8)] * 5)
    return folder


BAD = [
    # flags beside the good ones, exit code, words of the message
    ({"portrait": "wall.png"}, 3, "no face was found"),
    ({"portrait": "inks.jpg"}, 3, "face_model (CMYK without"),  # with what else is known of it
    ({"portrait": "empty"}, 3, "is empty"),
    ({"portrait": "dot.png"}, 3, "too small"),
    ({"portrait": "bomb.png"}, 3, "too large"),
    ({"portrait": "text.wav"}, 3, "not a readable image"),
    ({"portrait": "."}, 3, "is a folder"),
    ({"portrait": "missing.png"}, 3, "does not exist"),
    ({"audio": "text.wav"}, 3, "not a readable audio"),
    ({"audio": "empty"}, 3, "is empty"),
    ({"audio": "mute.mp4"}, 3, "no audio"),
    ({"audio": "blip.wav"}, 3, "minimum is 0.2 s"),
    ({"audio": "."}, 3, "is a folder"),
    ({"output": "missing/o.mp4"}, 3, "does not exist"),
    ({"output": "/dev/null/o.mp4"}, 3, "does not exist"),
    ({"output": "o.avi"}, 2, "must end in .mp4"),
    ({"audio": None}, 2, "--audio needed"),
    ({"gaze": "left"}, 2, "theta,phi"),
    ({"emotion": "hapiness:0.6"}, 2, "did you mean happiness"),
    ({"distance": "99"}, 2, "from -5 to 5"),
    ({"steps": "0"}, 2, "from 1 to 1000"),
    ({"sampler": "euler"}, 2, "ddpm, ddim"),
    ({"cfg_emotion": "-1"}, 2, "from 0 to 20"),
    ({"track": "missing.csv"}, 3, "does not exist"),
    ({"track": "text.wav"}, 3, "first column"),
    ({"hop": "0"}, 2, "at least 1"),
    ({"steps": "many"}, 2, "steps"),
    ({"pose_from": "speech.wav"}, 3, "no image"),
    ({"pose_from": "mute.mp4"}, 3, "no face was found"),
    ({"pose_from": "circles"}, 3, "does not exist"),
    ({"dynamics_from": "text.wav"}, 3, "not a readable"),
    ({"face_model": "empty"}, 3, "is empty"),
    ({"c2pa_cert": "speech.wav"}, 2, "belong together"),
    ({"sead": "1"}, 2, "sead"),
]


def flags(inputs, folder, **changes):
    """A good command line with changes; None removes a flag."""
    given = {"portrait": "face.png", "audio": "speech.wav", "output": "o.mp4", **changes}
    places = {"output": folder} | dict.fromkeys(
        ("portrait", "audio", "pose_from", "dynamics_from", "face_model", "track", "c2pa_cert"), inputs
    )
    return [f"--{k}={places[k] / v if k in places else v}" for k, v in given.items() if v is not None]


def test_bad_input_is_one_line_and_leaves_nothing(inputs, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    cases = [{"flags": flags(inputs, folder, **changes), "folder": str(folder)} for changes, *_ in BAD]
    for (changes, code, words), result in zip(BAD, run(cases, tmp_path / "keys")):
        lines = result["stderr"].strip().splitlines()
        assert result["code"] == code, (changes, result)
        assert words in lines[-1] and "Traceback" not in result["stderr"], (changes, result)
        assert len(lines) == 1 or changes == {"distance": "99"}, (changes, lines)
        assert result["left"] == [], (changes, result)


def test_good_input(inputs, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    report = tmp_path / "report.json"
    good = flags(inputs, folder, report=report, seed="4", emotion="happiness:0.6", gaze="0.1,-0.1", distance="1")
    cases = [
        {"flags": good, "folder": str(folder)},
        {"flags": flags(inputs, folder, audio="nan.wav", output="nan.mp4"), "folder": str(folder)},
        {"flags": [*flags(inputs, folder, output="plain.mp4"), "--nocredentials", "--nobadge"], "folder": str(folder)},
        {"flags": flags(inputs, folder, output="cut.mp4"), "folder": str(folder), "interrupt": True},
        {"flags": flags(inputs, inputs, output="speech.wav.mp4", audio="speech.wav"), "folder": str(folder)},
    ]
    os.symlink(inputs / "face.png", inputs / "speech.wav.mp4")  # the output would overwrite the portrait
    first, second, plain, cut, same = run(cases, tmp_path / "keys")
    assert first["code"] == 0 and first["left"] == ["o.mp4"]
    made = json.loads(report.read_text())
    assert made["frames"] == 38 and made["seed"] == 4 and made["controls"]["emotion"] == {"happiness": 0.6}
    assert len(made["model_hash"]) == 64 and "decode" in made["timings"] and made["face_box"]["half"] > 30
    assert len(list(media.VideoReader(folder / "o.mp4"))) == 38
    verdict = verify(folder / "o.mp4")
    assert verdict.intact and verdict.generation["seed"] == 4
    assert second["code"] == 0 and "100 samples are not numbers" in second["stderr"]
    assert plain["code"] == 0 and "WARNING" in plain["stderr"] and "--consent" in plain["stderr"]
    unsigned = verify(folder / "plain.mp4")
    assert not unsigned.intact and unsigned.watermark.found and unsigned.watermark.key_id == verdict.watermark.key_id
    assert cut["code"] == 130 and cut["left"] == ["nan.mp4", "o.mp4", "plain.mp4"]
    assert same["code"] == 2 and "is also --portrait" in same["stderr"]
