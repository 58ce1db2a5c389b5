"""A release as ONNX (jax2onnx): encode, one window of motion, decode, one row each, with the weights inside.

Extra `onnx`. Batches stay with StableHLO: jax2onnx 0.17.1 takes no symbolic dimension through `pad`.
"""

import logging
from pathlib import Path
from typing import Any

import jax
from jax.extend.core import jaxpr_as_fun

from vasa_jax import files, weights
from vasa_jax.errors import InputError, UsageError
from vasa_jax.inference import parts


def write(release: weights.Release, folder: str | Path, *, steps: int = 10) -> dict[str, int]:
    """Writes NAME.onnx and config.json.

    Args:
      release: a loaded release; without a motion model the motion step is left out.
      folder: made where it is missing.
      steps: denoising steps of a window.

    Returns:
      Bytes of each file.

    Raises:
      UsageError: jax2onnx is missing; the motion model listens through a pretrained speech model.
      InputError: the model does what jax2onnx cannot write.
    """
    try:
        import jax2onnx  # noqa: F401
    except ImportError:
        raise UsageError("--onnx needs jax2onnx: pip install 'vasa_jax[onnx]'") from None
    made = parts.parts_of(release, 1, steps=steps, flag="--onnx")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in made.items():
        try:
            data = _converted(name, part)
        except NotImplementedError as error:
            raise InputError(f"--onnx: jax2onnx cannot write {name} of {release.directory} ({error})") from error
        with files.replacing(folder / f"{name}.onnx") as temporary:
            temporary.write_bytes(data)
    files.write_json(folder / "config.json", parts.described(release, steps=steps))
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.is_file()}


def names_of(given: dict[str, Any]) -> list[str]:
    """Of the arrays in it, in JAX's order: the innermost keys."""
    return [path[-1].key for path, _ in jax.tree_util.tree_leaves_with_path(given)]


def _converted(name: str, part: parts.Part) -> bytes:
    import onnx_ir
    from jax2onnx import to_onnx
    from onnx_ir.passes.common import RemoveUnusedNodesPass

    shapes, tree = jax.tree.flatten(tuple(part.inputs.values()))

    def function(*leaves: jax.Array) -> Any:
        return part.function(part.params, *jax.tree.unflatten(tree, leaves))

    # Traced here, as jax2onnx puts its own primitives in place of Flax's layers, which no `vmap` goes through.
    traced, out = jax.make_jaxpr(function, return_shape=True)(*shapes)
    inputs = [given for each in part.inputs.items() for given in names_of(dict([each]))]
    outputs = list(part.outputs) or names_of(out)
    run = jaxpr_as_fun(traced)
    level = logging.getLogger("onnx_ir").level
    logging.getLogger("onnx_ir").setLevel(logging.ERROR)  # it warns of shapes of values that nothing uses
    try:
        words = {"model_name": name, "input_names": inputs, "output_names": outputs, "return_mode": "ir"}
        model = to_onnx(lambda *leaves: tuple(run(*leaves)), inputs=shapes, **words)
        return onnx_ir.to_proto(RemoveUnusedNodesPass()(model).model).SerializeToString()
    finally:
        logging.getLogger("onnx_ir").setLevel(level)
