"""wav2vec 2.0 (Baevski et al. 2020) in Flax: the graph of the published weights, in both of its forms.

* base: the first convolution is followed by a norm over time (group norm), and the encoder normalises after each
  addition (post-norm);
* large, XLS-R and their kin: a layer norm after every convolution, and norms before each part (stable layer norm).

HuBERT (Hsu et al. 2021) is the same graph; WavLM (Chen et al. 2022) adds a gated bias for relative position. Files are
read by `vasa_jax.models.audio.speech_files`. Inference only: no dropout, no masking of spans.
"""

import dataclasses
import functools
import math
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

ACTIVATIONS = {
    "gelu": functools.partial(nn.gelu, approximate=False),
    "gelu_new": nn.gelu,
    "relu": nn.relu,
    "silu": nn.silu,
    "swish": nn.silu,
}


@dataclasses.dataclass(frozen=True)
class Wav2Vec2Config:
    """Size and form; the defaults are those of wav2vec2-base.

    Attributes:
      conv_norm: "group" (over time, after the first convolution) or "layer" (after each).
      stable: norms before attention and MLP instead of after them.
      projection_norm: a norm before the projection to `width`; some HuBERTs have none.
      buckets, farthest: of WavLM's relative positions; no buckets, no bias.
      exact_padding: the group norm takes its statistics from heard audio alone, so that padding changes nothing. The
        published code counts padding in, so its features of a short recording depend on the longest in its batch.
    """

    width: int = 768
    layers: int = 12
    heads: int = 12
    mlp_width: int = 3072
    conv_widths: tuple[int, ...] = (512,) * 7
    conv_kernels: tuple[int, ...] = (10, 3, 3, 3, 3, 2, 2)
    conv_strides: tuple[int, ...] = (5, 2, 2, 2, 2, 2, 2)
    conv_bias: bool = False
    conv_norm: str = "group"
    conv_activation: str = "gelu"
    stable: bool = False
    projection_norm: bool = True
    position_kernel: int = 128
    position_groups: int = 16
    activation: str = "gelu"
    epsilon: float = 1e-5
    buckets: int = 0
    farthest: int = 800
    exact_padding: bool = False
    dtype: str = "float32"

    @property
    def hop(self) -> int:
        """Samples from one feature to the next: 320 in all published models."""
        return math.prod(self.conv_strides)

    @property
    def reach(self) -> int:
        """Samples that one feature of the convolutions sees: 400 in all published models."""
        reach, hop = 1, 1
        for kernel, stride in zip(self.conv_kernels, self.conv_strides, strict=True):
            reach, hop = reach + (kernel - 1) * hop, hop * stride
        return reach

    def steps(self, samples: int) -> int:
        """Features of so many samples: 1 s gives 49, one short of 50."""
        return max((samples - self.reach) // self.hop + 1, 0)


def all_heard(heard: Bool[Array, "b n"], kernel: int, stride: int) -> Bool[Array, "b s"]:
    """Where a convolution without padding sees nothing but heard input."""
    return jax.lax.reduce_window(heard, True, jax.lax.bitwise_and, (1, kernel), (1, stride), "VALID")


def distance_buckets(steps: int, buckets: int, farthest: int) -> Int[np.ndarray, "s s"]:
    """Number of the bucket of each (query, key): exact up to a quarter of the buckets, logarithmic beyond, by side."""
    half = buckets // 2
    exact = half // 2
    offset = np.arange(steps)[None, :] - np.arange(steps)[:, None]
    distance = np.abs(offset)
    far = np.log(np.maximum(distance, 1).astype(np.float32) / exact) / np.log(farthest / exact) * (half - exact)
    far = np.minimum(exact + far.astype(np.int64), half - 1)
    return np.where(offset > 0, half, 0) + np.where(distance < exact, distance, far)


class ConvExtractor(nn.Module):
    """Seven convolutions over the waveform, 16 kHz to 50 Hz."""

    config: Wav2Vec2Config

    @nn.compact
    def __call__(
        self, audio: Float[Array, "b n"], heard: Bool[Array, "b n"] | None
    ) -> tuple[Float[Array, "b s c"], Bool[Array, "b s"] | None]:
        """Features, and which of them saw nothing but heard audio."""
        c, dtype = self.config, jnp.dtype(self.config.dtype)
        act, x = ACTIVATIONS[c.conv_activation], audio[..., None]
        for i, (width, kernel, stride) in enumerate(zip(c.conv_widths, c.conv_kernels, c.conv_strides, strict=True)):
            x = nn.Conv(width, kernel, stride, "VALID", use_bias=c.conv_bias, dtype=dtype, name=f"conv_{i}")(x)
            if heard is not None:
                heard = all_heard(heard, kernel, stride)
            if c.conv_norm == "layer":
                x = nn.LayerNorm(1e-5, dtype=dtype, use_fast_variance=False, name=f"norm_{i}")(x)
            elif not i:
                exact = c.exact_padding
                counted = jnp.broadcast_to(heard[..., None], x.shape) if exact and heard is not None else None
                norm = nn.GroupNorm(width, epsilon=1e-5, dtype=dtype, use_fast_variance=False, name="norm_0")
                x = norm(x, mask=counted)
            x = act(x)
        return x, heard


class PositionalConv(nn.Module):
    """Relative position from a wide grouped convolution; its weight norm is folded into the kernel."""

    config: Wav2Vec2Config

    @nn.compact
    def __call__(self, x: Float[Array, "b s d"]) -> Float[Array, "b s d"]:
        c = self.config
        # As PyTorch pads by half the kernel and then drops the last step of an even one.
        padding = [(c.position_kernel // 2, (c.position_kernel - 1) // 2)]
        conv = nn.Conv(
            c.width,
            c.position_kernel,
            padding=padding,
            feature_group_count=c.position_groups,
            dtype=jnp.dtype(c.dtype),
            name="conv",
        )
        return ACTIVATIONS[c.conv_activation](conv(x))


class Attention(nn.Module):
    """Self-attention; with `bias`, WavLM's relative position bias behind a gate that each query opens."""

    config: Wav2Vec2Config

    @nn.compact
    def __call__(
        self, x: Float[Array, "b s d"], mask: Bool[Array, "b 1 1 s"] | None, bias: Float[Array, "n s s"] | None
    ) -> Float[Array, "b s d"]:
        c, dtype = self.config, jnp.dtype(self.config.dtype)
        split = (*x.shape[:2], c.heads, c.width // c.heads)
        query, key, value = (
            nn.Dense(c.width, dtype=dtype, name=name)(x).reshape(split) for name in ("query", "key", "value")
        )
        if bias is not None:
            gates = nn.Dense(8, dtype=jnp.float32, name="gate")(x.reshape(split))
            opened, reset = jnp.moveaxis(nn.sigmoid(gates.reshape(*split[:3], 2, 4).sum(-1)), -1, 0)
            scale = self.param("gate_scale", nn.initializers.ones, (c.heads,))
            gate = opened * (reset * scale[None, None] - 1.0) + 2.0
            bias = (jnp.moveaxis(gate, 2, 1)[..., None] * bias[None]).astype(dtype)
        read = jax.nn.dot_product_attention(query, key, value, bias=bias, mask=mask)
        return nn.Dense(c.width, dtype=dtype, name="out")(read.reshape(x.shape))


class Layer(nn.Module):
    """One layer of the encoder, post-norm or (`stable`) pre-norm."""

    config: Wav2Vec2Config

    @nn.compact
    def __call__(
        self, x: Float[Array, "b s d"], mask: Bool[Array, "b 1 1 s"] | None, bias: Float[Array, "n s s"] | None
    ) -> Float[Array, "b s d"]:
        c, dtype = self.config, jnp.dtype(self.config.dtype)

        def norm(name: str, y: Array) -> Array:
            return nn.LayerNorm(c.epsilon, dtype=dtype, use_fast_variance=False, name=name)(y)

        def mlp(y: Array) -> Array:
            y = ACTIVATIONS[c.activation](nn.Dense(c.mlp_width, dtype=dtype, name="mlp_in")(y))
            return nn.Dense(c.width, dtype=dtype, name="mlp_out")(y)

        attention = Attention(c, name="attention")
        if c.stable:
            x = x + attention(norm("norm_attention", x), mask, bias)
            return x + mlp(norm("norm_mlp", x))
        x = norm("norm_attention", x + attention(x, mask, bias))
        return norm("norm_mlp", x + mlp(x))


class Hidden(NamedTuple):
    """What the encoder makes of audio.

    Attributes:
      states: what enters the first layer and what leaves each, `layers` + 1 in all.
      last: the model's output: the last state, after the final norm of a `stable` model.
    """

    states: list[Float[Array, "b s d"]]
    last: Float[Array, "b s d"]


class Wav2Vec2(nn.Module):
    """Sound to hidden states, 50 a second."""

    config: Wav2Vec2Config

    @nn.compact
    def __call__(self, audio: Float[Array, "b n"], heard: Bool[Array, "b n"] | None = None) -> Hidden:
        """Hidden states of every layer.

        Args:
          audio: 16 kHz, normalised as the model was trained.
          heard: which samples are audio and which are padding, on either side; all of them if not given. A feature
            counts where all the samples it sees are heard; the others mean nothing and are read by none.
        """
        c, dtype = self.config, jnp.dtype(self.config.dtype)
        norm = functools.partial(nn.LayerNorm, c.epsilon, dtype=dtype, use_fast_variance=False)
        x, there = ConvExtractor(c, name="extractor")(audio, heard)
        if c.projection_norm:
            x = norm(name="projection_norm")(x)
        x = nn.Dense(c.width, dtype=dtype, name="projection")(x)
        mask = bias = None
        if there is not None:
            x, mask = jnp.where(there[..., None], x, 0.0), there[:, None, None]
        if c.buckets:
            table = self.param("distances", nn.initializers.normal(0.02), (c.buckets, c.heads))
            bias = jnp.moveaxis(table[distance_buckets(x.shape[1], c.buckets, c.farthest)], -1, 0)
        x, last = x + PositionalConv(c, name="positions")(x), norm(name="norm")
        states = [x if c.stable else last(x)]
        for i in range(c.layers):
            states.append(Layer(c, name=f"layer_{i}")(states[-1], mask, bias))
        return Hidden(states, last(states[-1]) if c.stable else states[-1])
