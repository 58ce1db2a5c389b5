"""What belongs to the person in an image, by MODNet (Ke et al. 2022).

Published as modnet_photographic_portrait_matting.onnx by github.com/ZHKKKe/MODNet, code and models under Apache 2.0:
input [batch, 3, height, width], RGB in -1..1, sides multiples of 32 with the shorter about 512; output
[batch, 1, height, width], 0..1 (onnx/export_onnx.py and onnx/inference_onnx.py there).

Chosen before Robust Video Matting, which is steadier in time, for two reasons: the licence (that one's is GPL 3.0), and
because it looks at every frame by itself, so that a frame's matte does not depend on where its clip was cut.
"""

import os

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from data_pipelines.prepare.networks import frame_network, onnx_file

WHAT = "modnet_photographic_portrait_matting.onnx, which the MODNet project publishes (see docs/networks.md)"
SIDE, MULTIPLE = 512, 32


def network_size(width: int, height: int) -> tuple[int, int]:
    """Width and height at which the network sees an image: the shorter side 512, unless 512 lies between both."""
    resized = max(width, height) < SIDE or min(width, height) > SIDE
    factor = SIDE / min(width, height) if resized else 1.0
    across, down = (max(MULTIPLE, int(side * factor) // MULTIPLE * MULTIPLE) for side in (width, height))
    return across, down


class MatteNetwork:
    """Labels "matte", uint8 [t, h, w]: 255 where only the person is seen, 0 where only what is behind.

    Args:
      path: modnet_photographic_portrait_matting.onnx.
    """

    labels = ("matte",)

    def __init__(self, path: str | os.PathLike):
        self._path = os.fspath(path)
        self._network = onnx_file.OnnxNetwork(path, WHAT)
        shape = self._network.output_shape
        if shape and (len(shape) != 4 or shape[1] not in (1, None)):
            what = f"{shape[1]} channels" if len(shape) == 4 else f"{len(shape)} axes"
            raise self._network.wrong(f"its output has {what}")

    def __call__(self, frames: frame_network.Frames, points: Float[np.ndarray, "t k 3"]) -> dict[str, np.ndarray]:
        """See `FrameNetwork`; where the face is does not matter."""
        frame_network.check(frames, points)
        return {"matte": np.stack([self._one(frame) for frame in frames])}

    def __reduce__(self) -> tuple:
        """Travels to other processes as the name of its file."""
        return MatteNetwork, (self._path,)

    def _one(self, image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w"]:
        height, width = image.shape[:2]
        fixed = self._network.input_shape[:1:-1]
        size = tuple(known or wanted for known, wanted in zip(fixed, network_size(width, height), strict=True))
        seen = _resize(image, size).astype(np.float32) / 127.5 - 1
        alpha = self._network(seen)
        if alpha.shape != (1, size[1], size[0]):
            raise self._network.wrong(f"its output has shape {list(alpha.shape)}")
        return np.round(255 * np.clip(_resize(alpha[0], (width, height)), 0, 1)).astype(np.uint8)


def _resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    shrinks = size[0] < image.shape[1]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
