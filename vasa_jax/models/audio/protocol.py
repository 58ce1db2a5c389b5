"""What a front end for speech is: a waveform in, features for each video frame out, nothing in it trained."""

from typing import Any, NamedTuple, Protocol, Self, runtime_checkable

from jaxtyping import Array, Bool, Float

SAMPLE_RATE = 16_000
SAMPLES_PER_FRAME = SAMPLE_RATE // 25
"""Samples of a video frame."""


class Form(NamedTuple):
    """Features of a video frame: how many, how wide, and how many hidden states lie side by side in one (0: none)."""

    per_frame: int
    width: int
    states: int = 0


@runtime_checkable
class Asks(Protocol):
    """What a motion model's configuration says of the audio it is given (`MotionConfig`)."""

    @property
    def speech(self) -> str: ...

    @property
    def bands(self) -> int: ...

    @property
    def speech_width(self) -> int: ...

    @property
    def speech_layers(self) -> int: ...

    @property
    def speech_layer(self) -> int: ...

    @property
    def dtype(self) -> str: ...


@runtime_checkable
class FrontEnd(Protocol):
    """A pytree whose leaves are its frozen parameters, so that a jitted function takes one as an argument.

    Attributes:
      name: for messages.
      hop: samples from one feature to the next.
      lookahead: samples after its own that a feature depends on; None where it depends on all that it is given.
      params: frozen parameters, a tree of arrays; () where there are none.
    """

    @property
    def name(self) -> str: ...

    @property
    def hop(self) -> int: ...

    @property
    def lookahead(self) -> int | None: ...

    @property
    def params(self) -> Any: ...

    @staticmethod
    def form(config: Asks) -> Form:
        """What a motion model of this configuration is given, before anything is opened."""

    @classmethod
    def open(cls, config: Asks, path: str, flag: str) -> Self:
        """The front end of a configuration; `path` and the `flag` that named it are "" where nothing is given.

        Raises:
          UsageError: it needs files and none are named, or takes none.
          InputError: the files are another model's.
        """

    def check(self, config: Asks) -> None:
        """Raises InputError where this is not the one that a configuration was made for."""

    def features(
        self, audio: Float[Array, "b n"], heard: Bool[Array, "b t"], floor: Float[Array, "b"]
    ) -> tuple[Float[Array, "b s c"], Float[Array, "b"]]:
        """Features of windows from nothing but their own audio, as far as it is heard.

        Args:
          audio: 16 kHz in -1..1, whole frames.
          heard: frames whose audio counts; that of others changes nothing, not even the level.
          floor: least level of the speech in dB, carried over from the window before (-inf: there was none).

        Returns:
          Features, and the level of the speech, which is the floor where a front end knows none.
        """
