"""Sound and video in and out: every length is streamed, every bad file is one clear line.

Limits are checked before anything is decoded, because a small file can claim an enormous picture.
"""

import contextlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Self

import av
import numpy as np
import soundfile
import soxr
from jaxtyping import Float, UInt8

from vasa_jax.errors import InputError
from vasa_jax.files import replacing
from vasa_jax.paths import PathLike, check_file, check_output
from vasa_jax.video_pictures import Shown

FPS = 25
SAMPLE_RATE = 16_000
SAMPLES_PER_FRAME = SAMPLE_RATE // FPS
MIN_SECONDS, MAX_SECONDS = 0.2, 600.0
MAX_VIDEO_SIDE = 4096
# Containers that hold media themselves; play lists and other pointers to further files are left out.
_CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,ogg,flv,asf,wav,flac,mp3,aac,caf,aiff,amr"
)
_OPEN = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_INDEXED = {"mov", "matroska", "webm"}  # the others find no key frame and decode from the start
# First bytes of what libsndfile reads. MP3 goes through FFmpeg: same samples, no complaints on the terminal.
_SOUND_FILES = (b"RIFF", b"RF64", b"fLaC", b"OggS", b"FORM", b"caff")
_BLOCK = 32_768


# ---------------------------------------------------------------- sound


class AudioReader:
    """A recording, streamed: `mono()` for the model, `blocks()` as given for the video's sound track.

    Attributes: rate (Hz) and channels (1 or 2) as given, samples, seconds, frames = round(seconds * 25),
    repaired (how many values were NaN or infinite and are taken as silence).

    The constructor decodes the file once to count, since headers lie; memory does not grow with length.
    """

    def __init__(self, path: PathLike):
        self.path = check_file(path, "a recording (WAV, FLAC, MP3, OGG, M4A or a video with sound)")
        with self.path.open("rb") as file:
            self._through_av = not file.read(4).startswith(_SOUND_FILES)
        if not self._through_av:
            try:
                with soundfile.SoundFile(self.path) as sound:
                    self.rate, self.channels = sound.samplerate, min(sound.channels, 2)
            except soundfile.LibsndfileError:
                self._through_av = True
        if self._through_av:
            with _open(self.path) as container:
                context = _audio_stream(container, self.path).codec_context
                self.rate, self.channels = context.sample_rate, min(context.channels, 2)
        self.samples, self.repaired = self._count()
        self.seconds = self.samples / self.rate
        if self.seconds < MIN_SECONDS - 1e-3:
            raise InputError(f"{self.path}: {self.seconds:.3g} s of sound is too short; the minimum is {MIN_SECONDS} s")
        self.frames = round(self.seconds * FPS)

    def _count(self) -> tuple[int, int]:
        samples = repaired = 0
        for block in self._decode():
            repaired += int(block.size - np.isfinite(block).sum())
            samples += len(block)
            if samples > (MAX_SECONDS + 0.5) * self.rate:
                raise InputError(f"{self.path}: longer than {MAX_SECONDS / 60:.0f} minutes; cut it into pieces")
        return samples, repaired

    def _decode(self) -> Iterator[Float[np.ndarray, "n c"]]:
        try:
            if self._through_av:
                yield from _av_blocks(self.path, self.rate, self.channels)
                return
            with soundfile.SoundFile(self.path) as sound:
                while len(block := sound.read(_BLOCK, dtype="float32", always_2d=True)):
                    yield block if block.shape[1] <= 2 else block.mean(1, keepdims=True).repeat(2, axis=1)
        except (soundfile.LibsndfileError, OSError):
            raise InputError(
                f"{self.path} is damaged: the sound cannot be decoded; convert or record it again"
            ) from None

    def blocks(self) -> Iterator[Float[np.ndarray, "n c"]]:
        """The sound at its own rate, finite and within -1..1."""
        for block in self._decode():
            yield np.clip(np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0), -1.0, 1.0)

    def mono(self) -> Iterator[Float[np.ndarray, " n"]]:
        """16 kHz mono float32 in chunks, `frames * 640` samples in all (cut or padded with silence)."""
        left = self.frames * SAMPLES_PER_FRAME
        for chunk in resample((block.mean(1) for block in self.blocks()), self.rate, SAMPLE_RATE):
            chunk = chunk[:left]
            left -= len(chunk)
            if len(chunk):
                yield chunk
        if left:
            yield np.zeros(left, np.float32)


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


