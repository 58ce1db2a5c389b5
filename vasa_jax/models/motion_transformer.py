"""H of VASA-1 (section 3.3): the transformer encoder that turns noisy motion and conditions into clean motion.

Layout A, the paper's: every condition is a token in one sequence,
``[t][gaze][distance][emotion][audio (K + W)][motion (K + W)]``; the audio and the motion token of a frame share
their position. Layout B adds the audio (and the time) to the motion token of its frame,
``[t][gaze][distance][emotion][motion + audio (K + W)]``: half the tokens, and synchrony is given, not learned. What is
told, here gaze, distance and emotion, is declared in `vasa_jax.conditions`.

Positions are learned vectors added to the tokens of a frame, or rotary: attention then knows distances alone. The
leading tokens stand outside of time; rotary attention leaves them unturned.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Self, cast

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from vasa_jax import conditions as table
from vasa_jax.diffusion.guidance import Drop
from vasa_jax.models.audio import encoders, front_end
from vasa_jax.models.layers import REMAT
from vasa_jax.models.transformer import EncoderBlock


@dataclasses.dataclass(frozen=True)
class MotionConfig:
    """Size of the motion model. `motion_dim` is 7 (pose) + the width of the dynamics code.

    `conditions`: what the model is told, names of `vasa_jax.conditions`; kept in the order of that table.
    `neutral_is_rest`: the model sees as neutral what the other emotions leave (`fill_neutral`), whatever it is given.
    Without it, it sees what is given.
    `per_frame`: they are also told to each frame, which the paper does not do; without it a track
    counts by its mean over the window.
    `speech`: the front end (`audio.front_end`): "mel", four steps a frame of `bands`, or two features a frame of a
    pretrained model, "hubert", "wavlm" or "wav2vec2" (which takes all three), with `speech_layers` layers of
    `speech_width`: hidden state `speech_layer`, or a learned mix of all (-1).
    `audio_encoder` makes a vector per frame of it: "conv" or "transformer", of `audio_blocks` blocks.
    `remat`: what the backward pass computes again in every layer (`layers.REMAT`); "" keeps all.
    """

    motion_dim: int
    width: int = 512
    depth: int = 8
    heads: int = 8
    mlp_ratio: float = 4.0
    layout: str = "A"
    positions: str = "learned"
    window: int = 50
    context: int = 10
    lookahead: int = 0
    bands: int = 40
    audio_blocks: int = 3
    audio_kernel: int = 5
    diffusion_steps: int = 1000
    dtype: str = "float32"
    neutral_is_rest: bool = False
    per_frame: bool = False
    speech: str = "mel"
    speech_width: int = 768
    speech_layers: int = 12
    speech_layer: int = -1
    audio_encoder: str = "conv"
    remat: str = ""
    conditions: Sequence[str] = table.PAPER

    def __post_init__(self) -> None:
        ordered = tuple(condition.name for condition in table.told(self.conditions))
        object.__setattr__(self, "conditions", ordered)  # lists of a release's JSON become tuples, too
        if self.layout not in ("A", "B"):
            raise ValueError(f"layout is A or B, not {self.layout!r}")
        if self.positions not in ("learned", "rotary"):
            raise ValueError(f"positions are learned or rotary, not {self.positions!r}")
        front_end.form_of(self)
        if self.audio_encoder not in encoders.KINDS:
            raise ValueError(f"audio_encoder is {' or '.join(encoders.KINDS)}, not {self.audio_encoder!r}")
        if not -1 <= self.speech_layer <= self.speech_layers:
            raise ValueError(f"speech_layer is 0 to {self.speech_layers}, or -1 for all, not {self.speech_layer}")
        if self.remat and self.remat not in REMAT:
            raise ValueError(f"remat is {' or '.join(REMAT)}, or left out, not {self.remat!r}")
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of {self.heads} heads")
        rotary = self.positions == "rotary" or self.audio_encoder == "transformer"
        if rotary and self.width // self.heads % 2:
            raise ValueError(f"rotary positions turn pairs: {self.width // self.heads} channels a head are odd")
        if not 0 <= self.lookahead <= self.window - self.context:
            raise ValueError("lookahead must leave at least as many frames of a window as the context needs")

    @classmethod
    def create(cls, mapping: Mapping[str, Any] | Self) -> Self:
        """From a config's mapping; a name that the model does not know is an error."""
        return mapping if isinstance(mapping, cls) else cls(**dict(cast(Mapping[str, Any], mapping)))

    @property
    def frames(self) -> int:
        """Frames the network sees: context and window."""
        return self.context + self.window

    @property
    def told(self) -> tuple[table.Condition, ...]:
        """What the model is told."""
        return table.told(self.conditions)

    @property
    def guided(self) -> tuple[str, ...]:
        """Names of all conditions that may be null, in the order of the learned nulls."""
        return table.of_model(self.conditions)

    @property
    def speech_states(self) -> int:
        """Hidden states side by side in a speech feature; 0 where it is log-mel."""
        return front_end.form_of(self).states

    @property
    def speech_shape(self) -> tuple[int, int]:
        """Speech features of context and window: how many, and of what width."""
        form = front_end.form_of(self)
        return form.per_frame * self.frames, form.width


