"""A release as StableHLO (`jax.export`): encode, one window of motion, decode; weights apart, any batch.

`exported.py`, copied to the folder as load.py, runs it with jax and numpy alone.
"""

import shutil
from pathlib import Path

import jax
from jax import export as jax_export

from vasa_jax import files, weights
from vasa_jax.inference import exported, parts

PLATFORMS = ("cpu", "cuda", "tpu")
_BATCH = jax_export.symbolic_shape("b")[0]


def write(release: weights.Release, folder: str | Path, *, steps: int = 10) -> dict[str, int]:
    """Writes NAME.stablehlo, the weights, config.json and load.py.

    Args:
      release: a loaded release; without a motion model the motion step is left out.
      folder: made where it is missing.
      steps: denoising steps of a window.

    Returns:
      Bytes of each file.

    Raises:
      UsageError: the motion model listens through a pretrained speech model, which is not part of a release.
    """
    made = parts.parts_of(release, _BATCH, steps=steps, flag="--stablehlo")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in made.items():
        _export(folder / f"{name}.stablehlo", part)
    weights.save_params(folder / "face.safetensors", release.face_params)
    if release.motion_params is not None:
        weights.save_params(folder / "motion.safetensors", release.motion_params)
    files.write_json(folder / "config.json", parts.described(release, steps=steps))
    shutil.copyfile(exported.__file__, folder / "load.py")
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.is_file()}


def _export(path: Path, part: parts.Part) -> None:
    exporter = jax_export.export(jax.jit(part.function), platforms=PLATFORMS)
    with files.replacing(path) as temporary:
        temporary.write_bytes(exporter(parts.specs(part.params), *part.inputs.values()).serialize())
