"""Speech features of a pretrained model: exactly two a video frame, of a whole recording or in pieces as it comes in.

    model = open_speech("wav2vec2-base-960h")                  # all hidden states, for a learned mix
    features = model(audio)                                    # [b, t * 640] at 16 kHz -> [b, 2 t, 13 * 768]
    features = model.in_pieces(audio, Pieces(ahead=5))         # nothing beyond 0.2 s ahead is heard

A feature sees 400 samples and the next starts 320 later, so 2 t features take 80 samples more than t frames have: 40 of
silence on either side, which puts the middle of each feature on the middle of its half of the frame.

wav2vec2 reads its recording in both directions and wants it brought to unit variance as a whole, so it cannot be
streamed as it is. In pieces it is run again for every few frames, over a bounded past and future; mean and variance are
those of what has been heard so far.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from vasa_jax.errors import InputError, UsageError
from vasa_jax.models.audio import speech_files
from vasa_jax.models.audio.protocol import SAMPLES_PER_FRAME, Asks, Form
from vasa_jax.models.audio.wav2vec2 import Hidden, Wav2Vec2, Wav2Vec2Config

PER_FRAME = 2
"""Features a video frame."""
MIX = -1
"""As `layer`: all hidden states side by side."""
RANDOM = "random"
ANY = "wav2vec2"
"""As `config.speech`: any of the kinds, which models of before the others had names of their own say."""
_EPSILON = 1e-7  # of transformers' feature extractor


@dataclasses.dataclass(frozen=True)
class Pieces:
    """How a recording is cut, in video frames: `chunk` are made at a time, with `before` and `ahead` of them heard."""

    chunk: int = 5
    before: int = 38
    ahead: int = 5

    def __post_init__(self) -> None:
        if self.chunk < 1 or self.before < 0 or self.ahead < 0:
            raise UsageError(f"{self}: a piece has at least one frame, and hears no negative number of others")

    @property
    def frames(self) -> int:
        """Heard for each piece."""
        return self.before + self.chunk + self.ahead


def normalised(audio: Float[Array, "b n"], heard: Bool[Array, "b n"] | None = None) -> Float[Array, "b n"]:
    """Each recording at zero mean and unit variance over what is heard of it; silence where nothing is."""
    if heard is None:
        heard = jnp.ones_like(audio, bool)
    count = jnp.maximum(heard.sum(1, keepdims=True), 1).astype(audio.dtype)
    mean = jnp.where(heard, audio, 0.0).sum(1, keepdims=True) / count
    apart = jnp.where(heard, audio - mean, 0.0)
    return apart / jnp.sqrt(jnp.square(apart).sum(1, keepdims=True) / count + _EPSILON)


@flax.struct.dataclass(eq=False)
class SpeechModel:
    """A frozen speech model; a pytree, so that `jax.jit(SpeechModel.__call__)(model, audio)` has no constants in it.

    Attributes:
      config, params: of `Wav2Vec2`.
      normalise: whether it wants audio at zero mean and unit variance.
      layer: the hidden state that is the feature, 0 (before the first layer) to `config.layers` (the output), or `MIX`.
      name: for messages.
      kind: its `model_type`, wav2vec2, hubert or wavlm.
    """

    config: Wav2Vec2Config = flax.struct.field(pytree_node=False)
    params: Mapping[str, Any] = flax.struct.field(repr=False)
    normalise: bool = flax.struct.field(pytree_node=False, default=True)
    layer: int = flax.struct.field(pytree_node=False, default=MIX)
    name: str = flax.struct.field(pytree_node=False, default=RANDOM)
    kind: str = flax.struct.field(pytree_node=False, default=ANY)

    def __post_init__(self) -> None:
        if not MIX <= self.layer <= self.config.layers:
            raise UsageError(f"{self.name} has hidden states 0 to {self.config.layers}, and no {self.layer}; -1: all")
        if self.config.hop * PER_FRAME != SAMPLES_PER_FRAME or self.config.reach <= self.config.hop:
            raise InputError(f"{self.name}: a feature every {self.config.hop} samples; 320 make two a video frame")

    @staticmethod
    def form(config: Asks) -> Form:
        states = config.speech_layers + 1 if config.speech_layer == MIX else 1
        return Form(PER_FRAME, states * config.speech_width, states)

    @classmethod
    def open(cls, config: Asks, path: str, flag: str) -> "SpeechModel":
        if not path:
            raise UsageError(
                f"this motion model listens through {config.speech} of {config.speech_layers} layers of "
                f"{config.speech_width}: give {flag}=FOLDER, as Hugging Face publishes it"
            )
        speech = open_speech(path, config.speech_layer, config.dtype)
        speech.check(config)
        return speech

    def check(self, config: Asks) -> None:
        found = self.config.layers, self.config.width, self.layer, self.kind
        wanted = config.speech_layers, config.speech_width, config.speech_layer, config.speech
        if config.speech == ANY:
            wanted = (*wanted[:-1], self.kind)
        if found != wanted:
            names = ("speech_layers", "speech_width", "speech_layer", "speech")
            said = ", ".join(f"{name} {a}, not {b}" for name, a, b in zip(names, found, wanted, strict=True) if a != b)
            raise InputError(f"{self.name} does not fit the motion model: {said}; give the model it was trained with")

    @property
    def hop(self) -> int:
        """Samples from one feature to the next."""
        return self.config.hop

    @property
    def lookahead(self) -> None:
        """A feature depends on all audio that is given."""

    def features(
        self, audio: Float[Array, "b n"], heard: Bool[Array, "b t"], floor: Float[Array, "b"]
    ) -> tuple[Float[Array, "b s c"], Float[Array, "b"]]:
        """As `protocol.FrontEnd` has it; there is no level."""
        return self(audio, jnp.repeat(heard, SAMPLES_PER_FRAME, axis=1)), floor

    @property
    def states(self) -> int:
        """Hidden states side by side in a feature."""
        return self.config.layers + 1 if self.layer == MIX else 1

    @property
    def width(self) -> int:
        """Numbers in a feature."""
        return self.states * self.config.width

    @property
    def edge(self) -> int:
        """Silence before the first and after the last sample that makes two features a frame."""
        return (self.config.reach - self.config.hop) // 2

    def __call__(self, audio: Float[Array, "b n"], heard: Bool[Array, "b n"] | None = None) -> Float[Array, "b s c"]:
        """Two features for each 640 samples, from whole recordings.

        Args:
          audio: 16 kHz in -1..1, whole frames.
          heard: what is audio and not padding; features of padding mean nothing, and padding changes no other feature.
        """
        x = normalised(audio, heard) if self.normalise else audio
        x = jnp.pad(x, [(0, 0), (self.edge, self.edge)])
        if heard is not None:
            # The silence around a recording is heard with it.
            around = [(0, 0), (2 * self.edge, 2 * self.edge)]
            span = (1, 2 * self.edge + 1)
            heard = jax.lax.reduce_window(jnp.pad(heard, around), False, jax.lax.bitwise_or, span, (1, 1), "VALID")
        return self._chosen(Wav2Vec2(self.config).apply({"params": self.params}, x, heard))

    def _chosen(self, hidden: Hidden) -> Float[Array, "b s c"]:
        states = [*hidden.states[:-1], hidden.last]
        return jnp.concatenate(states if self.layer == MIX else [states[self.layer]], -1).astype(jnp.float32)

    def in_pieces(self, audio: Float[Array, "n"], pieces: Pieces = Pieces()) -> Float[Array, "s c"]:
        """The features that `SpeechStream` would send, of a recording that is there as a whole."""
        frames = audio.shape[0] // SAMPLES_PER_FRAME
        count = -(-frames // pieces.chunk)
        ends = jnp.minimum((jnp.arange(count) + 1) * pieces.chunk + pieces.ahead, frames)
        by_frame, known = audio.reshape(frames, SAMPLES_PER_FRAME), ends.astype(jnp.float32)
        mean, square = (jnp.cumsum(x.mean(1))[ends - 1] / known for x in (by_frame, jnp.square(by_frame)))
        before = pieces.before * SAMPLES_PER_FRAME + self.edge
        after = (count * pieces.chunk - frames + pieces.ahead) * SAMPLES_PER_FRAME + self.edge
        padded = jnp.pad(audio, (before, after))
        length = pieces.frames * SAMPLES_PER_FRAME + 2 * self.edge

        def piece(given: tuple[Array, ...]) -> Float[Array, "s c"]:
            number, end, mean, square = given
            window = jax.lax.dynamic_slice(padded, (number * pieces.chunk * SAMPLES_PER_FRAME,), (length,))
            return self.piece(window, number, end, end == frames, mean, square, pieces)

        found = jax.lax.map(piece, (jnp.arange(count), ends, mean, square))
        return found.reshape(-1, found.shape[-1])[: PER_FRAME * frames]

    def piece(
        self,
        window: Float[Array, "n"],
        number: Int[Array, ""],
        end: Int[Array, ""],
        ended: Bool[Array, ""],
        mean: Float[Array, ""],
        square: Float[Array, ""],
        pieces: Pieces,
    ) -> Float[Array, "s c"]:
        """Features of one piece.

        Args:
          window: its audio with `before` and `ahead`, and `edge` samples on either side.
          number: 0 for the first piece of the recording.
          end: frames of the recording that are known, and `ended`: whether there are no more.
          mean, square: of all known samples and of their squares.
        """
        first = (number * pieces.chunk - pieces.before) * SAMPLES_PER_FRAME - self.edge
        at, known = first + jnp.arange(window.shape[0]), end * SAMPLES_PER_FRAME
        if self.normalise:
            window = (window - mean) / jnp.sqrt(jnp.maximum(square - jnp.square(mean), 0.0) + _EPSILON)
        window = jnp.where((at >= 0) & (at < known), window, 0.0)
        # As in __call__, silence around the recording is heard; what is not known yet is not.
        heard = (at >= -self.edge) & (at < known + jnp.where(ended, self.edge, 0))
        hidden = Wav2Vec2(self.config).apply({"params": self.params}, window[None], heard[None])
        kept = slice(PER_FRAME * pieces.before, PER_FRAME * (pieces.before + pieces.chunk))
        return self._chosen(hidden)[0, kept]


_piece = jax.jit(SpeechModel.piece, static_argnames="pieces")


class SpeechStream:
    """Features of audio as it comes in, `pieces.ahead` frames behind it, in constant memory."""

    def __init__(self, model: SpeechModel, pieces: Pieces = Pieces()) -> None:
        self._model, self._pieces = model, pieces
        # Audio from where the next piece's window begins; what lies before the recording is silence.
        self._kept = np.zeros(pieces.before * SAMPLES_PER_FRAME + model.edge, np.float32)
        self._number = 0
        self._frames, self._sums = 0, np.zeros(2)

    def push(self, samples: Float[np.ndarray, "n"]) -> Float[np.ndarray, "s c"]:
        """Takes audio of any length; gives the features that are ready, perhaps none."""
        self._kept = np.concatenate([self._kept, np.asarray(samples, np.float32)])
        made = []
        # One sample more than a piece hears: then the recording goes on beyond it.
        while len(self._kept) > self._model.edge + self._pieces.frames * SAMPLES_PER_FRAME:
            made.append(self._next((self._number + 1) * self._pieces.chunk + self._pieces.ahead, False))
        return self._joined(made)

    def flush(self) -> Float[np.ndarray, "s c"]:
        """The recording has ended: the features of what is left, its last frame filled up with silence."""
        first = self._number * self._pieces.chunk - self._pieces.before
        frames = first - (self._model.edge - len(self._kept)) // SAMPLES_PER_FRAME
        made = []
        while self._number * self._pieces.chunk < frames:
            end = (self._number + 1) * self._pieces.chunk + self._pieces.ahead
            made.append(self._next(min(end, frames), end >= frames))
        left = PER_FRAME * max(frames - (self._number - len(made)) * self._pieces.chunk, 0)
        return self._joined(made)[:left]

    def _joined(self, made: list[np.ndarray]) -> Float[np.ndarray, "s c"]:
        return np.concatenate([np.zeros((0, self._model.width), np.float32), *made])

    def _next(self, end: int, ended: bool) -> Float[np.ndarray, "s c"]:
        length = self._pieces.frames * SAMPLES_PER_FRAME + 2 * self._model.edge
        window = np.pad(self._kept, (0, max(length - len(self._kept), 0)))[:length]
        self._count(end)
        mean, square = (self._sums / (end * SAMPLES_PER_FRAME)).astype(np.float32)
        made = np.asarray(_piece(self._model, window, self._number, end, ended, mean, square, self._pieces))
        self._kept = self._kept[self._pieces.chunk * SAMPLES_PER_FRAME :]
        self._number += 1
        return made

    def _count(self, end: int) -> None:
        """Adds the frames up to `end` that are new to the running sums."""
        begins = (self._number * self._pieces.chunk - self._pieces.before) * SAMPLES_PER_FRAME - self._model.edge
        new = self._kept[self._frames * SAMPLES_PER_FRAME - begins : end * SAMPLES_PER_FRAME - begins].astype(
            np.float64
        )
        self._sums += new.sum(), np.square(new).sum()
        self._frames = end


def relative_difference(
    found: Float[Array, "s c"], wanted: Float[Array, "s c"], states: int = 1
) -> Float[np.ndarray, "k"]:
    """How far features lie from the wanted ones, for each of the `states` side by side in them.

    Root mean square of the difference over that of what varies in time: 0 is equal, 1.4 is unrelated.
    """
    ours, theirs = (np.asarray(x, np.float64).reshape(len(x), states, -1) for x in (found, wanted))
    varies = theirs - theirs.mean(0)
    return np.sqrt(np.square(ours - theirs).mean((0, 2)) / np.square(varies).mean((0, 2)))


def open_speech(path: str | Path, layer: int = MIX, dtype: str = "float32") -> SpeechModel:
    """Opens a published folder (`speech_files`), or `RANDOM`: wav2vec2-base with random weights, to plan a run.

    Raises:
      InputError: it is none.
      UsageError: it has no such layer.
    """
    if str(path) == RANDOM:
        config, normalise, kind = Wav2Vec2Config(), True, ANY
        params = speech_files.random_params(config)
    else:
        config, params, normalise = speech_files.read_folder(path)
        kind = speech_files.kind_of(path)
    config = dataclasses.replace(config, exact_padding=True, dtype=dtype)
    return SpeechModel(config, jax.tree.map(np.asarray, params), normalise, layer, str(path), kind)