class MotionConditions(flax.struct.PyTreeNode):
    """C of the paper. Motion is standardised; `audio` holds the speech features of context and window, or what
    `encode_audio` made of them; `audio_mask` says which frames are heard, `valid` which exist. `told` has what the
    model is told by name, [b, width] for the window or [b, t, width] for each frame of context and window; single
    numbers, as the distance, without the last axis. Arrays on a device, or in memory until a
    program takes them; [r, ...] are those of r sessions that a mapped program takes."""

    audio: Float[Array | np.ndarray, "*r b s c"]
    audio_mask: Bool[Array | np.ndarray, "*r b t"]
    previous: Float[Array | np.ndarray, "*r b k m"]
    told: dict[str, Float[Array | np.ndarray, "..."]]
    valid: Bool[Array | np.ndarray, "*r b t"]

    def tell(self, **told: Float[Array | np.ndarray, "b *t"]) -> Self:
        """The same with other values told."""
        return self.replace(told={**self.told, **told})


def nothing_asked(config: MotionConfig, rows: int = 1) -> MotionConditions:
    """Conditions of zeros, all frames of which exist and are heard; `audio` is empty, to be replaced."""
    every = np.ones((rows, config.frames), bool)
    return MotionConditions(
        audio=np.zeros((rows, 0, 0), np.float32),
        audio_mask=every,
        previous=np.zeros((rows, config.context, config.motion_dim), np.float32),
        told={condition.name: np.zeros((rows, *condition.shape), np.float32) for condition in config.told},
        valid=every,
    )


