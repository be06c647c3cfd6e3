"""How far metal reaches in a slice: the contour half-way up its edge, found also where the scale cuts the edge off.

A blurred edge between tissue and metal of height A passes A / 2 where the metal ends. On an extended scale A is read
off. A 12-bit scale shows nothing above about 3071 HU: its contour at 3000 HU lies outside steel by about one standard
deviation of the blur. What it still shows is how steeply the edge falls below, and the skin, an edge of known height,
tells the blur; the two together give A and so how far inside the contour the metal ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import ndtr, ndtri

# Above what bone, teeth and contrast medium reach but by chance; below the top of a 12-bit scale.
METAL_LEVEL_HU = 3000.0
# Above bone as a rule: the lower level at which a cut-off edge is looked at.
DENSE_LEVEL_HU = 1900.0

_FINE = 3
_AROUND = np.ones((3, 3), dtype=np.bool_)
_BLUR_MM = (0.25, 1.2)
# Titanium alloy to steel, as CT shows them.
_HEIGHTS_HU = np.geomspace(3500.0, 30000.0, 64)
# Of the height over the background, left 1.5 standard deviations outside the contour: 0.1 for metal, 0.5 for the rest.
LARGEST_FALL = 0.36
_USUAL_HU, _USUAL_SPREAD = 10000.0, 0.6
_TITANIUM_HU = 8000.0
_FOOT_DOUBT, _LEAST_FOOT, _BONE_DOUBT_HU = 0.12, 0.15, 2000.0
_FEWEST_SKIN_EDGES = 16


@dataclass(frozen=True, slots=True, eq=False)
class Edge:
    """The surroundings of a dense thing in a slice, by distance from its contour at `METAL_LEVEL_HU`.

    Parameters
    ----------
    background_hu : float
        What it lies in: lower quartile beyond the blur, at least 0.
    fall : float
        What is left of the height over the background 1.5 standard deviations of blur (at least a pixel) outside.
        About 0.1 for metal, 0.5 for what hardly exceeds the level.
    foot_hu_mm : float
        What lies outside the contour over the background, by the contour's length.
    rim_pixels : int
        How many pixels border on it.
    steepest_hu : float
        Lowest value (5th percentile) that the edge falls to within 1.5 standard deviations of blur: that of metal falls
        to tissue's or a dark streak's somewhere, even where bone or a bright streak hides most of it.
    """

    background_hu: float
    fall: float
    foot_hu_mm: float
    rim_pixels: int
    steepest_hu: float


def skin_blur_mm(plane: NDArray[np.float32], pixel_mm: tuple[float, float]) -> float:
    """Measure the blur of a slice where tissue borders on air.

    Parameters
    ----------
    plane : (rows, columns) float32 array
        HU.
    pixel_mm : (between rows, between columns)

    Returns
    -------
    float
        Standard deviation of the edge's Gaussian, the pixel's own extent included, mm; 0 for a drawn image whose edges
        are sharp, NaN where too few edges are seen.
    """
    found: list[NDArray[np.float64]] = []
    for axis, spacing in enumerate(pixel_mm):
        # Every third line tells enough.
        hu = np.clip(np.moveaxis(plane, axis, 0)[:, ::3], -1000.0, 200.0)
        before, low, high, after = hu[:-5], hu[2:-3], hu[3:-2], hu[5:]
        rising = (low < -500.0) & (high >= -500.0) & (before < -850.0) & (after > -200.0)
        falling = (high < -500.0) & (low >= -500.0) & (after < -850.0) & (before > -200.0)
        edge = rising | falling
        step = np.abs(after - before)[edge]
        steep = np.abs(high - low)[edge] / np.maximum(step, 1.0)
        if steep.size:
            # The steepest run along this axis and are cut near their middle.
            share = np.clip(np.quantile(steep, 0.85), 0.05, 1.0)
            sigma = 0.0 if share > 0.97 else -0.5 * spacing / float(ndtri(0.5 - 0.5 * share))
            found.append(np.full(steep.size, sigma))
    sigmas = np.concatenate(found) if found else np.zeros(0)
    return float(np.mean(sigmas)) if sigmas.size >= _FEWEST_SKIN_EDGES else float("nan")


def usable_blur_mm(measured_mm: float, pixel_mm: tuple[float, float]) -> float:
    """Bound a measured blur by what CT scanners have; where none could be measured take a body kernel's."""
    if measured_mm == 0.0:
        return 0.0
    if not np.isfinite(measured_mm):
        return max(0.6, 0.45 * max(pixel_mm))
    return float(np.clip(measured_mm, max(_BLUR_MM[0], 0.3 * min(pixel_mm)), max(_BLUR_MM[1], 1.2 * max(pixel_mm))))


