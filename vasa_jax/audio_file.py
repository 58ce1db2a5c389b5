"""Sound in: any recording, streamed, at its own rate for the video and as one channel at 16 kHz for the model.

Nothing is lost in silence: what cannot be decoded becomes silence of its length, so that lips stay in step, and
`AudioReader.notes` says how much and where. Where that is more than a tenth, the file is refused.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import av
import numpy as np
import soundfile
import soxr
from jaxtyping import Float

from vasa_jax import audio_decoding, containers, downmix, headers, mpeg_audio, ogg_end
from vasa_jax.containers import Damage
from vasa_jax.errors import InputError
from vasa_jax.paths import PathLike, check_file

FPS = 25
SAMPLE_RATE = 16_000
SAMPLES_PER_FRAME = SAMPLE_RATE // FPS
MIN_SECONDS, MAX_SECONDS = 0.2, 600.0
_RATES = 1_000, 1_000_000
_PCM = (b"RIFF", b"RF64", b"BW64", b"RIFX", b"FORM", b"caff")  # libsndfile reads these, FFmpeg all others
_ENDINGS = (".mp3", ".mp2", ".mpga", ".aac", ".adts")
_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16}  # more of them are below what can be heard
_BLOCK = 32_768
_CUT = 0.5  # seconds that may lack of what a header claims without a word


class AudioReader:
    """A recording, streamed: `mono()` for the model, `blocks()` as given for the video's audio track.

    Attributes:
      rate: Hz, as given.
      channels: 1 or 2, as given; more are mixed to two, as loudspeakers do.
      samples, seconds, frames: frames = round(seconds * 25).
      repaired: how many values were NaN or infinite and are taken as silence.
      damage: what could not be decoded and is silence.
      notes: lines about all of this for people, without the file's name; none for a file that is well.
      needs: how the model's audio is made of it; see `downmix`.

    The constructor decodes the file once to count, since headers lie; memory does not grow with length.

    Raises:
      InputError: not a recording, without audio, too short, too long, or more than a tenth of it damaged.
    """

    def __init__(self, path: PathLike):
        self.path = check_file(path, "a recording (WAV, FLAC, MP3, OGG, M4A or a video with audio)")
        self._header: headers.AudioData | None = None
        self._frames: mpeg_audio.Frames | None = None
        with self.path.open("rb") as file:
            head = file.read(4)
        self._through_av, self._ogg = not head.startswith(_PCM), False
        claimed = None
        if not self._through_av:
            claimed = self._open_pcm()
        if self._through_av:
            claimed = self._open_av(head)
        if not _RATES[0] <= self.rate <= _RATES[1]:
            raise InputError(f"{self.path}: a rate of {self.rate} Hz; from {_RATES[0]} to {_RATES[1]} can be used")
        self.scale = 1.0
        self.notes: list[str] = []
        self.damage = Damage(self.rate)
        self.samples, self.repaired, levels = self._look()
        self.seconds = self.samples / self.rate
        if self.seconds < MIN_SECONDS - 1e-3:
            raise InputError(f"{self.path}: {self.seconds:.3g} s of audio is too short; the minimum is {MIN_SECONDS} s")
        self.damage.check(self.path)
        self.frames = round(self.seconds * FPS)
        self._take_notes(levels, claimed)

    def _open_pcm(self) -> float | None:
        """Asks libsndfile; seconds that the header claims, where it does."""
        self._header = headers.find(self.path)
        try:
            with self._soundfile() as audio:
                self.rate, channels, bits = audio.samplerate, audio.channels, _BITS.get(audio.subtype)
        except (soundfile.LibsndfileError, OSError, ValueError):
            self._through_av = True
            return None
        self._mixing = downmix.mixing(downmix.places(channels, self._header.mask if self._header else 0))
        self.channels, self._many = min(channels, 2), channels > 2
        self._step = 2.0 ** (1 - bits) if bits else 0.0
        known = self._header
        return known.claimed / known.rate if known is not None and known.claimed else None

    def _open_av(self, head: bytes) -> float | None:
        """Asks FFmpeg; seconds that the header claims, where it can be taken at its word."""
        if self.path.suffix.lower() in _ENDINGS or head.startswith((b"ID3", b"\xff")):
            self._frames = mpeg_audio.find_frames(self.path)
        try:
            container = self._container()
        except InputError:  # junk in front of the audio, under any name
            self._frames = mpeg_audio.find_frames(self.path)
            if self._frames is None:
                raise
            container = self._container()
        if self._frames is None and container.format.name in ("mp3", "aac"):  # under another name
            self._frames = mpeg_audio.find_frames(self.path)
            container.close()
            container = self._container()
        with container:
            stream = _audio_stream(container, self.path)
            context = stream.codec_context
            self.rate, self.channels = context.sample_rate, min(context.channels, 2)
            self._many = context.channels > 2
            self._step = 2.0**-15 if context.format is not None and context.format.name in ("s16", "s16p") else 0.0
            self._ogg = container.format.name == "ogg"
            certain = {"mov", "flac"}.intersection(container.format.name.split(","))
            return float(stream.duration * stream.time_base) if certain and stream.duration else None

    @contextlib.contextmanager
    def _soundfile(self) -> Iterator[soundfile.SoundFile]:
        with headers.opened(self.path, self._header) as file, soundfile.SoundFile(file) as audio:
            yield audio

    def _container(self) -> Any:
        frames, header = self._frames, self._header
        try:
            if frames is not None and (frames.holes or frames.junk):
                return containers.open_container(self.path, mpeg_audio.Pieces(self.path, frames.runs), frames.form)
            if header is not None and header.patches:
                return containers.open_container(self.path, headers.patched(self.path, header))
            return containers.open_container(self.path)
        except (av.FFmpegError, OSError, ValueError):
            raise InputError(
                f"{self.path} is not a readable audio or video file: give WAV, FLAC, MP3, OGG, M4A or MP4"
            ) from None

    def _look(self) -> tuple[int, int, "_Levels"]:
        """Samples, how many are not numbers, and how loud they are."""
        samples = repaired = 0
        levels, hearing = _Levels(), downmix.Hearing(self.rate, self.channels)
        for block in self._decode(self.damage):
            finite = np.isfinite(block)
            repaired += int(block.size - finite.sum())
            block = np.clip(np.where(finite, block, np.float32(0)), -(2.0**32), 2.0**32)
            levels.look(block)
            hearing.look(block)
            samples += len(block)
            if samples > (MAX_SECONDS + 0.5) * self.rate:
                raise InputError(f"{self.path}: longer than {MAX_SECONDS / 60:.0f} minutes; cut it into pieces")
        self.damage.total = samples
        self.scale = 1.0 / levels.full_scale()
        if self._many and levels.peak * self.scale > 1.0:  # channels that add up to more than full scale
            self.scale = 1.0 / levels.peak
        self.needs = hearing.needs(self.scale, self._step)
        return samples, repaired, levels

    def _take_notes(self, levels: "_Levels", claimed: float | None) -> None:
        if self.repaired:
            self.notes.append(f"{self.repaired} samples are not numbers and count as silence")
        if (full := levels.full_scale()) > 1.0:
            self.notes.append(f"its numbers are far beyond full scale: taken as whole ones, {full:.0f} is full scale")
        if self._frames is not None and self._frames.junk:
            self.notes.append(f"{self._frames.junk} bytes before the first frame are no audio and are skipped")
        if told := self.damage.told("silence stands in their place"):
            self.notes.append(told)
        if self._ogg and not ogg_end.complete(self.path):
            self.notes.append("its last page is missing or damaged; the audio ends where the page before does")
        held = self._header.length / self._header.rate if self._header is not None and self._header.patches else None
        if held is not None and claimed is not None and abs(claimed - held) > 1 / FPS:
            self.notes.append(f"{held:.2f} s are there, not the {claimed:.2f} s of its header; all of it is read")
        elif claimed is not None and claimed - self.seconds > max(_CUT, 0.01 * claimed):
            self.notes.append(f"cut short: {self.seconds:.2f} of the {claimed:.2f} s that its header claims are there")

    def _decode(self, damage: Damage) -> Iterator[Float[np.ndarray, "n c"]]:
        try:
            if not self._through_av:
                yield from self._pcm_blocks()
                return
            with self._container() as container:
                _audio_stream(container, self.path)
                yield from _gathered(audio_decoding.audio(container, self.rate, self.channels, damage, self._frames))
        except (soundfile.LibsndfileError, av.FFmpegError, OSError):
            raise InputError(
                f"{self.path} is damaged: the audio cannot be decoded; convert or record it again"
            ) from None

    def _pcm_blocks(self) -> Iterator[Float[np.ndarray, "n c"]]:
        with self._soundfile() as audio:
            while len(block := audio.read(_BLOCK, dtype="float32", always_2d=True)):
                yield block @ self._mixing if block.shape[1] > 2 else block

    def blocks(self) -> Iterator[Float[np.ndarray, "n c"]]:
        """The audio at its own rate, finite and within -1..1."""
        for block in self._decode(Damage(self.rate)):
            block = np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0)
            yield np.clip(block if self.scale == 1.0 else block * np.float32(self.scale), -1.0, 1.0)

    def mono(self) -> Iterator[Float[np.ndarray, " n"]]:
        """16 kHz mono float32 in chunks, `frames * 640` samples in all (cut or padded with silence).

        What a listener hears, at a level that the model knows; see `downmix`.
        """
        left = self.frames * SAMPLES_PER_FRAME
        for chunk in resample(downmix.mono(self.blocks(), self.rate, self.needs), self.rate, SAMPLE_RATE):
            chunk = chunk[:left]
            left -= len(chunk)
            if len(chunk):
                yield chunk
        if left:
            yield np.zeros(left, np.float32)


def _gathered(blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """The same samples in larger blocks: a frame of 20 ms is little beside what a block costs."""
    kept, size = [], 0
    for block in blocks:
        kept.append(block)
        size += len(block)
        if size >= _BLOCK:
            yield np.concatenate(kept)
            kept, size = [], 0
    if kept:
        yield np.concatenate(kept)


class _Levels:
    """How loud the samples of a recording are, to tell whole numbers that were saved as floats."""

    _LOUD = 8.0  # far above what headroom is for
    _SHARE = 0.1  # of the samples that are not zero
    _FULL = 2.0**15, 2.0**23, 2.0**31

    def __init__(self) -> None:
        self.peak = 0.0
        self._counts = np.zeros(5, np.int64)  # not zero, loud, and beyond each full scale

    def look(self, block: Float[np.ndarray, "n c"]) -> None:
        size = np.abs(block)
        peak = float(size.max(initial=0.0))
        self.peak = max(self.peak, peak)
        found = [np.count_nonzero(size)]
        limits = (self._LOUD, *(1.001 * full for full in self._FULL))
        self._counts += np.asarray(found + [np.count_nonzero(size > limit) if peak > limit else 0 for limit in limits])

    def full_scale(self) -> float:
        """1, or that of 16, 24 or 32 bits; single samples that are broken do not count."""
        some, loud, *beyond = self._counts
        if loud <= self._SHARE * some:
            return 1.0
        return next((full for full, count in zip(self._FULL, beyond) if count <= 0.001 * some), self._FULL[-1])


def resample(chunks: Iterator[np.ndarray], rate: int, to: int) -> Iterator[np.ndarray]:
    """Streams chunks [n] or [n, c] of one rate as chunks of another; chunk edges leave no trace."""
    if rate == to:
        yield from chunks
        return
    stream, kind = None, np.float32
    for chunk in chunks:
        if stream is None:
            channels = 1 if chunk.ndim == 1 else chunk.shape[1]
            stream, empty = soxr.ResampleStream(rate, to, channels, dtype=kind), chunk[:0].astype(kind)
        yield stream.resample_chunk(np.ascontiguousarray(chunk, kind))
    if stream is not None:
        yield stream.resample_chunk(empty, last=True)


def _audio_stream(container: Any, path: PathLike) -> Any:
    if not container.streams.audio:
        raise InputError(f"{path} has no audio: give a recording, or a video with an audio track")
    stream = container.streams.audio[0]
    if stream.codec_context is None or not stream.codec_context.sample_rate or not stream.codec_context.channels:
        raise InputError(f"{path}: its audio cannot be decoded; convert it to WAV")
    return stream