def _open(path: Path) -> av.container.InputContainer:
    try:
        return av.open(str(path), options=_OPEN)
    except (av.error.FFmpegError, OSError, ValueError):
        raise InputError(
            f"{path} is not a readable sound or video file: give WAV, FLAC, MP3, OGG, M4A or MP4"
        ) from None


def _audio_stream(container: av.container.InputContainer, path: Path) -> av.AudioStream:
    if not container.streams.audio:
        raise InputError(f"{path} has no sound: give a recording, or a video with an audio track")
    stream = container.streams.audio[0]
    if not stream.codec_context.sample_rate or not stream.codec_context.channels:
        raise InputError(f"{path}: its sound cannot be decoded; convert it to WAV")
    return stream


def _av_blocks(path: Path, rate: int, channels: int) -> Iterator[Float[np.ndarray, "n c"]]:
    with _open(path) as container:
        stream = _audio_stream(container, path)
        layout = "stereo" if channels == 2 else "mono"
        resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate)
        # The last packet of AAC is padded; MP4 knows the true length, other containers only guess.
        exact = stream.duration and "mov" in container.format.name
        limit = round(stream.duration * stream.time_base * rate) if exact else None
        done = 0
        try:
            for frame in container.decode(stream):
                for part in resampler.resample(frame):
                    block = part.to_ndarray().T
                    if limit is not None and 0 <= done + len(block) - limit < 4096:
                        block = block[: limit - done]
                    done += len(block)
                    if len(block):
                        yield block
        except av.error.FFmpegError:
            if not done:
                raise InputError(
                    f"{path} is damaged: the sound cannot be decoded; convert or record it again"
                ) from None
        if not done:
            raise InputError(f"{path} has an audio track with nothing in it: give another recording")


# ---------------------------------------------------------------- video


