"""Sizes and shapes of dense things in a slice, and the slice's noise."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_AROUND = np.ones((3, 3), dtype=np.bool_)
_MARGIN_MM = 9.0


def noise_hu(plane: NDArray[np.float32]) -> float:
    """Estimate the standard deviation of the noise in a slice's soft tissue, HU; 0 where there is none.

    Second differences over two pixels see little of slow changes in the tissue, and of the neighbours' correlation.
    """
    left, middle, right = plane[::3, :-4], plane[::3, 2:-2], plane[::3, 4:]
    mean = (left + middle + right) / np.float32(3.0)
    differences = (middle - 0.5 * (left + right))[(mean > -200.0) & (mean < 300.0)]
    if differences.size < 50:
        return 0.0
    return float(1.4826 * np.median(np.abs(differences)) / np.sqrt(1.5))


def connected(
    mask: NDArray[np.bool_], pixel_mm: tuple[float, float]
) -> Iterator[tuple[tuple[slice, slice], NDArray[np.bool_]]]:
    """Give each connected part of a slice's mask in a window with a margin."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return
    top, left = int(rows[0]), int(columns[0])
    labels, _ = ndimage.label(mask[top : rows[-1] + 1, left : columns[-1] + 1], structure=_AROUND)
    for number, (own_rows, own_columns) in enumerate(ndimage.find_objects(labels), start=1):
        box = (
            slice(own_rows.start + top, own_rows.stop + top),
            slice(own_columns.start + left, own_columns.stop + left),
        )
        window = _widened(box, mask.shape, pixel_mm)
        seed = np.zeros((window[0].stop - window[0].start, window[1].stop - window[1].start), dtype=np.bool_)
        within = tuple(slice(one.start - at.start, one.stop - at.start) for one, at in zip(box, window, strict=True))
        seed[within] = labels[own_rows, own_columns] == number
        yield window, seed


def _widened(box: tuple[slice, slice], shape: tuple[int, ...], pixel_mm: tuple[float, float]) -> tuple[slice, slice]:
    margins = [max(5, round(_MARGIN_MM / mm)) for mm in pixel_mm]
    low = [max(0, one.start - margin) for one, margin in zip(box, margins, strict=True)]
    high = [min(n, one.stop + margin) for one, margin, n in zip(box, margins, shape, strict=True)]
    return slice(low[0], high[0]), slice(low[1], high[1])


def width_mm(mask: NDArray[np.bool_], pixel_mm: tuple[float, float]) -> float:
    """Width of the largest disc inside, mm."""
    depth = float(np.max(ndimage.distance_transform_edt(np.pad(mask, 1), sampling=pixel_mm), initial=0.0))
    return max(2.0 * depth - min(pixel_mm), 0.0)


def aspect(mask: NDArray[np.bool_], pixel_mm: tuple[float, float]) -> float:
    """Ratio of the long to the short axis of a piece; a pixel's own extent counts."""
    y, x = (axis * mm for axis, mm in zip(np.nonzero(mask), pixel_mm, strict=True))
    if y.size < 2:
        return 1.0
    spread = np.cov(np.stack([y, x])) + np.diag([mm**2 / 12.0 for mm in pixel_mm])
    low, high = np.linalg.eigvalsh(spread)
    return float(np.sqrt(high / low))
