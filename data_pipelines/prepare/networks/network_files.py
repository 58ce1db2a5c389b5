"""Which labelling networks to open, in words that can be sent to other processes and compared from run to run."""

import dataclasses
import functools
import os

from data_pipelines.prepare.networks.emotion import EmotionNetwork
from data_pipelines.prepare.networks.frame_network import FrameNetwork
from data_pipelines.prepare.networks.matte import MatteNetwork
from vasa_jax import files, paths


@dataclasses.dataclass(frozen=True)
class NetworkFiles:
    """The networks' files; None: the labels are those of `data_pipelines.prepare.labels`, and there is no matte.

    Attributes:
      gaze: L2CSNet_gaze360.pkl.
      emotion: enet_b0_8_best_vgaf.onnx or another of HSEmotion's with eight emotions.
      matte: modnet_photographic_portrait_matting.onnx.
    """

    gaze: str | None = None
    emotion: str | None = None
    matte: str | None = None

    def open(self) -> list[FrameNetwork]:
        """Opens the networks whose files are given, and checks that each file is what it should be.

        Raises:
          InputError: a file is missing or is not that network; the message says which file to get.
        """
        opened: list[FrameNetwork] = []
        if self.gaze:
            # By default JAX takes most of an accelerator's memory for the first process, and the others find none.
            os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
            from data_pipelines.prepare.networks.gaze import GazeNetwork  # loads JAX, which nothing else here needs

            opened.append(GazeNetwork(self.gaze))
        if self.emotion:
            opened.append(EmotionNetwork(self.emotion))
        if self.matte:
            opened.append(MatteNetwork(self.matte))
        return opened

    def state(self) -> dict[str, dict[str, str]]:
        """Kind -> name and SHA-256 of its file, of those given: with other ones the labels are others."""
        return {kind: {"file": os.path.basename(path), "sha256": _sha256(path)} for kind, path in self._given().items()}

    def _given(self) -> dict[str, str]:
        return {kind: path for kind, path in dataclasses.asdict(self).items() if path}


def _sha256(path: str) -> str:
    paths.check_file(path, "the file that the run began with")
    stat = os.stat(path)
    return _hashed(path, stat.st_size, stat.st_mtime_ns)


@functools.cache
def _hashed(path: str, size: int, modified: int) -> str:
    del size, modified  # of the key: a file that was replaced is read again
    return files.sha256(path)
