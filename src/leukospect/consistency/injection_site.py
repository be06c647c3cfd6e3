"""A planar view that holds much of its counts in one small spot at the side: an infiltrated injection, or a spill."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_FWHM_MM = 10.0
_FEWEST_COUNTS = 5000.0
_TIMES_BODY = 20.0
_LEAST_SHARE = 0.05
_LARGEST_CM2 = 50.0  # spleen and liver are larger
_FROM_THE_MIDDLE = 0.55  # of half of what is seen of the body at that height
_CORE, _SKIRT = 0.2, 0.02  # of the peak: how large the spot is, and how far its counts reach
_TIMES_OWN = 2.0  # of the body's own counts, down to which they are the spot's
_REACH_MM, _NEAR_MM = 40.0, 30.0


@dataclass(frozen=True, slots=True)
class InjectionSite:
    """A spot of a view that may be where the injection went beside the vein.

    Parameters
    ----------
    row, column : int
        Its hottest place, from 0.
    area_cm2 : float
        Above a fifth of its peak.
    share : float
        Its part of the view's counts, what its surroundings add taken off.
    """

    row: int
    column: int
    area_cm2: float
    share: float

    def sentence(self, view: str, found_as: str = "") -> str:
        """Tell it in one sentence of a view, and of the region that was found there."""
        region = f"; it was found as '{found_as}'" if found_as else ""
        return (
            f"{100 * self.share:.0f} % of the counts of the {view} view lie in one spot of {self.area_cm2:.0f} cm2 at "
            f"its side (row {self.row + 1}, column {self.column + 1}){region}: if it is the injection site or a spill, "
            "that part of the activity never reached the blood."
        )


def find_injection_site(
    counts: NDArray[np.floating], pixel_mm: tuple[float, float], left_out: NDArray[np.bool_] | None = None
) -> InjectionSite | None:
    """Look for one small spot, far from the middle of the body, that outshines it and holds many of the counts.

    Parameters
    ----------
    counts : (rows, columns) array
        An anterior or posterior view of one energy window.
    pixel_mm : (between rows, between columns)
    left_out : (rows, columns) bool array or None
        Where the spot is no surprise: regions that a reader drew.

    Returns
    -------
    InjectionSite or None
    """
    total = float(counts.sum(dtype=np.float64))
    if total < _FEWEST_COUNTS:
        return None
    smooth = ndimage.gaussian_filter(np.asarray(counts, np.float64), [_FWHM_MM / 2.355 / mm for mm in pixel_mm])
    hot = smooth if left_out is None else np.where(left_out, 0.0, smooth)
    row, column = (int(i) for i in np.unravel_index(int(hot.argmax()), hot.shape))
    peak = float(hot[row, column])
    core = _around(hot > _CORE * peak, row, column)
    far = ndimage.distance_transform_edt(~core, sampling=pixel_mm) > _REACH_MM
    # The upper tenth is body wherever a tenth of the view is.
    body = far & (smooth > 0.25 * float(np.percentile(smooth[far], 90))) if np.any(far) else far
    typical = float(np.median(smooth[body])) if np.any(body) else 0.0
    area_cm2 = np.count_nonzero(core) * pixel_mm[0] * pixel_mm[1] / 100.0
    spot = _around(hot > max(_SKIRT * peak, _TIMES_OWN * typical), row, column)
    share = float(counts[spot].sum(dtype=np.float64) - typical * np.count_nonzero(spot)) / total
    if peak < _TIMES_BODY * typical or area_cm2 > _LARGEST_CM2 or share < _LEAST_SHARE:
        return None
    if not _at_the_side(body | core, row, column, pixel_mm[0]):
        return None
    return InjectionSite(row, column, area_cm2, share)


def _around(above: NDArray[np.bool_], row: int, column: int) -> NDArray[np.bool_]:
    parts, _ = ndimage.label(above)
    return np.asarray(parts == parts[row, column]) & above


def _at_the_side(seen: NDArray[np.bool_], row: int, column: int, row_mm: float) -> bool:
    """Tell whether a place lies far from the middle of what is seen at its height."""
    near = int(np.ceil(_NEAR_MM / row_mm))
    columns = np.flatnonzero(seen[max(row - near, 0) : row + near + 1].any(axis=0))
    middle, half = (columns[0] + columns[-1]) / 2.0, (columns[-1] - columns[0]) / 2.0
    return bool(abs(column - middle) > _FROM_THE_MIDDLE * max(half, 1.0))
