"""Runs published ONNX files by ONNX Runtime.

Not by OpenCV, which the project needs anyway: its importer (4.13) refuses what PyTorch writes for the networks here, a
`Clip` whose limits are inputs (EfficientNet's padding) and a `Shape` of an axis of any length (MODNet).
"""

import os

import numpy as np
from jaxtyping import Float

from vasa_jax import paths
from vasa_jax.errors import InputError

Shape = tuple[int | None, ...]
_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
_ERRORS_ONLY = 3
_SHOWN = 160  # characters of ONNX Runtime's complaint, which can be long


class OnnxNetwork:
    """A network with one image as its input, run on one at a time: not every file knows another batch.

    Attributes:
      input_shape, output_shape: [b, 3, h, w] and that of the first output; None where any length will do.

    Args:
      path: the ONNX file.
      what: which file to give instead, should this be none.

    Raises:
      InputError: the file is missing, cannot be read or takes no image; or ONNX Runtime is not installed.
    """

    def __init__(self, path: str | os.PathLike, what: str):
        paths.check_file(path, what)
        self.path, self.what = os.fspath(path), what
        try:
            import onnxruntime
        except ImportError as error:
            raise InputError(f"{path} needs the package onnxruntime ({error}); pip install onnxruntime") from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        options.intra_op_num_threads = 1  # a process a core works beside this one; and sums are the same everywhere
        providers = [name for name in _PROVIDERS if name in onnxruntime.get_available_providers()]
        try:
            self._session = onnxruntime.InferenceSession(self.path, options, providers)
        except Exception as error:  # ONNX Runtime has a dozen kinds, without a parent of their own
            raise InputError(f"{path}: not a readable ONNX file ({_brief(error)}): give {what}") from error
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        self.input_shape, self.output_shape = _shape(inputs[0].shape), _shape(outputs[0].shape)
        if len(inputs) != 1 or len(self.input_shape) != 4 or self.input_shape[1] not in (3, None):
            shapes = ", ".join(f"{entry.name} {list(entry.shape)}" for entry in inputs)
            raise self.wrong(f"its inputs are {shapes}, not one image")
        self._name = inputs[0].name

    def wrong(self, why: str) -> InputError:
        """The error for a file that is another network."""
        return InputError(f"{self.path}: not the network that is wanted ({why}): give {self.what}")

    def __call__(self, image: Float[np.ndarray, "h w 3"]) -> np.ndarray:
        """Runs the network on an image, already normalised; returns its first output without the axis of the batch."""
        x = np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32)
        try:
            return np.asarray(self._session.run(None, {self._name: x})[0], np.float32)[0]
        except Exception as error:
            raise self.wrong(f"it does not run on {list(x.shape)}: {_brief(error)}") from error


def _shape(sizes: list) -> Shape:
    return tuple(size if isinstance(size, int) and size > 0 else None for size in sizes)


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:_SHOWN]
