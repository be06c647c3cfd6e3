"""Contrast agent in a CT: pools of iodine or barium, dense at the tube's energies and almost water at the photopeak.

Vessels, kidneys, bladder and bowel with contrast agent read like cancellous bone, and a map made of their CT numbers is
too high there: at 300 HU and 120 kV by about 19 % at 140 keV. A pool is told from bone by what it is: even inside, not
denser at its surface, and embedded in soft tissue, where bone has a dense shell and processes that leave it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Image

_GRID_MM = 3.0
_DENSE_HU = 150.0
_RIM_HU = 100.0
# Denser than this, what is even is as likely the compact bone of a shaft.
_DENSEST_HU = 1000.0
_OPENING_MM = 5.0
_AROUND_MM = 7.0
_LEAST_ML = 4.0
_METAL_MARGIN_MM = 12.0
_MOST_DENSE_AROUND = 0.3
_MOST_UNEVEN_HU, _MOST_UNEVEN = 22.0, 0.04
_LEAST_OF_MOST = 0.5
_SURFACE_TO_INSIDE = 1.08
_FEWEST_INSIDE = 20


@dataclass(frozen=True, slots=True, eq=False)
class ContrastAgent:
    """Pools of contrast agent.

    Parameters
    ----------
    mask : (slices, rows, columns) bool array
    volume_ml : float
    mean_hu : float
        Over the pools; NaN without one.
    pools : int
    """

    mask: NDArray[np.bool_]
    volume_ml: float
    mean_hu: float
    pools: int


def find_contrast_agent(
    image: Image, body: NDArray[np.bool_], metal: NDArray[np.generic] | None = None
) -> ContrastAgent:
    """Find pools of contrast agent in a CT.

    The CT is averaged to about 3 mm; regions above 150 HU that are at least 10 mm thick count, parted from what is
    thinner, such as ribs and the processes of vertebrae. A region is taken for contrast agent if its inside is
    even, of 1000 HU at most and of one density within a factor of two, its surface is not denser than its inside, and
    little of what surrounds it is dense.

    Parameters
    ----------
    image : Image
        CT in HU.
    body : (slices, rows, columns) bool array
        The patient, as `body_outline` finds it.
    metal : (slices, rows, columns) array or None
        Not zero in metal: its surroundings are left out.

    Returns
    -------
    ContrastAgent
    """
    factors = [max(1, int(_GRID_MM / step + 0.05)) for step in image.geometry.spacing_mm]
    spacing = tuple(step * factor for step, factor in zip(image.geometry.spacing_mm, factors, strict=True))
    means = _block_means(image.array, factors)
    inside = _block_means(body, factors) > 0.99
    if metal is not None and metal.any():
        near = ndimage.distance_transform_edt(~(_block_means(metal, factors) > 0), sampling=spacing)
        inside &= np.asarray(near) > _METAL_MARGIN_MM
    dense = (means > _DENSE_HU) & inside
    thick = _opened(dense, spacing)
    labels, _ = ndimage.label(thick)
    found = np.zeros(thick.shape, np.bool_)
    pools, margin = 0, [int(np.ceil(_AROUND_MM / step)) + 1 for step in spacing]
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        wide = tuple(
            slice(max(0, one.start - m), min(size, one.stop + m))
            for one, m, size in zip(box, margin, thick.shape, strict=True)
        )
        own = labels[wide] == number
        if np.count_nonzero(own) * np.prod(spacing) / 1000.0 >= _LEAST_ML and _is_pool(
            own, means[wide], dense[wide], spacing
        ):
            found[wide] |= own
            pools += 1
    mask = _on_fine_grid(found, image, factors)
    voxels = int(np.count_nonzero(mask))
    mean = float(means[found].mean(dtype=np.float64)) if pools else float("nan")
    return ContrastAgent(mask, voxels * image.geometry.voxel_volume_ml, mean, pools)


def _block_means(array: NDArray[np.generic], factors: list[int]) -> NDArray[np.float32]:
    """Average whole blocks of voxels; what fills no block at the far end is left out."""
    k, j, i = (size // factor for size, factor in zip(array.shape, factors, strict=True))
    means = np.empty((k, j, i), np.float32)
    for block in range(k):
        slab = array[block * factors[0] : (block + 1) * factors[0], : j * factors[1], : i * factors[2]]
        means[block] = slab.reshape(factors[0], j, factors[1], i, factors[2]).mean(axis=(0, 2, 4), dtype=np.float32)
    return means


def _opened(mask: NDArray[np.bool_], spacing_mm: tuple[float, ...]) -> NDArray[np.bool_]:
    """Open by a ball, by distances; the body goes on beyond the first and the last slice."""
    margin = int(np.ceil(_OPENING_MM / spacing_mm[0])) + 1
    wide = np.pad(mask, ((margin, margin), (0, 0), (0, 0)), mode="edge")
    core = np.asarray(ndimage.distance_transform_edt(wide, sampling=spacing_mm)) > _OPENING_MM
    if not core.any():
        return np.zeros_like(mask)
    near = np.asarray(ndimage.distance_transform_edt(~core, sampling=spacing_mm)) <= _OPENING_MM
    return np.asarray((near & wide)[margin:-margin])


def _is_pool(
    own: NDArray[np.bool_], hu: NDArray[np.float32], dense: NDArray[np.bool_], spacing_mm: tuple[float, ...]
) -> bool:
    padded = np.pad(own, ((1, 1), (0, 0), (0, 0)), mode="edge")
    depth = np.asarray(ndimage.distance_transform_edt(padded, sampling=spacing_mm))[1:-1]
    core = own & (depth > max(spacing_mm[1:]) * 1.5)
    if np.count_nonzero(core) < _FEWEST_INSIDE:
        return False
    typical = float(np.median(hu[core]))
    if typical > _DENSEST_HU:
        return False
    # Slow changes, as a layered bladder or a kidney's cortex and medulla have, are no unevenness.
    weight = ndimage.uniform_filter(core.astype(np.float32), 3)
    local = ndimage.uniform_filter(np.where(core, hu, 0), 3) / np.maximum(weight, 1e-3)
    uneven = 1.4826 * float(np.median(np.abs((hu - local)[core])))
    surface = own & ~core
    shell = np.asarray(ndimage.distance_transform_edt(~own, sampling=spacing_mm))
    around = (shell > max(spacing_mm)) & (shell <= _AROUND_MM)
    if not around.any():
        return False
    low, high = np.quantile(hu[core], (0.1, 0.9))
    return (
        float(low) >= _LEAST_OF_MOST * float(high)
        and uneven <= max(_MOST_UNEVEN_HU, _MOST_UNEVEN * typical)
        and float(np.quantile(hu[surface], 0.9)) <= _SURFACE_TO_INSIDE * float(high)
        and float(np.mean(dense[around])) <= _MOST_DENSE_AROUND
    )


def _on_fine_grid(found: NDArray[np.bool_], image: Image, factors: list[int]) -> NDArray[np.bool_]:
    """Bring pools to the CT's own voxels, with the dense rim that the coarse grid lost."""
    mask = np.zeros(image.array.shape, np.bool_)
    if not found.any():
        return mask
    wide = ndimage.binary_dilation(found)
    for block in np.flatnonzero(wide.any(axis=(1, 2))):
        fine = np.repeat(np.repeat(wide[block], factors[1], axis=0), factors[2], axis=1)
        rows, columns = fine.shape
        slab = slice(block * factors[0], (block + 1) * factors[0])
        mask[slab, :rows, :columns] = fine & (np.asarray(image.array[slab, :rows, :columns], np.float32) > _RIM_HU)
    return mask
