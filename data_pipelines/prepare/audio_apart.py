"""Sources whose sound lies in another file than their pictures, as VoxCeleb2 and MEAD publish it.

Everything downstream reads one file. So for as long as such a source is worked on, its pictures (copied as they are) and
its sound (decoded, so that no codec's delay shifts it) lie together in a temporary file:

    @audio_apart.joined
    def process(source: Source, ...) -> Processed: ...
"""

import contextlib
import dataclasses
import functools
import os
import pathlib
import tempfile
from collections.abc import Callable, Iterator

import av

from data_pipelines.prepare.source import Dropped, Processed, Source
from vasa_jax.errors import InputError


def joined(process: Callable[..., Processed]) -> Callable[..., Processed]:
    """Lets a function of a source (its first argument) and anything else take sources whose sound lies apart.

    A source whose two files cannot be put together is dropped, with the reason.
    """

    @functools.wraps(process)
    def with_sound(source: Source, *args, **kwargs) -> Processed:
        try:
            with one_file(source) as whole:
                return process(whole, *args, **kwargs)
        except InputError as error:
            return Processed(dropped=[Dropped(source.name, str(error))])

    return with_sound


@contextlib.contextmanager
def one_file(source: Source) -> Iterator[Source]:
    """The source with pictures and sound in one file, which is gone afterwards; the source itself if it is so already.

    Raises:
      InputError: one of the two files cannot be read; the message says which.
    """
    if source.audio is None:
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="vasa_") as folder:
        path = pathlib.Path(folder) / f"{source.path.stem}.mkv"
        _join(source.path, source.audio, path)
        yield dataclasses.replace(source, path=path, audio=None)


def _join(video: pathlib.Path, audio: pathlib.Path, path: pathlib.Path) -> None:
    with contextlib.ExitStack() as stack:
        pictures = stack.enter_context(_opened(video))
        sound = stack.enter_context(_opened(audio))
        if not pictures.streams.video:
            raise InputError(f"{video}: no video stream; fetch it again")
        if not sound.streams.audio:
            raise InputError(f"{audio}: no sound; fetch it again, or remove it if {video.name} has sound of its own")
        output = stack.enter_context(av.open(os.fspath(path), "w", format="matroska"))
        try:
            copied = output.add_stream_from_template(pictures.streams.video[0])
            spoken = output.add_stream("pcm_s16le", rate=sound.streams.audio[0].rate, layout="mono")
            # Sound first: it is small, and Matroska does not mind the order.
            resampler = av.AudioResampler(format="s16", layout="mono", rate=spoken.rate)
            for frame in (*sound.decode(sound.streams.audio[0]), None):
                for part in resampler.resample(frame):
                    output.mux(spoken.encode(part))
            output.mux(spoken.encode(None))
            for packet in pictures.demux(pictures.streams.video[0]):
                if packet.dts is not None:
                    packet.stream = copied
                    output.mux(packet)
        except av.FFmpegError as error:
            raise InputError(
                f"{video} or {audio}: cannot be put together ({error.strerror}); fetch both again"
            ) from error


@contextlib.contextmanager
def _opened(path: pathlib.Path) -> Iterator[av.container.InputContainer]:
    try:
        container = av.open(os.fspath(path))
    except (av.FFmpegError, OSError) as error:
        raise InputError(f"{path}: cannot be opened ({error.strerror or error}); fetch it again") from error
    with container:
        yield container
