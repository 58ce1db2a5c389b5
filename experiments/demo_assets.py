"""Makes the portrait and the recording of `make demo`: `python -m experiments.demo_assets --output=vasa_jax/assets`.

A procedural head that is in none of the standard data sets, and a synthetic voice with a pause in which the mouth has
to close. Both are pure functions of the numbers below; the results are committed.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from experiments.common import app
from vasa_jax import files

IDENTITY = 1052
"""Beyond the numbers of every data set's configuration: nobody has trained on this face."""
SIZE = 512
SHARE = 0.8  # of the size that a head has in the crop: leaves room for hair and shoulders
TEXT = "Hello. I am an image, and you made me talk. ... No one ever had this face."


def portrait(identity: int = IDENTITY) -> np.ndarray:
    """The image, uint8 [512, 512, 3]: soft light from above left, a trace of a smile, a look into the camera."""
    from data_pipelines.synthetic import expression_basis, scene
    from data_pipelines.synthetic.head import FrameState, head

    expression = np.zeros(len(expression_basis.NAMES))
    expression[expression_basis.NAMES.index("smile")] = 0.12
    state = FrameState(expression, np.array([0.0, 0.08, 0.02]), np.zeros(3), 1.0, np.zeros(2), np.zeros(3))
    light = np.array([-0.45, -0.55, -1.0])
    side = np.array([1.0, -0.1, -0.2])
    studio = dataclasses.replace(
        scene.sample_scene(9),
        key_direction=light / np.linalg.norm(light),
        key=0.62 * np.array([1.05, 1.0, 0.96]),
        fill_direction=side / np.linalg.norm(side),
        fill=0.2 * np.array([1.06, 1.0, 0.95]),
        ambient=0.46 * np.array([1.04, 1.0, 0.98]),
        gain=np.ones(3),
        gamma=1.0,
        blur=0.0,
        noise=0.004,
    )
    posed = head(identity, 1024).pose(state)
    posed.points = posed.points * SHARE
    return scene.Renderer(head(identity, 1024), studio, SIZE)(posed)


def speech() -> np.ndarray:
    """The recording, float32 at 16 kHz."""
    from data_pipelines.synthetic import voice

    speaker = voice.Speaker(pitch=172, tract=1.12, breath=0.12, rate=1.1, lively=1.1)
    return voice.synthesise(TEXT, speaker, seed=3).audio


def main() -> dict[str, Any]:
    """Writes both files."""
    import soundfile
    from PIL import Image

    folder = Path(flags.FLAGS.output)
    folder.mkdir(parents=True, exist_ok=True)
    image, audio = folder / "portrait.jpg", folder / "speech.flac"
    with files.replacing(image) as temporary:
        Image.fromarray(portrait()).save(temporary, "JPEG", quality=92, subsampling=0, optimize=True)
    samples = speech()
    with files.replacing(audio) as temporary:
        soundfile.write(temporary, samples, 16_000, format="FLAC", subtype="PCM_16")
    sizes = {path.name: path.stat().st_size for path in (image, audio)}
    print(f"{folder}: {sizes}, {len(samples) / 16_000:.2f} s")
    return {"bytes": sizes, "seconds": len(samples) / 16_000}


def run() -> None:
    """Of `python -m experiments.demo_assets`."""
    flags.DEFINE_string("output", "vasa_jax/assets", "Folder to write to.")
    app.run(main)


if __name__ == "__main__":
    run()
