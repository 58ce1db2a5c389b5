"""Pictures mean what their files say: colours, depth, transparency, which frame, which way up. Bad ones are a line."""

import io
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests import colour_files as made
from vasa_jax import images
from vasa_jax.errors import InputError


def gradient(height=60, width=80):
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, 0 * x + 100], -1).astype(np.uint8)


def read(path):
    """The image and the lines that were said."""
    said = []
    return images.read_image(path, said.append), said


def codes(signal, depth=8):
    """Integers of a signal 0..1."""
    return np.round(signal * (2**depth - 1)).astype(np.uint8 if depth == 8 else np.uint16)


# ---------------------------------------------------------------- kinds of files


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
def test_every_image_mode_is_read_as_rgb(tmp_path, mode):
    grey = Image.fromarray(gradient()[..., 0])
    if mode in ("I;16", "I", "F"):
        dtype, gain = {"I;16": (np.uint16, 257), "I": (np.int32, 257), "F": (np.float32, 1 / 255)}[mode]
        image = Image.fromarray((gradient()[..., 0] * np.float64(gain)).astype(dtype))
    else:
        image = (grey if mode in ("1", "L", "LA") else Image.fromarray(gradient())).convert(mode)
    image.save(tmp_path / "p.tif")
    pixels = images.read_image(tmp_path / "p.tif")
    assert pixels.shape == (60, 80, 3) and pixels.dtype == np.uint8
    truth = gradient()[..., :1].repeat(3, -1) if mode in ("1", "L", "LA", "I;16", "I", "F") else gradient()
    # One bit and a palette of 256 are coarse; the others may only round.
    limit = {"1": 110, "P": 30}.get(mode, 2)
    assert np.abs(pixels.astype(int) - truth).mean() <= limit


def test_transparent_parts_become_neutral(tmp_path):
    pixels = np.dstack([gradient(), np.full((60, 80), 255, np.uint8)])
    pixels[:30, :, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "p.png")
    image = images.read_image(tmp_path / "p.png")
    assert (image[:30] == 128).all() and (image[30:] == gradient()[30:]).all()


def test_a_turned_photo_comes_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side
    Image.fromarray(np.rot90(gradient(64, 96)).copy()).save(tmp_path / "p.png", exif=exif)
    assert np.array_equal(images.read_image(tmp_path / "p.png"), gradient(64, 96))


def png_header(path, width, height):
    """A PNG that claims a size and holds next to nothing."""
    body = made.chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body += made.chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + made.chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


@pytest.mark.parametrize("size", [(20000, 20000), (1, 1), (60000, 2), (9000, 9000)])
def test_impossible_sizes_are_refused_before_decoding(tmp_path, size):
    with pytest.raises(InputError, match="too large|too small"):
        images.read_image(png_header(tmp_path / "p.png", *size))


def test_what_is_no_image_is_refused(tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.jpg").write_text("not an image")
    Image.fromarray(gradient()).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:120])
    for name in ("empty.png", "text.jpg", "cut.png", "missing.png", ""):
        with pytest.raises(InputError) as error:
            images.read_image(tmp_path / name)
        assert "\n" not in str(error.value) and str(tmp_path) in str(error.value)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif", "avif"])
