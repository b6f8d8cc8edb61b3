"""Depth noise of an active-stereo camera such as the RealSense D415.

Stereo measures disparity d = f·b/z, so a constant disparity error grows with z² in depth:
σ(z) = σ_d · z² / (f·b) (Keselman et al. 2017, "Intel RealSense stereoscopic depth cameras").
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_JUMP = 0.012  # m between neighbouring pixels that counts as an edge
_PATCH = 4  # px over which a matching window correlates the error
# Share of the error's variance that is correlated; the rest is independent per pixel.
_CORRELATED = 0.7
# Standard deviation left of unit noise after it was enlarged by _PATCH with linear weights.
_ENLARGED = 2 / 3


@dataclass(frozen=True)
class DepthNoise:
    """Parameters of the noise; the defaults are a D415 at 640×480.

    disparity: σ_d in px. focal_baseline: f·b in px·m. unit: depth is a multiple of this, m.
    grazing: cosine below which most readings are lost. edge_loss, speckle_loss: probabilities of
    losing a reading beside a depth edge, and anywhere.
    """

    disparity: float = 0.05
    focal_baseline: float = 618.62 * 0.055
    unit: float = 0.001
    grazing: float = 0.20
    grazing_loss: float = 0.8
    edge_loss: float = 0.5
    speckle_loss: float = 0.001

    def apply(
        self,
        depth: NDArray[np.float32],
        cosine: NDArray[np.float32],
        rng: np.random.Generator,
    ) -> NDArray[np.float32]:
        """Noisy ``depth`` (H×W m, NaN = lost), given each pixel's cosine of incidence."""
        sigma = self.disparity / self.focal_baseline * depth**2
        noisy = depth + sigma * _correlated(depth.shape, rng)
        measured = np.round(noisy / self.unit) * self.unit
        lost = rng.random(depth.shape, dtype=np.float32) < self._loss(depth, cosine)
        measured[lost] = np.nan
        return measured.astype(np.float32)

    def _loss(self, depth: NDArray[np.float32], cosine: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probability of losing each reading."""
        loss = np.full(depth.shape, self.speckle_loss, dtype=np.float32)
        kernel = np.ones((3, 3), dtype=np.uint8)
        solid = np.nan_to_num(depth, nan=10.0)
        loss[cv2.dilate(solid, kernel) - cv2.erode(solid, kernel) > _JUMP] = self.edge_loss
        loss[cosine < self.grazing] = self.grazing_loss
        return loss


def _correlated(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """Unit normal noise, H×W, partly shared by neighbouring pixels."""
    rows, columns = shape
    coarse = rng.standard_normal((rows // _PATCH + 1, columns // _PATCH + 1), dtype=np.float32)
    shared = cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_LINEAR) / _ENLARGED
    own = rng.standard_normal(shape, dtype=np.float32)
    return np.sqrt(_CORRELATED) * shared + np.sqrt(1 - _CORRELATED) * own