def edge_of(patch: NDArray[np.float32], seed: NDArray[np.bool_], pixel_mm: tuple[float, float], blur_mm: float) -> Edge:
    """Look at the edge of a dense thing.

    Parameters
    ----------
    patch : (rows, columns) float32 array
        HU with a margin of several mm around it.
    seed : (rows, columns) bool array
        Its pixels above `METAL_LEVEL_HU`; others in the patch are left out.
    pixel_mm : (between rows, between columns)
    blur_mm : float
        See `skin_blur_mm`.
    """
    others = (patch >= METAL_LEVEL_HU) & ~seed
    fine = ndimage.zoom(patch, [(_FINE * (n - 1) + 1) / n for n in patch.shape], order=1)
    near = _finer(ndimage.binary_dilation(seed, structure=_AROUND), fine.shape)
    inside = (fine >= METAL_LEVEL_HU) & near
    sampling = (pixel_mm[0] / _FINE, pixel_mm[1] / _FINE)
    half = 0.5 * min(sampling)
    outward = np.asarray(ndimage.distance_transform_edt(~inside, sampling=sampling)) - half
    inward = np.asarray(ndimage.distance_transform_edt(inside, sampling=sampling)) - half
    signed = np.where(inside, -inward, outward)
    free = ~_finer(ndimage.binary_dilation(others, structure=_AROUND, iterations=2), fine.shape)
    reach = max(1.5 * blur_mm, *pixel_mm)
    # A nail lies in marrow within cortical bone: what is near counts where it is lower.
    background = min(
        _quantile_between(fine, signed, free, 2.0 * reach, 2.0 * reach + 4.0, 0.25),
        _quantile_between(fine, signed, free, 1.7 * reach, 2.3 * reach, 0.25),
    )
    background = float(np.clip(background, 0.0, DENSE_LEVEL_HU - 100.0)) if np.isfinite(background) else 0.0
    width = 0.6 * max(sampling)
    outer = _quantile_between(fine, signed, free, reach - width, reach + width, 0.25)
    fall = (outer - background) / (METAL_LEVEL_HU - background) if np.isfinite(outer) else 1.0
    foot = _foot(patch, seed, others, background, pixel_mm)
    steepest = _quantile_between(fine, signed, free, reach - width, reach + width, 0.05)
    return Edge(background, max(0.0, fall), *foot, steepest if np.isfinite(steepest) else METAL_LEVEL_HU)


def cut_off_height_hu(edge: Edge, blur_mm: float) -> float:
    """Estimate the height of an edge of which only the foot is on the scale, HU; NaN where it has no blur.

    The foot holds blur x height x (f(z) - z F(-z)) per length of edge, f and F the normal density and distribution, z
    the contour's distance from the edge in standard deviations: 2100 HU x blur for titanium, 1550 for cobalt-chrome. As
    blur and length are known to some ten per cent only, the common heights of metal weigh, too.
    """
    if blur_mm <= 0.0:
        return float("nan")
    if edge.fall > LARGEST_FALL:
        return _USUAL_HU  # what it lies in hides the foot
    over = _HEIGHTS_HU - edge.background_hu
    z = -ndtri((METAL_LEVEL_HU - edge.background_hu) / over)
    foot = blur_mm * over * (np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi) - z * ndtr(-z))
    if edge.foot_hu_mm < _LEAST_FOOT * foot.min():
        return float("nan")  # drawn into the image with a sharp edge
    # Where it lies in bone, what the foot stands on is not known well.
    doubt = np.linalg.norm([_FOOT_DOUBT, 0.6 / np.sqrt(max(edge.rim_pixels, 1)), edge.background_hu / _BONE_DOUBT_HU])
    misfit = ((edge.foot_hu_mm / foot - 1.0) / doubt) ** 2 + (np.log(_HEIGHTS_HU / _USUAL_HU) / _USUAL_SPREAD) ** 2
    return float(_HEIGHTS_HU[np.argmin(misfit)])


