"""Published networks that label frames better than landmarks can: gaze (L2CS-Net), emotion (HSEmotion), matte (MODNet).

All are optional and none is shipped or fetched: the user names files, `docs/networks.md` says where they are published.
Without a file the labels are those of `data_pipelines.prepare.labels`, and there is no matte.
"""

import os

from data_pipelines.prepare.networks.emotion import EmotionNetwork
from data_pipelines.prepare.networks.frame_network import FrameNetwork
from data_pipelines.prepare.networks.gaze import GazeNetwork
from data_pipelines.prepare.networks.label_crops import CROP_SIZE, label_crops
from data_pipelines.prepare.networks.matte import MatteNetwork

__all__ = [
    "CROP_SIZE",
    "EmotionNetwork",
    "FrameNetwork",
    "GazeNetwork",
    "MatteNetwork",
    "label_crops",
    "open_networks",
]

PathLike = str | os.PathLike


def open_networks(
    *, gaze: PathLike | None = None, emotion: PathLike | None = None, matte: PathLike | None = None
) -> list[FrameNetwork]:
    """Opens the networks whose files are given, and checks that each file is what it should be.

    Args:
      gaze: L2CSNet_gaze360.pkl.
      emotion: enet_b0_8_best_vgaf.onnx or another of HSEmotion's with eight emotions.
      matte: modnet_photographic_portrait_matting.onnx.

    Raises:
      InputError: a file is missing or is not that network; the message says which file to get.
    """
    given = ((GazeNetwork, gaze), (EmotionNetwork, emotion), (MatteNetwork, matte))
    return [network(path) for network, path in given if path]
