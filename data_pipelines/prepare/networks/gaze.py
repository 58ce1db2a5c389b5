"""Where a person looks, by L2CS-Net (Abdelrahman et al. 2022), which VASA-1 too labels its training data with.

Published as L2CSNet_gaze360.pkl by github.com/Ahmednull/L2CS-Net: the state dictionary of a ResNet-50 with two heads of
90 bins of 4 degrees, from -180. The expectation under the softmax is the angle (l2cs/pipeline.py there).

Its demos call the two outputs pitch and yaw the wrong way round (issue 32 there). The names of the heads are right: the
first one, `fc_yaw_gaze`, learned the first number of Gaze360's labels, which is the horizontal angle, and it is the one
that others saw change its sign in mirrored images (pull request 472 of github.com/LibreYOLO/libreyolo). The signs are
those of the arrow that the demo draws, (-sin yaw cos pitch, -sin pitch) in x right, y down (l2cs/vis.py): yaw + is the
image's left, pitch + is up. Zero looks at the camera.
"""

import functools
import os

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8
from PIL import Image
from scipy.spatial.transform import Rotation

from data_pipelines import schema
from data_pipelines.prepare.networks import frame_network
from vasa_jax import landmarks, paths, torch_file
from vasa_jax.errors import InputError
from vasa_jax.pretrained import resnet

WHAT = "L2CSNet_gaze360.pkl, which the L2CS-Net project publishes (see docs/networks.md)"
BINS, BIN_DEGREES, FIRST_DEGREES = 90, 4.0, -180.0
_HEADS = ("fc_yaw_gaze", "fc_pitch_gaze")
_DETECTED, _SIDE = 224, 448  # faces were stored at the one size and enlarged to the other


def expected_angles(logits: Float[Array, "*b 90"]) -> Float[Array, "*b"]:
    """The expectation of an angle in radians, from the logits of its bins."""
    degrees = FIRST_DEGREES + BIN_DEGREES * jnp.arange(BINS, dtype=jnp.float32)
    return jnp.radians(jnp.sum(jax.nn.softmax(logits, -1) * jnp.expand_dims(degrees, range(logits.ndim - 1)), -1))


def schema_gaze(yaw: Float[Array, "*b 90"], pitch: Float[Array, "*b 90"]) -> Float[Array, "*b 2"]:
    """(theta, phi) as in `data_pipelines.schema` from the logits of the network's two heads."""
    return jnp.stack([-expected_angles(yaw), expected_angles(pitch)], -1)


def load(path: str | os.PathLike) -> dict:
    """Reads the published file.

    Returns:
      Parameters for `logits`.

    Raises:
      InputError: the file is missing or is another network.
    """
    paths.check_file(path, WHAT)
    state = {name.removeprefix("module."): value for name, value in torch_file.read_tensors(path).items()}
    try:
        params = {"resnet": resnet.from_torch(state)}
        for head in _HEADS:
            weight, bias = state[f"{head}.weight"], state[f"{head}.bias"]
            params[head] = (jnp.asarray(weight.T, jnp.float32), jnp.asarray(bias, jnp.float32))
    except KeyError as error:
        raise InputError(f"{path}: not the gaze network ({error.args[0]} is missing): give {WHAT}") from error
    for head in _HEADS:
        if params[head][0].shape[1] != BINS:
            raise InputError(f"{path}: {head} has {params[head][0].shape[1]} bins, not {BINS}: give {WHAT}")
    return params


def logits(params: dict, images: Float[Array, "b h w 3"]) -> tuple[Float[Array, "b 90"], Float[Array, "b 90"]]:
    """Logits of yaw and of pitch, for faces normalised as ImageNet's images."""
    features = resnet.features(params["resnet"], images)
    yaw, pitch = (features @ weight + bias[None] for weight, bias in (params[head] for head in _HEADS))
    return yaw, pitch


@jax.jit
def _label(params: dict, faces: UInt8[Array, "b h w 3"]) -> Float[Array, "b 2"]:
    mean, std = (x[None, None, None] for x in (frame_network.IMAGENET_MEAN, frame_network.IMAGENET_STD))
    return schema_gaze(*logits(params, (faces.astype(jnp.float32) / 255.0 - mean) / std))


class GazeNetwork:
    """Labels "gaze" and "eyes" [t, 2]: the network's gaze, and what is left of it when the head's rotation is undone.

    Args:
      path: L2CSNet_gaze360.pkl.
      batch: faces at a time, 60 MB each.
    """

    labels = ("gaze", "eyes")

    def __init__(self, path: str | os.PathLike, batch: int = 4):
        self._path, self._batch = os.fspath(path), batch
        self._params = load(path)

    def __call__(self, frames: frame_network.Frames, points: Float[np.ndarray, "t k 3"]) -> dict[str, np.ndarray]:
        """See `FrameNetwork`."""
        frame_network.check(frames, points)
        gaze = []
        for start in range(0, len(frames), self._batch):
            # The last batch repeats its last face, so that one shape is compiled.
            places = np.minimum(np.arange(start, start + self._batch), len(frames) - 1)
            faces = np.stack([_face(frames[i], points[i]) for i in places])
            gaze.append(np.asarray(_label(self._params, faces)))
        gaze = np.concatenate(gaze)[: len(frames)]
        return {"gaze": gaze, "eyes": relative_to_head(gaze, points)}

    def __reduce__(self) -> tuple:
        """Travels to other processes as the name of its file."""
        return functools.partial(GazeNetwork, batch=self._batch), (self._path,)


def relative_to_head(gaze: Float[np.ndarray, "t 2"], points: Float[np.ndarray, "t k 3"]) -> Float[np.ndarray, "t 2"]:
    """Gaze in the frame of the head whose points these are, in whatever unit."""
    rotation = Rotation.from_euler("xyz", landmarks.fit_pose(points)[:, :3]).as_matrix()
    directions = np.einsum("tji,tj->ti", rotation, schema.gaze_direction(gaze))
    return schema.gaze_angles(directions).astype(np.float32)


def _face(image: np.ndarray, points: np.ndarray) -> UInt8[np.ndarray, "448 448 3"]:
    face = Image.fromarray(frame_network.cut_face(image, points, _DETECTED))
    return np.asarray(face.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR))