def within_cut_off_edge(
    patch: NDArray[np.float32], seed: NDArray[np.bool_], edge: Edge, pixel_mm: tuple[float, float], blur_mm: float
) -> tuple[NDArray[np.bool_], float]:
    """Mark the pixels inside the true edge of metal that the scale cuts off.

    A pixel beside the metal tells by its value how far it lies from the edge; one that is cut off lies no further in
    than the nearest of those say.

    Returns
    -------
    tuple
        (rows, columns) bool array, and the edge's estimated height, HU.
    """
    height = cut_off_height_hu(edge, blur_mm)
    if not np.isfinite(height):
        return seed, height
    share = np.clip((patch - edge.background_hu) / (height - edge.background_hu), 0.01, 0.99)
    rim = ndimage.binary_dilation(seed, structure=_AROUND, iterations=2) & ~seed
    inward = np.where(rim, blur_mm * ndtri(share), np.inf)
    depth = np.full(patch.shape, np.inf)
    framed = np.pad(inward, 2, constant_values=np.inf)
    rows, columns = patch.shape
    for y in range(-2, 3):
        for x in range(-2, 3):
            away = float(np.hypot(y * pixel_mm[0], x * pixel_mm[1]))
            depth = np.minimum(depth, framed[2 + y : 2 + y + rows, 2 + x : 2 + x + columns] + away)
    return (seed & (depth >= 0.0)) | (rim & (inward >= 0.0)), height


def least_bloom_mm(edge: Edge, blur_mm: float) -> float:
    """Give how far the contour of the least dense metal, titanium, lies outside its edge; any other's lies further."""
    return float(-blur_mm * ndtri((METAL_LEVEL_HU - edge.background_hu) / (_TITANIUM_HU - edge.background_hu)))


def moved_in(
    patch: NDArray[np.float32], mask: NDArray[np.bool_], pixel_mm: tuple[float, float], by_mm: float
) -> NDArray[np.bool_]:
    """Mark the pixels of a mask that lie further than a distance within its contour."""
    fine = ndimage.zoom(patch, [(_FINE * (n - 1) + 1) / n for n in patch.shape], order=1)
    inside = (fine >= METAL_LEVEL_HU) | _finer(ndimage.binary_erosion(mask, structure=_AROUND), fine.shape)
    inside &= _finer(ndimage.binary_dilation(mask, structure=_AROUND), fine.shape)
    sampling = (pixel_mm[0] / _FINE, pixel_mm[1] / _FINE)
    inward = np.asarray(ndimage.distance_transform_edt(inside, sampling=sampling)) - 0.5 * min(sampling)
    return np.asarray(mask & (inward[::_FINE, ::_FINE] >= by_mm), dtype=np.bool_)


def _finer(mask: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Bring a mask to the finer grid, each fine pixel as its nearest coarse one."""
    rows, columns = (np.rint(np.arange(n) / _FINE).astype(np.intp) for n in shape)
    return mask[rows[:, None], columns[None, :]]


def _quantile_between(
    fine: NDArray[np.float32],
    signed: NDArray[np.float64],
    free: NDArray[np.bool_],
    from_mm: float,
    to_mm: float,
    share: float,
) -> float:
    values = fine[free & (signed >= from_mm) & (signed <= to_mm)]
    return float(np.quantile(values, share)) if values.size else float("nan")


def _foot(
    patch: NDArray[np.float32],
    seed: NDArray[np.bool_],
    others: NDArray[np.bool_],
    background_hu: float,
    pixel_mm: tuple[float, float],
) -> tuple[float, int]:
    """Sum what two pixels outside a contour hold over the background, by its length (HU mm), and count the touching."""
    square = _AROUND
    free = ~ndimage.binary_dilation(others, structure=square, iterations=2)
    rim = ndimage.binary_dilation(seed, structure=square, iterations=2) & ~seed & free
    touching = int(np.count_nonzero(ndimage.binary_dilation(seed) & rim))
    down = np.count_nonzero((seed[1:] & rim[:-1]) | (seed[:-1] & rim[1:]))
    across = np.count_nonzero((seed[:, 1:] & rim[:, :-1]) | (seed[:, :-1] & rim[:, 1:]))
    if not touching:
        return 0.0, 0
    # A closed contour's length is pi/4 of what its crossings of rows and columns add up to.
    length = 0.25 * np.pi * (down * pixel_mm[1] + across * pixel_mm[0])
    excess = float(np.sum(np.clip(patch[rim], -1000.0, METAL_LEVEL_HU) - background_hu)) * pixel_mm[0] * pixel_mm[1]
    return max(0.0, excess) / length, touching