class VideoReader:
    """The frames of a video at a constant rate as a player shows them, chosen by time stamp and so frame-exact.

    Attributes: width, height (as shown), rate (the file's own average frames a second, or None), notes (lines about
    what the pictures needed that was guessed or lost something; see `video_pictures`).
    """

    def __init__(self, path: PathLike, fps: int = FPS):
        self.path, self.fps = check_file(path, "a video (MP4, MOV, MKV, WebM, AVI, MPEG)"), fps
        with _open(self.path) as container:
            if not container.streams.video:
                raise InputError(f"{self.path} has no picture: give a video")
            stream = container.streams.video[0]
            self.rate = float(stream.average_rate) if stream.average_rate else None
            context = stream.codec_context
            if not 0 < max(context.width, context.height) <= MAX_VIDEO_SIDE:
                raise InputError(
                    f"{self.path}: {context.width}x{context.height}; at most {MAX_VIDEO_SIDE} pixels a side"
                )
        first = next(self.frames(), None)
        if first is None:
            raise InputError(f"{self.path} holds no frame that can be decoded: give another video")
        self.height, self.width = first.shape[:2]

    def __iter__(self) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        return self.frames()

    def frames(self, start: int = 0, count: int | None = None) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        """Frames start, start+1, ... on the grid of `fps`; the latest picture due is repeated where one lacks."""
        with _open(self.path) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            origin = stream.start_time or 0
            if start and _INDEXED.intersection(container.format.name.split(",")):
                seconds = max(start - 1, 0) / self.fps
                container.seek(origin + int(seconds / stream.time_base), stream=stream, backward=True)
            stop = None if count is None else start + count
            shown, at = None, start
            show = Shown(self.path, stream, MAX_VIDEO_SIDE)
            self.notes = show.notes
            for pts, frame in show.whole((frame.pts, frame) for frame in self._decoded(container, stream)):
                pts = origin if pts is None else pts
                due = int(np.floor(float((pts - origin) * stream.time_base) * self.fps + 0.5))
                while shown is not None and at < due and (stop is None or at < stop):
                    yield show.picture(shown)
                    at += 1
                if stop is not None and at >= stop:
                    return
                shown = frame
            if shown is not None and due >= at and (stop is None or at < stop):
                yield show.picture(shown)

    def _decoded(self, container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
        try:
            yield from container.decode(stream)
        except av.error.FFmpegError:
            return  # a damaged tail: what came before counts


class VideoWriter:
    """Writes H.264 (yuv420p, crf 18) with AAC in step, to a temporary file that `close` puts in place.

    A context manager: leaving it by an exception removes what was written. Sound is read and
    interleaved as the frames come, so memory does not grow with length.

    Args:
      path: the .mp4 to write.
      audio: the sound track, kept at its own rate where AAC knows it, else at 48 kHz.
      finish: called with the temporary file's path once it is complete, before it gets its name.
    """

    def __init__(
        self,
        path: PathLike,
        audio: AudioReader | None = None,
        fps: int = FPS,
        finish: Callable[[Path], None] | None = None,
    ):
        self.path, self.audio, self.fps, self.finish = check_output(path), audio, fps, finish
        self.count = 0
        self._stack = contextlib.ExitStack()
        self._container = None

    def __enter__(self) -> Self:
        self._temporary = self._stack.enter_context(replacing(self.path))
        return self

    def __exit__(self, kind, error, trace) -> None:
        try:
            if kind is None:
                self._complete()
        except BaseException as failure:
            self._discard()
            self._stack.__exit__(type(failure), failure, failure.__traceback__)
            if isinstance(failure, (av.error.FFmpegError, OSError)):
                raise InputError(f"{self.path} could not be written: {failure}") from None
            raise
        if kind is not None:
            self._discard()
        self._stack.__exit__(kind, error, trace)

    def write(self, frame: UInt8[np.ndarray, "h w 3"]) -> None:
        """Adds one frame; an odd size gains a repeated row or column, since yuv420p needs even ones."""
        height, width = frame.shape[:2]
        if height % 2 or width % 2:
            frame = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        try:
            if self._container is None:
                self._begin(*frame.shape[:2])
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            picture = picture.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
            picture.pts, picture.time_base = self.count, Fraction(1, self.fps)
            self._container.mux(self._video.encode(picture))
            self.count += 1
            self._push_sound(until=self.count / self.fps)
        except (av.error.FFmpegError, OSError) as error:
            raise InputError(f"{self.path} could not be written: {error}") from None

    def _begin(self, height: int, width: int) -> None:
        self._container = av.open(str(self._temporary), "w", format="mp4", options={"movflags": "+faststart"})
        self._video = self._container.add_stream("libx264", rate=self.fps, options={"crf": "18", "preset": "veryfast"})
        context = self._video.codec_context
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 1, 1, 1, 1  # BT.709
        if self.audio is None:
            self._sound, self._sound_done = None, 0
            return
        rate = self.audio.rate if self.audio.rate in _AAC_RATES else 48_000
        layout = "stereo" if self.audio.channels == 2 else "mono"
        self._track = self._container.add_stream("aac", rate=rate, layout=layout)
        self._track.bit_rate = min(96_000, 5 * rate) * self.audio.channels
        self._sound, self._sound_done = resample(self.audio.blocks(), self.audio.rate, rate), 0

    def _push_sound(self, until: float) -> None:
        while self._sound is not None and self._sound_done < until * self._track.rate:
            block = next(self._sound, None)
            if block is None:
                self._container.mux(self._track.encode(None))
                self._sound = None
                return
            if not len(block):
                continue
            part = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(block.T), format="fltp", layout=self._track.layout.name
            )
            part.sample_rate, part.pts = self._track.rate, self._sound_done
            self._sound_done += len(block)
            self._container.mux(self._track.encode(part))

    def _complete(self) -> None:
        if self._container is None:
            raise InputError(f"{self.path}: no frame was written")
        self._push_sound(until=float("inf"))
        self._container.mux(self._video.encode(None))
        self._container.close()
        if self.finish is not None:
            self.finish(self._temporary)

    def _discard(self) -> None:
        with contextlib.suppress(Exception):
            if self._container is not None:
                self._container.close()
