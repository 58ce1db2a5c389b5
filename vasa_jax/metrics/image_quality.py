"""How like a made image is to the real one, pixel by pixel: PSNR, and SSIM (Wang et al. 2004)."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2
_MOST = 100.0


def psnr(
    made: UInt8[np.ndarray, "*t h w 3"], real: UInt8[np.ndarray, "*t h w 3"]
) -> Float[np.ndarray, "*t"] | np.floating:
    """Peak signal-to-noise ratio of each image in dB; equal images count as 100 dB."""
    error = np.square((made.astype(np.float64) - real) / 255).mean((-3, -2, -1))
    return np.minimum(-10 * np.log10(np.maximum(error, 1e-30)), _MOST)


def ssim(made: UInt8[np.ndarray, "*t h w 3"], real: UInt8[np.ndarray, "*t h w 3"]) -> Float[np.ndarray, "*t"]:
    """Structural similarity of each image, mean over its colours: Gaussian window of 11 pixels, sigma 1.5, as there.

    Only places whose window lies inside the image count.
    """
    shape = made.shape[:-3]
    pairs = zip(made.reshape(-1, *made.shape[-3:]), real.reshape(-1, *real.shape[-3:]), strict=True)
    return np.asarray([_ssim(a.astype(np.float64) / 255, b.astype(np.float64) / 255) for a, b in pairs]).reshape(shape)


def _ssim(a: np.ndarray, b: np.ndarray) -> float:
    mean_a, mean_b = _blur(a), _blur(b)
    variance_a, variance_b = _blur(a * a) - mean_a**2, _blur(b * b) - mean_b**2
    covariance = _blur(a * b) - mean_a * mean_b
    means = (2 * mean_a * mean_b + _C1) / (mean_a**2 + mean_b**2 + _C1)
    return float((means * (2 * covariance + _C2) / (variance_a + variance_b + _C2)).mean())


def _blur(x: np.ndarray) -> np.ndarray:
    edge = _WINDOW // 2
    return cv2.GaussianBlur(x, (_WINDOW, _WINDOW), _SIGMA)[edge:-edge, edge:-edge]
