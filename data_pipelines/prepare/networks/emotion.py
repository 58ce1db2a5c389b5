"""What a face expresses, by HSEmotion (Savchenko 2022), which VASA-1 too labels its training data with.

Published as enet_b0_8_best_vgaf.onnx, enet_b0_8_best_afew.onnx, enet_b0_8_va_mtl.onnx (224 px) and enet_b2_8.onnx
(260 px) by github.com/av-savchenko/face-emotion-recognition in models/affectnet_emotions/onnx: input
[batch, 3, side, side], RGB in 0..1 normalised as ImageNet's images; output eight logits in the order of
`schema.EMOTIONS`, followed by valence and arousal in the mtl file (hsemotion_onnx/facial_emotions.py in
github.com/av-savchenko/hsemotion-onnx).
"""

import functools
import os

import numpy as np
from jaxtyping import Float

from data_pipelines import schema
from data_pipelines.prepare.networks import frame_network, onnx_file

WHAT = "enet_b0_8_best_vgaf.onnx, which the HSEmotion project publishes (see docs/networks.md)"
SIDE = 224
_COUNT = len(schema.EMOTIONS)


class EmotionNetwork:
    """Labels "emotion" [t, 8]: the mean of the frames' probabilities, the same in every frame.

    One value for all, as VASA-1 averages them over a clip: speech stretches lips too, and a stretched lip alone is no
    emotion.

    Args:
      path: an ONNX file of HSEmotion with eight emotions.
      every: looks at one frame of so many.
    """

    labels = ("emotion",)

    def __init__(self, path: str | os.PathLike, every: int = 5):
        self._path, self._every = os.fspath(path), every
        self._network = onnx_file.OnnxNetwork(path, WHAT)
        shape = self._network.output_shape
        if shape and len(shape) != 2:
            raise self._network.wrong(f"its output has {len(shape)} axes")
        if shape and shape[-1] not in (_COUNT, _COUNT + 2, None):
            raise self._network.wrong(f"it tells {shape[-1]} classes apart, not {_COUNT}")
        self._side = self._network.input_shape[-1] or SIDE

    def __call__(self, frames: frame_network.Frames, points: Float[np.ndarray, "t k 3"]) -> dict[str, np.ndarray]:
        """See `FrameNetwork`."""
        frame_network.check(frames, points)
        seen = range(0, len(frames), self._every)
        mean = np.mean([self._probabilities(frames[i], points[i]) for i in seen], 0)
        return {"emotion": np.tile(mean.astype(np.float32), (len(frames), 1))}

    def __reduce__(self) -> tuple:
        """Travels to other processes as the name of its file."""
        return functools.partial(EmotionNetwork, every=self._every), (self._path,)

    def _probabilities(self, image: np.ndarray, points: np.ndarray) -> Float[np.ndarray, "8"]:
        face = frame_network.cut_face(image, points, self._side)
        logits = self._network((face / 255.0 - frame_network.IMAGENET_MEAN) / frame_network.IMAGENET_STD)
        if logits.shape not in ((_COUNT,), (_COUNT + 2,)):
            raise self._network.wrong(f"its output has shape {list(logits.shape)}")
        exponentials = np.exp(logits[:_COUNT] - logits[:_COUNT].max())
        return exponentials / exponentials.sum()
