"""VGG-19 and VGG-16 (Simonyan and Zisserman 2015) up to relu5_1, whose first maps per size the feature losses compare.

Two published files are read:
* `vgg19-dcbb9e9d.pth` of torchvision, trained on ImageNet: convolutions are `features.N`, images are normalised by
  ImageNet's mean and deviation;
* `vgg_face_dag.pth`, the VGG-16 of "Deep Face Recognition" (Parkhi et al. 2015) as converted for PyTorch by Albanie,
  which face-vid2vid and MegaPortraits train with: convolutions are `convI_J`, images are 0..255 less a mean.
What comes after relu5_1, classifier included, is not needed and not read.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from vasa_jax.pretrained.layers import Convolution, convolve, max_pool, plain
from vasa_jax.torch_file import State

WIDTHS = (64, 128, 256, 512, 512)
DEPTHS = {"vgg16": (2, 2, 3, 3, 1), "vgg19": (2, 2, 4, 4, 1)}  # convolutions in each block, the last cut after one
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FACE_MEAN, FACE_STD = tuple(x / 255 for x in (129.186279296875, 104.76238250732422, 93.59396362304688)), (1 / 255,) * 3


def torchvision_names(kind: str) -> list[list[str]]:
    """Names of the convolutions per block in torchvision's files: pooling and ReLU count as well."""
    names, place = [], 0
    for depth in DEPTHS[kind]:
        names.append([f"features.{place + 2 * i}" for i in range(depth)])
        place += 2 * depth + 1
    return names


def face_names() -> list[list[str]]:
    """Names of the convolutions per block in vgg_face_dag.pth."""
    return [[f"conv{block}_{i + 1}" for i in range(depth)] for block, depth in enumerate(DEPTHS["vgg16"], 1)]


def from_torch(state: State, names: list[list[str]]) -> list[list[Convolution]]:
    """Parameters for `maps`.

    Raises:
      KeyError: a name is missing.
      ValueError: a convolution has another shape than VGG's.
    """
    inputs = 3
    for block, width in zip(names, WIDTHS, strict=True):
        for name in block:
            if state[f"{name}.weight"].shape != (width, inputs, 3, 3):
                raise ValueError(f"{name} has the shape {state[f'{name}.weight'].shape}")
            inputs = width
    return [[plain(state, name) for name in block] for block in names]


def maps(
    params: list[list[Convolution]], image: Float[Array, "b h w 3"], mean: tuple[float, ...], std: tuple[float, ...]
) -> list[Array]:
    """relu1_1, relu2_1, ..., relu5_1 of an image in 0..1: full size to a 16th."""
    x, out = (image - jnp.asarray([[[mean]]], image.dtype)) / jnp.asarray([[[std]]], image.dtype), []
    for number, block in enumerate(params):
        if number:
            x = max_pool(x, 2, 2)
        for i, convolution in enumerate(block):
            x = jax.nn.relu(convolve(x, convolution))
            if not i:
                out.append(x)
    return out


def random_state(names: list[list[str]], seed: int = 0) -> State:
    """Random weights in the layout of a file, to plan a run or to test without it (He et al. 2015)."""
    rng, state, inputs = np.random.default_rng(seed), {}, 3
    for block, width in zip(names, WIDTHS, strict=True):
        for name in block:
            kernel = rng.normal(size=(width, inputs, 3, 3)) * np.sqrt(2 / (9 * inputs))
            state[f"{name}.weight"] = kernel.astype(np.float32)
            state[f"{name}.bias"] = np.zeros(width, np.float32)
            inputs = width
    return state
