"""What a rendered view looks at: tissue, metal, the body and the uptake on one even grid of the CT's space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.ct.body import body_outline
from leukospect.data import Geometry, Image
from leukospect.registration.resampling import resample, smoothed
from leukospect.report.content import SpectPictures
from leukospect.report.figures_focus import spect_to_ct
from leukospect.report.figures_orientation import box_above, canonical, cropped

AIR_HU = -1000.0
_STEP_MM = 1.8
# coarser where a body is so long that it would hold more voxels than this
_MOST_VOXELS = 9_000_000
_METAL_HU = 3000.0
# less than that is a streak or noise, no bone
BONE_HU, _LEAST_BONE_ML = 200.0, 0.5
# what metal's blur makes of the tissue beside it is no bone
_BLUR_MM = 2.0
_SOFT_HU = 40.0
UPTAKE_FWHM_MM = 12.0
_MARGIN_MM = 6.0


def smooth_uptake(recon: Image) -> Image:
    """Smooth a reconstruction by 12 mm FWHM, so that a maximum along a ray shows uptake more than noise."""
    sigma_mm = UPTAKE_FWHM_MM / np.sqrt(8.0 * np.log(2.0))
    return Image(smoothed(_values(recon), recon.geometry, [sigma_mm] * 3), recon.geometry, recon.unit)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Volumes on one canonical grid of equal spacing, in the CT's space.

    Parameters
    ----------
    tissue : Image
        HU, slightly smoothed; soft tissue where there is metal and in its blur, air outside the body.
    metal : Image
        Part of each voxel that is metal, 0 to 1, slightly smoothed.
    body : Image
        1 in the body and 0 outside, smoothed.
    uptake : Image
        The reconstruction, registered, in its own unit; 0 where it was below.
    """

    tissue: Image
    metal: Image
    body: Image
    uptake: Image


def scene_of(pictures: SpectPictures) -> Scene:
    """Bring a SPECT/CT to the grid that it is rendered on: 1.8 mm, coarser for a long body.

    Parameters
    ----------
    pictures : SpectPictures
        With a CT. Where no metal was looked for, what has 3000 HU or more in the body is metal.

    Raises
    ------
    ValueError
        There is no CT; a caller asks first.
    """
    if pictures.ct is None:
        raise ValueError("scene_of needs a CT")
    ct = canonical(pictures.ct if pictures.ct_reduced is None else pictures.ct_reduced)
    box = box_above(ct, -400.0, _MARGIN_MM)
    hu = _coarse(cropped(ct, box))
    outline = body_outline(hu)
    if pictures.metal is None:
        metal = Image((outline & (_values(hu) >= _METAL_HU)).astype(np.float32), hu.geometry)
    else:
        metal = _coarse(cropped(canonical(pictures.metal), box), above=0.0)
    body = Image(outline.astype(np.float32) if outline.any() else np.ones_like(hu.array), hu.geometry)
    box = box_above(body, 0.5, _MARGIN_MM)
    hu, metal, body = cropped(hu, box), cropped(metal, box), cropped(body, box)
    grid = _even_grid(hu.geometry)
    to_spect = np.linalg.inv(spect_to_ct(pictures)).astype(np.float64)
    uptake = resample(pictures.recon, grid, fixed_to_moving=to_spect)
    return Scene(
        Image(_without_metal(hu, metal, body, grid), grid, "HU"),
        _on_grid(metal, grid, 0.6),
        _on_grid(body, grid, 2.5),
        Image(np.maximum(_values(uptake), np.float32(0.0)), grid, uptake.unit),
    )


def _without_metal(hu: Image, metal: Image, body: Image, grid: Geometry) -> NDArray[np.float32]:
    reach = [max(1, round(_BLUR_MM / s)) for s in metal.geometry.spacing_mm]
    near = ndimage.maximum_filter(_values(metal), size=[2 * n + 1 for n in reach]) > 0.1
    tissue = np.where(near, np.minimum(_values(hu), _SOFT_HU), _values(hu))
    pieces, count = ndimage.label(tissue > BONE_HU)
    small = np.bincount(pieces.ravel(), minlength=count + 1) * hu.geometry.voxel_volume_ml < _LEAST_BONE_ML
    small[0] = False
    tissue[small[pieces]] = _SOFT_HU
    return _values(_on_grid(Image(np.where(_values(body) > 0.5, tissue, AIR_HU), hu.geometry), grid, 0.7))


def _on_grid(image: Image, grid: Geometry, sigma_voxels: float) -> Image:
    fine = resample(image, grid, outside=float(image.array.min()))
    return Image(ndimage.gaussian_filter(_values(fine), sigma_voxels, mode="nearest"), grid, image.unit)


def _values(image: Image) -> NDArray[np.float32]:
    return np.asarray(image.array, dtype=np.float32)


def _coarse(image: Image, above: float | None = None) -> Image:
    """Average blocks of whole voxels up to the step; with `above`, the part of a block that exceeds it.

    A slab at a time, so that no second volume of a CT's size is made.
    """
    factors = [min(max(1, int(_STEP_MM / s + 0.2)), n) for s, n in
               zip(image.geometry.spacing_mm, image.geometry.shape, strict=True)]  # fmt: skip
    shape = [n // f for n, f in zip(image.geometry.shape, factors, strict=True)]
    means = np.empty(shape, np.float32)
    rows, columns = shape[1] * factors[1], shape[2] * factors[2]
    values: NDArray[Any] = image.array
    for k in range(shape[0]):
        slab = values[k * factors[0] : (k + 1) * factors[0], :rows, :columns]
        slab = slab if above is None else slab > above
        blocks = slab.reshape(factors[0], shape[1], factors[1], shape[2], factors[2])
        means[k] = blocks.mean(axis=(0, 2, 4), dtype=np.float32)
    first = image.geometry.to_lps([(f - 1) / 2 for f in factors])
    spacing = [s * f for s, f in zip(image.geometry.spacing_mm, factors, strict=True)]
    geometry = Geometry.axial(
        (shape[0], shape[1], shape[2]),
        (spacing[0], spacing[1], spacing[2]),
        (float(first[0]), float(first[1]), float(first[2])),
    )
    return Image(means, geometry, image.unit)


def _even_grid(geometry: Geometry) -> Geometry:
    """Make a grid of cubes over the same box."""
    size = np.array(geometry.spacing_mm) * geometry.shape
    step = max(_STEP_MM, float(np.cbrt(np.prod(size) / _MOST_VOXELS)))
    shape = np.maximum(np.rint(size / step), 1).astype(int)
    middle = geometry.to_lps((np.array(geometry.shape) - 1) / 2)
    first = middle - (shape[::-1] - 1) / 2 * step
    return Geometry.axial(
        (int(shape[0]), int(shape[1]), int(shape[2])),
        (step, step, step),
        (float(first[0]), float(first[1]), float(first[2])),
    )
