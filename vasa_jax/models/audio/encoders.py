"""What turns speech features into one vector per video frame, trained with the motion model.

Features are log-mel (four steps a frame) or hidden states of a pretrained model (two). Either goes through
convolutions, which see a few frames, or a small transformer, which sees the window.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from vasa_jax.models.transformer import EncoderBlock

KINDS = ("conv", "transformer")


def by_frame(steps: Float[Array, "*b s c"], per_frame: int) -> Float[Array, "*b t d"]:
    """The steps of each video frame side by side."""
    *lead, count, width = steps.shape
    return steps.reshape(*lead, count // per_frame, per_frame * width)


class LayerMix(nn.Module):
    """One feature of several hidden states: a weighted sum, the weights learned (as in ELMo, Peters et al. 2018).

    Each state is brought to zero mean and unit variance first: those of deep layers are larger by far.
    """

    states: int

    @nn.compact
    def __call__(self, features: Float[Array, "b s c"]) -> Float[Array, "b s d"]:
        """Mixes `states` hidden states that lie side by side."""
        states = features.reshape(*features.shape[:-1], self.states, -1)
        states = nn.LayerNorm(use_bias=False, use_scale=False, name="norm")(states)
        weights = nn.softmax(self.param("weights", nn.initializers.zeros, (self.states,)))
        return jnp.einsum("...kd,k->...d", states, weights)


class ConvEncoder(nn.Module):
    """Residual convolutions over video frames; `blocks` of kernel size `kernel` see blocks * (kernel - 1) / 2 frames
    to either side."""

    width: int
    blocks: int = 3
    kernel: int = 5
    dtype: jax.typing.DTypeLike = jnp.float32
    per_frame: int = 4

    @nn.compact
    def __call__(self, steps: Float[Array, "b s c"], valid: Bool[Array, "b t"]) -> Float[Array, "b t d"]:
        """Encodes speech features; frames that are not `valid` are unheard: they read as silence."""
        frames = by_frame(steps, self.per_frame) * valid[..., None].astype(steps.dtype)
        # Silence is all zeros, where the gradient of a norm is 1 / sqrt(epsilon): the bias starts off zero.
        bias = nn.initializers.normal(0.3)
        x = nn.Dense(self.width, dtype=self.dtype, bias_init=bias, name="mel")(frames)
        for i in range(self.blocks):
            y = nn.gelu(nn.LayerNorm(dtype=self.dtype, name=f"norm_{i}")(x))
            x = x + nn.Conv(self.width, (self.kernel,), padding="SAME", dtype=self.dtype, name=f"conv_{i}")(y)
        return nn.LayerNorm(dtype=self.dtype, name="norm")(x)


class TransformerEncoder(nn.Module):
    """A small transformer over the window's frames; rotary positions, so that only distances count."""

    width: int
    blocks: int = 3
    heads: int = 4
    dtype: jax.typing.DTypeLike = jnp.float32
    per_frame: int = 4
    mlp_ratio: float = 2.0

    @nn.compact
    def __call__(self, steps: Float[Array, "b s c"], valid: Bool[Array, "b t"]) -> Float[Array, "b t d"]:
        """Encodes speech features; frames that are not `valid` are unheard: no frame reads them."""
        frames = by_frame(steps, self.per_frame) * valid[..., None].astype(steps.dtype)
        bias = nn.initializers.normal(0.3)  # as in ConvEncoder
        x = nn.Dense(self.width, dtype=self.dtype, bias_init=bias, name="frame")(frames)
        position = np.arange(frames.shape[1])
        for i in range(self.blocks):
            x = EncoderBlock(self.heads, self.mlp_ratio, self.dtype, name=f"block_{i}")(x, valid, position)
        return nn.LayerNorm(dtype=self.dtype, name="norm")(x)


class MixedEncoder(nn.Module):
    """An encoder behind the mix of hidden states that it learns."""

    states: int
    encoder: nn.Module

    @nn.compact
    def __call__(self, steps: Float[Array, "b s c"], valid: Bool[Array, "b t"]) -> Float[Array, "b t d"]:
        return self.encoder(LayerMix(self.states, name="mix")(steps), valid)
