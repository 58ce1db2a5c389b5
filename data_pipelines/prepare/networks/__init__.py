"""Published networks that label frames better than landmarks can: gaze (L2CS-Net), emotion (HSEmotion), matte (MODNet).

All are optional and none is shipped or fetched: the user names files, `docs/networks.md` says where they are published.
Without a file the labels are those of `data_pipelines.prepare.labels`, and there is no matte. Only the gaze network
(`networks.gaze`) needs JAX, so it is loaded when its file is opened.
"""

from data_pipelines.prepare.networks.emotion import EmotionNetwork
from data_pipelines.prepare.networks.frame_network import FrameNetwork
from data_pipelines.prepare.networks.label_crops import CROP_SIZE, ClipLabels, label_crops
from data_pipelines.prepare.networks.matte import MatteNetwork
from data_pipelines.prepare.networks.network_files import NetworkFiles

__all__ = ["CROP_SIZE", "ClipLabels", "EmotionNetwork", "FrameNetwork", "MatteNetwork", "NetworkFiles", "label_crops"]
