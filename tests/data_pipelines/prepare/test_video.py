"""Pictures and sound of a prepared clip start together: a flash and a click at one moment stay at one moment."""

import numpy as np
import pytest

from data_pipelines import schema
from data_pipelines.prepare import video
from vasa_jax.errors import InputError

HALF_FRAME = schema.SAMPLES_PER_FRAME // 2


def flash_and_click(path, writer, *, at=0.8, seconds=1.6, fps=25, audio_delay=0.0, video_delay=0.0):
    """A video that flashes white and clicks at time `at` of the common clock."""
    pictures = np.zeros((round(seconds * fps), 64, 64, 3), np.uint8)
    pictures[round((at - video_delay) * fps)] = 255
    audio = np.zeros(round(seconds * 44_100), np.float32)
    audio[round((at - audio_delay) * 44_100)] = 0.9
    writer(path, pictures, audio, fps=fps, audio_delay=audio_delay, video_delay=video_delay)


@pytest.mark.parametrize(
    "options",
    [{}, {"fps": 30}, {"fps": 50}, {"audio_delay": 0.2}, {"video_delay": 0.2}, {"seconds": 1.2, "at": 1.0}],
    ids=["25", "30", "50", "sound late", "picture late", "near the end"],
)
def test_flash_and_click_within_half_a_frame(tmp_path, video_writer, options):
    path = tmp_path / "clip.mp4"
    flash_and_click(path, video_writer, **options)
    clip = video.read_clip(path)
    brightness = np.asarray([clip.pictures[i].mean() for i in clip.frame_indices])
    flash = int(np.argmax(brightness)) * schema.SAMPLES_PER_FRAME  # the moment the frame comes on
    click = int(np.argmax(np.abs(clip.audio)))
    assert brightness.max() > 150
    assert abs(flash - click) <= HALF_FRAME
    assert len(clip.audio) == len(clip.frame_indices) * schema.SAMPLES_PER_FRAME


def test_frame_count_is_by_time(tmp_path, video_writer):
    for fps, count in ((25, 40), (30, 48), (50, 80)):
        video_writer(tmp_path / "c.mp4", np.zeros((count, 64, 64, 3), np.uint8), np.zeros(44_100), fps=fps)
        assert len(video.read_clip(tmp_path / "c.mp4").frame_indices) == 40


def test_25_fps_is_left_alone():
    np.testing.assert_array_equal(video.resample_indices(3.2 + np.arange(75) / 25), np.arange(75))


def test_nearest_picture_of_an_uneven_video():
    times = np.asarray([0, 0.04, 0.05, 0.12, 0.2, 0.24])
    indices = video.resample_indices(times)
    wanted = np.arange(len(indices)) / 25
    best = np.abs(times - wanted[:, None]).min(1)
    np.testing.assert_allclose(np.abs(times[indices] - wanted), best, atol=1e-12)
    assert len(indices) == 7  # 0.24 s and one median picture of 0.04 s


def test_one_picture():
    assert video.resample_indices(np.asarray([5.0])).tolist() == [0]


def test_stereo_is_averaged(tmp_path):
    """Left 0.5, right -0.1: the mean is 0.2, not FFmpeg's louder downmix."""
    import av

    with av.open(str(tmp_path / "c.mkv"), "w") as container:
        picture = container.add_stream("libx264", rate=25)
        picture.height = picture.width = 64
        picture.pix_fmt = "yuv420p"
        sound = container.add_stream("pcm_s16le", rate=16_000, layout="stereo")
        for _ in range(25):
            for packet in picture.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")):
                container.mux(packet)
        container.mux(picture.encode(None))
        samples = np.tile(np.asarray([0.5, -0.1]) * 32767, 16_000).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
        frame.sample_rate, frame.pts = 16_000, 0
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    np.testing.assert_allclose(video.read_clip(tmp_path / "c.mkv").audio[2000:14_000], 0.2, atol=1e-3)


@pytest.mark.parametrize("content", [b"", b"this is no video", bytes(5000)])
def test_rubbish_is_an_input_error(tmp_path, content):
    (tmp_path / "c.mp4").write_bytes(content)
    with pytest.raises(InputError, match="c.mp4"):
        video.read_clip(tmp_path / "c.mp4")


def test_no_sound_is_an_input_error(tmp_path, video_writer):
    import av

    with av.open(str(tmp_path / "c.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height = stream.width = 64
        stream.pix_fmt = "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    with pytest.raises(InputError, match="no sound"):
        video.read_clip(tmp_path / "c.mp4")