def test_every_orientation_in_every_format(tmp_path, ending, orientation):
    shown = gradient(48, 64)
    stored = {
        1: shown,
        2: shown[:, ::-1],
        3: shown[::-1, ::-1],
        4: shown[::-1],
        5: shown.swapaxes(0, 1),
        6: np.rot90(shown),
        7: np.rot90(shown, 2).swapaxes(0, 1),
        8: np.rot90(shown, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / f"p.{ending}", exif=exif, quality=95)
    image, said = read(tmp_path / f"p.{ending}")
    assert image.shape == shown.shape and np.abs(image.astype(int) - shown).mean() < 6 and not said


def test_a_deep_image_is_turned_too(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    deep = np.rot90(gradient(48, 64)).astype(np.uint16) * 257
    (tmp_path / "p.png").write_bytes(made.png(deep, eXIf=exif.tobytes()[6:]))
    np.testing.assert_array_equal(images.read_image(tmp_path / "p.png"), gradient(48, 64))


def test_damaged_exif_is_left_out_and_said(tmp_path):
    Image.fromarray(gradient()).save(tmp_path / "p.png", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01")
    image, _ = read(tmp_path / "p.png")
    np.testing.assert_array_equal(image, gradient())


def test_a_damaged_part_beside_the_pixels_is_left_out_and_said(tmp_path):
    file = io.BytesIO()
    Image.fromarray(gradient()).save(file, "PNG")
    whole, words = file.getvalue(), b"tEXtComment\0by nobody"
    path = tmp_path / "p.png"
    for check, count in ((zlib.crc32(words), 0), (zlib.crc32(words) ^ 1, 1)):
        extra = struct.pack(">I", len(words) - 4) + words + struct.pack(">I", check)
        path.write_bytes(whole[:33] + extra + whole[33:])
        image, said = read(path)
        np.testing.assert_array_equal(image, gradient())
        assert len(said) == count


@pytest.mark.parametrize("ending", ["png", "webp", "tif"])
def test_an_image_that_was_cut_off_is_refused(tmp_path, ending):
    noise = np.random.default_rng(0).integers(0, 255, (128, 128, 3), np.uint8)
    path = tmp_path / f"p.{ending}"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with pytest.raises(InputError, match="not a readable image"):
        read(path)


def test_damage_that_a_lenient_decoder_passes_over_is_said(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (128, 128, 3), np.uint8)
    for name, options in (("plain", {}), ("steps", {"progressive": True})):
        path = tmp_path / f"{name}.jpg"
        Image.fromarray(noise).save(path, quality=80, **options)
        assert read(path)[1] == []
        data = bytearray(path.read_bytes())
        data[len(data) // 2 : len(data) // 2 + 40] = bytes(40)
        path.write_bytes(data)
        image, said = read(path)
        assert image.shape == (128, 128, 3) and said == ["it is damaged: parts of it may be missing or wrong"]


# ---------------------------------------------------------------- colours


@pytest.mark.parametrize("name", ["adobergb.jpg", "p3.jpg"])
def test_photos_with_profiles(shared, name):
    path = shared / "bugs" / "05-icc" / name
    with Image.open(path) as image:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        managed = np.asarray(ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB")))
        assert made.delta_e(np.asarray(image), managed).mean() > 3  # as it was read before
    pixels, said = read(path)
    assert made.delta_e(pixels, managed).max() <= 1.5 and not said


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif", "avif"])
@pytest.mark.parametrize(("matrix", "gamma"), [(made.P3, 2.2), (made.ADOBE, 2.2), (made.REC2020, 1.8)])
def test_a_profile_is_followed_in_every_format(tmp_path, ending, matrix, gamma):
    truth = made.patches()
    options = {"quality": 100} | ({"subsampling": 0} if ending == "jpg" else {})
    options |= {"webp": {"lossless": True}, "avif": {"subsampling": "4:4:4"}}.get(ending, {})
    stored = Image.fromarray(codes(made.in_space(truth, matrix) ** (1 / gamma)))
    stored.save(tmp_path / f"p.{ending}", icc_profile=made.matrix_profile(matrix, gamma), **options)
    image, said = read(tmp_path / f"p.{ending}")
    assert made.delta_e(np.asarray(stored), truth).mean() > 4
    assert made.delta_e(image, truth).mean() <= 1.5 and not said


@pytest.mark.parametrize("gamma", [1.0, 1.8])
@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("alpha", [False, True])
def test_deep_colours_of_a_profile(tmp_path, gamma, bits, alpha):
    """Eight bits would not do for a linear profile: 1 of 255 is already a dark grey."""
    truth = made.patches()
    truth[:16, :16] = 12
    samples = codes(made.in_space(truth, made.P3) ** (1 / gamma), bits)
    if alpha:
        samples = np.dstack([samples, np.full(samples.shape[:2], 65535, np.uint16)])
    chunks = {"iCCP": made.iccp(made.matrix_profile(made.P3, gamma))}
    (tmp_path / "p.png").write_bytes(made.png(samples, **chunks))
    image, said = read(tmp_path / "p.png")
    assert made.delta_e(image, truth).max() <= 1.0
    assert said == (
        [] if bits == 16 else [f"samples of 16 bits that go up to {samples[..., :3].max()} only: taken as 12 bits"]
    )


@pytest.mark.parametrize("deep", [False, True])
def test_grey_profiles(tmp_path, deep):
    truth = made.patches()[..., :1].repeat(3, -1)
    grey = codes(made.linear(truth[..., 0].astype(float)) ** (1 / 1.4), 16 if deep else 8)
    Image.fromarray(grey).save(tmp_path / "p.png", icc_profile=made.grey_profile(1.4))
    image, said = read(tmp_path / "p.png")
    assert made.delta_e(image, truth).max() <= 1.5 and not said


def test_grey_pixels_with_a_colour_profile(tmp_path):
    truth = made.patches()[..., :1].repeat(3, -1)
    grey = codes(made.linear(truth[..., 0].astype(float)) ** (1 / 1.4))
    Image.fromarray(grey).save(tmp_path / "p.jpg", icc_profile=made.matrix_profile(made.P3, 1.4), quality=100)
    assert made.delta_e(images.read_image(tmp_path / "p.jpg"), truth).max() <= 1.5


@pytest.mark.parametrize("ending", ["jpg", "tif"])
def test_inks_with_a_profile(tmp_path, ending):
    inks = np.random.default_rng(0).integers(0, 200, (4, 4, 4), np.uint8).repeat(16, 0).repeat(16, 1)
    image = Image.frombytes("CMYK", (64, 64), inks.tobytes())
    image.save(tmp_path / f"p.{ending}", icc_profile=made.cmyk_profile(), quality=100, subsampling=0)
    truth = made.inks_to_codes(inks / 255.0)
    pixels, said = read(tmp_path / f"p.{ending}")
    assert made.delta_e(pixels, truth).mean() <= 1.5 and not said
    assert made.delta_e(np.asarray(image.convert("RGB")), truth).mean() > 5
    image.save(tmp_path / f"q.{ending}")
    assert read(tmp_path / f"q.{ending}")[1] == ["CMYK without a colour profile: its colours are a guess"]


def test_a_profile_that_means_srgb_changes_nothing(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(gradient()).save(tmp_path / "p.png", icc_profile=profile)
    image, said = read(tmp_path / "p.png")
    assert np.array_equal(image, gradient()) and not said


@pytest.mark.parametrize(
    ("profile", "says"),
    [
        (b"no profile at all", "cannot be used"),
        (made.matrix_profile(made.P3, 2.2)[:200], "cannot be used"),
        (made.cmyk_profile(3), "is for CMYK, its pixels are RGB"),
        (made.grey_profile(2.2), "is for GRAY, its pixels are RGB"),
    ],
)
@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_a_useless_profile_is_said_and_left_out(tmp_path, ending, profile, says):
    options = {"webp": {"lossless": True}, "jpg": {"quality": 100, "subsampling": 0}}.get(ending, {})
    Image.fromarray(gradient()).save(tmp_path / f"p.{ending}", icc_profile=profile, **options)
    image, said = read(tmp_path / f"p.{ending}")
    assert np.abs(image.astype(int) - gradient()).max() <= 3
    assert len(said) == 1 and says in said[0] and "taken as sRGB" in said[0]


def test_a_damaged_profile_chunk_is_said(tmp_path):
    (tmp_path / "p.png").write_bytes(made.png(gradient(), iCCP=b"p\0\0 not compressed"))
    image, said = read(tmp_path / "p.png")
    assert np.array_equal(image, gradient()) and said == [
        "its colour profile is damaged; its colours are taken as sRGB"
    ]


@pytest.mark.parametrize(("transfer", "signal"), [(16, made.pq), (18, made.hlg)])
@pytest.mark.parametrize("way", ["cICP", "profile"])
def test_hdr_images(tmp_path, transfer, signal, way):
    truth = made.patches()
    samples = codes(signal(made.in_space(truth, made.REC2020)), 16)
    icc = made.iccp(made.matrix_profile(made.REC2020, 2.2, made.cicp_tag(9, transfer)))
    chunks = {"cICP": bytes([9, transfer, 0, 1])} if way == "cICP" else {"iCCP": icc}
    (tmp_path / "p.png").write_bytes(made.png(samples, **chunks))
    image, said = read(tmp_path / "p.png")
    assert made.delta_e(image, truth).max() <= 1.5
    assert said == [f"HDR ({'PQ' if transfer == 16 else 'HLG'}): what is brighter than white is rolled off"]


def test_light_beyond_white_keeps_its_order_and_hue(tmp_path):
    light = np.linspace(0.5, 6, 64)[None, :, None] * np.asarray([1.0, 0.8, 0.6])
    samples = codes(made.pq(light.repeat(32, 0)), 16)
    (tmp_path / "p.png").write_bytes(made.png(samples, cICP=bytes([1, 16, 0, 1])))
    row = images.read_image(tmp_path / "p.png")[5].astype(float)
    assert (np.diff(row, axis=0) >= 0).all() and row[-1, 0] >= 254
    kept = made.linear(row)
    np.testing.assert_allclose(kept[:, 1] / kept[:, 0], 0.8, atol=0.01)
    np.testing.assert_allclose(kept[:, 2] / kept[:, 0], 0.6, atol=0.01)


def test_wide_colours_by_number_alone(tmp_path):
    truth = made.patches()
    samples = codes(made.encode(made.in_space(truth, made.P3)))
    (tmp_path / "p.png").write_bytes(made.png(samples, cICP=bytes([12, 13, 0, 1])))
    assert made.delta_e(images.read_image(tmp_path / "p.png"), truth).max() <= 1.5
    (tmp_path / "q.png").write_bytes(made.png(samples, cICP=bytes([200, 13, 0, 1])))
    image, said = read(tmp_path / "q.png")
    assert np.array_equal(image, samples) and "colour primaries 200 are not known" in said[0]


def test_avif_and_its_numbers(tmp_path):
    truth = made.patches()
    path = tmp_path / "p.avif"
    stored = Image.fromarray(codes(made.pq(made.in_space(truth, made.REC2020))))
    stored.save(path, quality=100, subsampling="4:4:4")
    data = path.read_bytes()
    at = data.index(b"colrnclx") + 8
    path.write_bytes(data[:at] + struct.pack(">HH", 9, 16) + data[at + 4 :])
    image, said = read(path)
    assert made.delta_e(image, truth).mean() <= 3 and "HDR (PQ)" in said[0]  # 8 bits of PQ are coarse


def test_gamma_and_primaries_of_a_png(tmp_path):
    truth = made.patches()
    light = codes(made.in_space(truth, made.ADOBE), 16)
    points = (0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
    chunks = {"gAMA": struct.pack(">I", 100_000), "cHRM": struct.pack(">8I", *(round(p * 100_000) for p in points))}
    (tmp_path / "p.png").write_bytes(made.png(light, **chunks))
    assert made.delta_e(images.read_image(tmp_path / "p.png"), truth).max() <= 1.0
    (tmp_path / "q.png").write_bytes(made.png(gradient(), gAMA=struct.pack(">I", 45_455)))
    assert np.array_equal(images.read_image(tmp_path / "q.png"), gradient())


def test_a_camera_that_marks_adobe_rgb_in_exif_alone(tmp_path):
    truth = made.patches()
    exif = Image.Exif()
    exif[0x8769] = {0xA005: {1: "R03"}}
    stored = Image.fromarray(codes(made.in_space(truth, made.ADOBE) ** (256 / 563)))
    stored.save(tmp_path / "p.png", exif=exif)
    assert made.delta_e(images.read_image(tmp_path / "p.png"), truth).max() <= 1.5


# ---------------------------------------------------------------- depth and transparency


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_grey_of_fewer_bits_in_a_file_of_sixteen(tmp_path, ending, bits):
    truth = made.patches()[..., 0]
    Image.fromarray(codes(truth / 255.0, bits)).save(tmp_path / f"p.{ending}")
    image, said = read(tmp_path / f"p.{ending}")
    assert np.abs(image[..., 0].astype(int) - truth).max() <= 1
    assert len(said) == 1 and f"taken as {bits} bits" in said[0]


def test_fourteen_bits_where_the_file_says_so(tmp_path):
    truth = made.patches()[..., 0]
    image = Image.fromarray(codes(truth / 255.0, 14))
    image.save(tmp_path / "p.tif", tiffinfo={281: 16383})
    assert np.abs(images.read_image(tmp_path / "p.tif")[..., 0].astype(int) - truth).max() <= 1
    (tmp_path / "p.png").write_bytes(made.png(codes(made.patches() / 255.0, 14), sBIT=bytes([14, 14, 14])))
    assert np.abs(images.read_image(tmp_path / "p.png").astype(int) - made.patches()).max() <= 1
    image.save(tmp_path / "dark.tif")  # may as well be a dark image of 16 bits
    assert np.abs(images.read_image(tmp_path / "dark.tif")[..., 0].astype(int) - truth / 4).max() <= 1


def test_white_may_be_zero(tmp_path):
    truth = made.patches()[..., 0]
    image = Image.fromarray(65535 - truth.astype(np.uint16) * 257)
    image.save(tmp_path / "p.tif", tiffinfo={262: 0})
    assert np.abs(images.read_image(tmp_path / "p.tif")[..., 0].astype(int) - truth).max() <= 1


def test_floats_beyond_white_and_without_a_value(tmp_path):
    values = made.patches()[..., 0] / 255.0
    values[0, 0], values[0, 1] = np.nan, 1.3
    Image.fromarray(values.astype(np.float32)).save(tmp_path / "p.tif")
    image, said = read(tmp_path / "p.tif")
    assert np.abs(image[16:, :, 0].astype(int) - made.patches()[16:, :, 0]).max() <= 1
    assert image[0, 1, 0] == 255 and said == ["1 pixels are not numbers and count as black"]


@pytest.mark.parametrize("mode", ["LA", "RGBA", "PA"])
def test_half_transparent_parts_are_mixed_with_grey(tmp_path, mode):
    pixels = np.full((40, 40, 4), (200, 200, 200, 64), np.uint8)
    image = Image.fromarray(pixels)
    (image.quantize() if mode == "PA" else image.convert(mode)).save(tmp_path / "p.png")
    assert np.abs(images.read_image(tmp_path / "p.png").astype(int) - (128 + 72 * 64 / 255)).max() <= 1


def test_colours_are_converted_before_they_are_mixed(tmp_path):
    truth = made.patches()
    stored = codes(made.in_space(truth, made.P3) ** (1 / 2.2))
    alpha = np.full((64, 64), 255, np.uint8)
    alpha[:16] = 0
    options = {"icc_profile": made.matrix_profile(made.P3, 2.2)}
    Image.fromarray(np.dstack([stored, alpha])).save(tmp_path / "p.png", **options)
    image = images.read_image(tmp_path / "p.png")
    assert (image[:16] == 128).all() and made.delta_e(image[16:], truth[16:]).max() <= 1.5


# ---------------------------------------------------------------- animations


@pytest.mark.parametrize("ending", ["gif", "png", "webp", "avif"])
@pytest.mark.parametrize("blank", ["black", "white", "clear", "nearly"])
def test_the_first_frame_that_shows_something(tmp_path, ending, blank):
    shown = np.dstack([gradient(), np.full((60, 80), 255, np.uint8)])
    nothing = {"black": (0, 0, 0, 255), "white": (255,) * 4, "clear": (90, 0, 0, 0), "nearly": (0, 0, 0, 255)}[blank]
    empty = np.full_like(shown, nothing)
    if blank == "nearly":
        empty[..., :3] = shown[..., :3] // 100  # fades in
    frames = [Image.fromarray(f) for f in (empty, empty + np.uint8(blank == "black"), shown, 255 - shown)]
    frames[0].save(tmp_path / f"a.{ending}", save_all=True, append_images=frames[1:], duration=100)
    with Image.open(tmp_path / f"a.{ending}") as image:
        count = image.n_frames  # GIF leaves out what repeats
    pixels, said = read(tmp_path / f"a.{ending}")
    assert np.abs(pixels.astype(int) - shown[..., :3]).mean() < 12
    assert len(said) == 1 and said[0].startswith(f"{count} frames; the first") and "show nothing, number" in said[0]


def test_an_animation_whose_first_frame_will_do(tmp_path):
    frames = [Image.fromarray(f) for f in (gradient(), gradient()[::-1].copy())]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    image, said = read(tmp_path / "a.webp")
    assert np.array_equal(image, gradient()) and said == ["2 frames; the first is taken"]


# ---------------------------------------------------------------- HEIC


def test_heic_without_its_reader_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "p.heic").write_bytes(struct.pack(">I", 24) + b"ftypheic" + bytes(4) + b"mif1heic" + bytes(100))
    with pytest.raises(InputError, match=r"p.heic is a HEIC image, which needs pillow-heif: pip install 'vasa_jax\["):
        images.read_image(tmp_path / "p.heic")


def test_heic(tmp_path):
    heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    truth = made.patches()
    stored = Image.fromarray(codes(made.in_space(truth, made.P3) ** (1 / 2.2)))
    heif.register_heif_opener()
    options = {"icc_profile": made.matrix_profile(made.P3, 2.2), "quality": -1, "chroma": 444}
    stored.save(tmp_path / "p.heic", **options)
    image, said = read(tmp_path / "p.heic")
    assert made.delta_e(image, truth).mean() <= 1.5 and not said
