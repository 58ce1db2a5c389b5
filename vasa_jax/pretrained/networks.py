"""The published networks of the losses, opened from the user's files (config.features); without a file, our own.

    networks = open_networks({"vgg19": "vgg19-dcbb9e9d.pth", "vggface": "", "gaze": "", "arcface": "backbone.pth"})

`RANDOM` instead of a path gives the network random weights: the right size and cost, to plan a run without its files.
A release, or one of `weights.SHIPPED`, for "vggface" takes the dynamics encoder in it (`released`).
They are pytrees and go into a compiled step as an argument (`Task.networks`); all four together are 0.4 GB.
"""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from vasa_jax import paths, torch_file, weights
from vasa_jax.errors import InputError, UsageError
from vasa_jax.losses.perceptual import OWN, FeatureNetwork
from vasa_jax.pretrained import iresnet, released, resnet, vgg
from vasa_jax.torch_file import State

RANDOM = "random"
FACE_SIDE = 224
"""Of the aligned faces for VGGFace and the gaze network, in pixels."""

WHAT = {
    "vgg19": "vgg19-dcbb9e9d.pth, which torchvision publishes",
    "vggface": "vgg_face_dag.pth, the VGG-16 of Deep Face Recognition converted for PyTorch",
    "gaze": "L2CSNet_gaze360.pkl, which the L2CS-Net project publishes",
    "arcface": "backbone.pth of insightface's arcface_torch (r18 to r100)",
}


@flax.struct.dataclass(eq=False)
class IdentityNetwork:
    """A frozen network that tells people apart.

    Attributes:
      apply: (params, aligned face [b, 112, 112, 3] in 0..1) -> code [b, d].
    """

    apply: Callable[[Any, Array], Array] = flax.struct.field(pytree_node=False)
    params: Any = flax.struct.field(repr=False)

    def __call__(self, face: Float[Array, "b 112 112 3"]) -> Float[Array, "b d"]:
        return self.apply(self.params, face)


@flax.struct.dataclass(eq=False)
class LossNetworks:
    """What each loss compares images by.

    Attributes:
      image: of whole images (VGG19).
      face: of aligned faces (VGGFace).
      gaze: of eyes (L2CS-Net).
      identity: of people (ArcFace); None: the model's own identity encoder.
    """

    image: FeatureNetwork = OWN
    face: FeatureNetwork = OWN
    gaze: FeatureNetwork = OWN
    identity: IdentityNetwork | None = None


def open_networks(files: Mapping[str, str], dtype: str = "float32") -> LossNetworks:
    """Opens what is named.

    Args:
      files: "vgg19", "vggface", "gaze", "arcface" -> path, `RANDOM`, a release, or "" for our own.
      dtype: that the maps are computed in. Their differences are summed in float32, and identity codes, of which
        cosines near 1 are told apart, are float32 throughout.

    Raises:
      InputError: a file is missing or is another network.
      UsageError: there is no network of that name.
    """
    if unknown := sorted(set(files) - set(WHAT)):
        raise UsageError(f"config.features names {', '.join(unknown)}; it knows {', '.join(WHAT)}")
    opened = {name: _OPEN[name](path) for name, path in files.items() if path}
    for name, network in opened.items():
        if isinstance(network, FeatureNetwork):
            opened[name] = network.replace(apply=_in_dtype(network.apply, dtype))
    fields = {"vgg19": "image", "vggface": "face", "gaze": "gaze", "arcface": "identity"}
    chosen: dict[str, Any] = {fields[name]: network for name, network in opened.items()}
    return LossNetworks(**chosen)


def _in_dtype(apply: Callable[[Any, Array], list[Array]], dtype: str) -> Callable[[Any, Array], list[Array]]:
    return lambda params, image: apply(params, jnp.asarray(image, dtype))


def _params(name: str, path: str, random: Callable[[], State], convert: Callable[[State], Any]) -> Any:
    # In the host's memory: what compiles a step lays them out over its devices.
    return jax.tree.map(np.asarray, _read_params(name, path, random, convert))


def _read_params(name: str, path: str, random: Callable[[], State], convert: Callable[[State], Any]) -> Any:
    if path == RANDOM:
        return convert(random())
    paths.check_file(path, WHAT[name])
    state = {key.removeprefix("module."): value for key, value in torch_file.read_tensors(path).items()}
    try:
        return convert(state)
    except KeyError as error:
        raise InputError(f"{path}: another network ({error.args[0]} is missing): give {WHAT[name]}") from error
    except ValueError as error:
        raise InputError(f"{path}: another network ({error}): give {WHAT[name]}") from error


def _vgg19(path: str) -> FeatureNetwork:
    names = vgg.torchvision_names("vgg19")
    params = _params("vgg19", path, lambda: vgg.random_state(names), lambda state: vgg.from_torch(state, names))
    maps = functools.partial(vgg.maps, mean=vgg.IMAGENET_MEAN, std=vgg.IMAGENET_STD)
    return FeatureNetwork("vgg19", maps, weights=(0.2,) * 5, scales=4, params=params)


def _vggface(path: str) -> FeatureNetwork:
    if path in weights.SHIPPED or Path(path).is_dir():
        return released.dynamics_maps(path)
    names = vgg.face_names()
    params = _params("vggface", path, lambda: vgg.random_state(names), lambda state: vgg.from_torch(state, names))
    maps = functools.partial(vgg.maps, mean=vgg.FACE_MEAN, std=vgg.FACE_STD)
    shares = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
    return FeatureNetwork("vggface", maps, weights=shares, scales=2, side=FACE_SIDE, params=params)


def _gaze(path: str) -> FeatureNetwork:
    params = _params("gaze", path, resnet.random_state, resnet.from_torch)

    def maps(params: Any, face: Array) -> list[Array]:
        mean, std = (jnp.asarray([[[x]]], face.dtype) for x in (vgg.IMAGENET_MEAN, vgg.IMAGENET_STD))
        return resnet.maps(params, (face - mean) / std)

    return FeatureNetwork("gaze", maps, weights=(0.25,) * 4, side=FACE_SIDE, params=params)


def _arcface(path: str) -> IdentityNetwork:
    return IdentityNetwork(iresnet.code, _params("arcface", path, iresnet.random_state, iresnet.from_torch))


_OPEN = {"vgg19": _vgg19, "vggface": _vggface, "gaze": _gaze, "arcface": _arcface}