def _sinusoids(timestep: Float[Array, "b"], width: int) -> Float[Array, "b d"]:
    rates = np.exp(np.linspace(0.0, -np.log(10_000.0), width // 2)).astype(np.float32)
    phases = timestep[:, None] * rates[None]
    return jnp.concatenate([jnp.sin(phases), jnp.cos(phases)], -1)


def _audio_encoder(c: MotionConfig, dtype: jnp.dtype) -> nn.Module:
    per_frame = c.speech_shape[0] // c.frames
    if c.audio_encoder == "conv":
        encoder = encoders.ConvEncoder(c.width, c.audio_blocks, c.audio_kernel, dtype, per_frame)
    else:
        encoder = encoders.TransformerEncoder(c.width, c.audio_blocks, c.heads, dtype, per_frame)
    return encoders.MixedEncoder(c.speech_states, encoder) if c.speech_states > 1 else encoder


class MotionTransformer(nn.Module):
    """Predicts the clean motion X_0 of the W current frames."""

    config: MotionConfig

    def setup(self) -> None:
        c, dtype = self.config, jnp.dtype(self.config.dtype)

        def learned(name: str, *shape: int) -> Array:
            return self.param(name, nn.initializers.normal(0.02), (*shape, c.width))

        self.audio_encoder = _audio_encoder(c, dtype)
        self.time_in, self.time_out = nn.Dense(c.width, dtype=dtype), nn.Dense(c.width, dtype=dtype)
        self.motion_in = nn.Dense(c.width, dtype=dtype)
        self.audio_in = nn.Dense(c.width, dtype=dtype)
        for condition in c.told:
            setattr(self, f"{condition.name}_in", nn.Dense(c.width, dtype=dtype))
        if c.positions == "learned":
            self.position = learned("position", c.frames)
        if c.per_frame:  # from zero: a model that learned without tracks goes on as it was
            self.track_in = nn.Dense(c.width, dtype=dtype, kernel_init=nn.initializers.zeros)
        self.types = learned("types", 1 + len(c.told) + 3)  # time, what is told, audio, previous motion, motion
        self.null = learned("null", len(c.guided))
        self.blocks = [EncoderBlock(c.heads, c.mlp_ratio, dtype, c.remat) for _ in range(c.depth)]
        self.norm = nn.LayerNorm(dtype=dtype)
        self.motion_out = nn.Dense(c.motion_dim, kernel_init=nn.initializers.normal(0.02))

    def encode_audio(
        self, steps: Float[Array | np.ndarray, "b s c"], valid: Bool[Array | np.ndarray, "b t"]
    ) -> Float[Array, "b t d"]:
        """One vector per frame; once per window, since it depends neither on the noise nor on the time."""
        return self.audio_in(self.audio_encoder(steps, valid))

    def __call__(
        self, noisy: Float[Array, "b w m"], timestep: Int[Array, "b"], conditions: MotionConditions, drop: Drop
    ) -> Float[Array, "b w m"]:
        """X_0 from X_t and C with the speech features in `conditions.audio` (training)."""
        audio = self.encode_audio(conditions.audio, conditions.audio_mask)
        return self.denoise(noisy, timestep, conditions.replace(audio=audio), drop)

    def denoise(
        self, noisy: Float[Array, "b w m"], timestep: Int[Array, "b"], conditions: MotionConditions, drop: Drop
    ) -> Float[Array, "b w m"]:
        """X_0 from X_t and C with encoded audio (sampling).

        Args:
          noisy: standardised motion of the window at `time`.
          time: 0..diffusion_steps-1.
          conditions: see MotionConditions.
          drop: condition name -> rows in which its learned null takes its place; a missing name is never dropped.
            Dropping "previous" also silences the audio of the previous frames.
        """
        c = self.config
        dropped = {name: drop.get(name, jnp.zeros(noisy.shape[0], bool)) for name in c.guided}
        steps = timestep.astype(jnp.float32) * (1000.0 / c.diffusion_steps)
        instant = self.time_out(nn.silu(self.time_in(_sinusoids(steps, c.width))))
        audio, motion = self._frame_tokens(noisy, conditions, dropped)
        scalars = self._scalar_tokens(instant, conditions, dropped)
        always = jnp.ones(scalars.shape[:2], bool)
        if c.layout == "A":
            tokens, masks = [scalars, audio, motion], [always, conditions.valid, conditions.valid]
        else:
            speaking = motion + audio + instant[:, None].astype(jnp.float32)
            tokens, masks = [scalars, speaking], [always, conditions.valid]
        x, there = jnp.concatenate(tokens, 1), jnp.concatenate(masks, 1)
        position = None
        if c.positions == "rotary":
            position = np.concatenate([np.zeros(scalars.shape[1]), *[np.arange(c.frames)] * (len(tokens) - 1)])
        for block in self.blocks:
            x = block(x, there, position)
        return self.motion_out(self.norm(x[:, -c.window :]).astype(jnp.float32))

    def _null(self, name: str) -> Float[Array, "d"]:
        return self.null[self.config.guided.index(name)]

    def _frame_tokens(
        self, noisy: Float[Array, "b w m"], conditions: MotionConditions, dropped: Drop
    ) -> tuple[Float[Array, "b t d"], Float[Array, "b t d"]]:
        """Audio and motion tokens of context and window, with positions and types."""
        c = self.config
        before = (np.arange(c.frames) < c.context)[None]
        kinds = self.types[:, None, None]
        heard = conditions.audio_mask & ~dropped["audio"][:, None] & ~(dropped["previous"][:, None] & before)
        audio = jnp.where(heard[..., None], conditions.audio.astype(jnp.float32), self._null("audio"))
        continued = self.motion_in(conditions.previous).astype(jnp.float32)
        previous = jnp.where(dropped["previous"][:, None, None], self._null("previous"), continued)
        # The context is clean and the window noisy: their own types tell them apart.
        motion = jnp.concatenate([previous + kinds[-2], self.motion_in(noisy).astype(jnp.float32) + kinds[-1]], 1)
        if c.per_frame:
            motion = motion + self._tracks(conditions, dropped).astype(jnp.float32)
        if c.positions == "rotary":
            return audio + kinds[-3], motion
        # Fixed sinusoids make a frame's audio and motion tokens alike from the first step (layout A finds them by it).
        position = self.position + 0.5 * _sinusoids(jnp.arange(c.frames, dtype=jnp.float32), c.width)
        return audio + kinds[-3] + position[None], motion + position[None]

    def _tracks(self, conditions: MotionConditions, dropped: Drop) -> Float[Array, "b t d"]:
        """What is told to each frame, each condition with a flag that says whether it is given."""
        parts = []
        for name, value in self._scaled(conditions).items():
            rows = value if value.ndim == 3 else jnp.repeat(value[:, None], self.config.frames, 1)
            rows = jnp.concatenate([rows, jnp.ones_like(rows[..., :1])], -1)
            parts.append(jnp.where(dropped[name][:, None, None], 0.0, rows))
        return self.track_in(jnp.concatenate(parts, -1))

    def _scaled(self, conditions: MotionConditions) -> dict[str, Float[Array, "b *t c"]]:
        """What is told as the network sees it: of order one, with an axis of values."""
        scaled = {}
        for condition in self.config.told:
            value = jnp.asarray(conditions.told[condition.name])
            value = value if condition.shape else value[..., None]
            if condition.rest and self.config.neutral_is_rest:
                value = fill_rest(value, condition.parts.index(condition.rest))
            scaled[condition.name] = value * condition.gain if condition.gain != 1 else value
        return scaled

    def _scalar_tokens(
        self, instant: Float[Array, "b d"], conditions: MotionConditions, dropped: Drop
    ) -> Float[Array, "b n d"]:
        def given(name: str, value: Float[Array, "b d"]) -> Float[Array, "b d"]:
            return jnp.where(dropped[name][:, None], self._null(name), value.astype(jnp.float32))

        tokens = [instant.astype(jnp.float32)]
        for name, value in self._scaled(conditions).items():
            tokens.append(given(name, getattr(self, f"{name}_in")(self._mean(value, conditions.valid))))
        return jnp.stack(tokens, 1) + self.types[None, : len(tokens)]

    def _mean(self, value: Float[Array, "b *t c"], valid: Bool[Array | np.ndarray, "b t"]) -> Float[Array, "b c"]:
        """A track's mean over the window, the value that the paper's conditions have."""
        if value.ndim == 2:
            return value
        counts = valid[:, self.config.context :, None].astype(value.dtype)
        return (value[:, self.config.context :] * counts).sum(1) / jnp.maximum(counts.sum(1), 1)


def fill_rest(value: Float[Array, "*b n"], at: int) -> Float[Array, "*b n"]:
    """The values with that at `at` as what the others leave of 1, at least 0: no emotion asked for is neutral."""
    others = jnp.asarray(value).at[..., at].set(0.0)
    return others.at[..., at].set(jnp.clip(1.0 - others.sum(-1), 0.0, 1.0))


def init_params(config: MotionConfig, key: jax.Array) -> Any:
    """Fresh parameters."""
    conditions = nothing_asked(config).replace(audio=jnp.zeros((1, *config.speech_shape)))
    noisy = jnp.zeros((1, config.window, config.motion_dim))
    return MotionTransformer(config).init(key, noisy, jnp.zeros(1, jnp.int32), conditions, {})["params"]
