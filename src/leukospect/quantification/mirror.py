"""The body's outline, its midline, and the contralateral mirror of a lesion as its reference region."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Geometry, Image
from leukospect.errors import AssumptionWarning, GeometryError, InputError
from leukospect.quantification.labels import label_image, region_of_label, side_of
from leukospect.quantification.measurements import Region

# Physiological uptake that is on both sides alike is what a lesion there is to be compared with.
_FREE_FOR_MIRRORS = ("marrow", "blood vessel")
# Below this part of the lesion's volume what is left of a mirror says nothing.
_SMALLEST_MIRROR = 0.25


def body_outline(image: Image, fraction_of_mean: float = 0.25) -> NDArray[np.bool_]:
    """Estimate where the body is from an emission image.

    Parameters
    ----------
    image : Image
        Uptake, non-negative.
    fraction_of_mean : float
        Voxels of the smoothed image (FWHM 14 mm) above this part of the mean of its positive voxels are body.

    Returns
    -------
    (slices, rows, columns) bool array
        Parts of at least a tenth of the largest part's volume, holes filled in every slice.

    Raises
    ------
    InputError
        The image holds no uptake.
    """
    sigma = 14.0 / 2.355 / np.asarray(image.geometry.spacing_mm)
    smooth = ndimage.gaussian_filter(np.asarray(image.array, dtype=np.float32), sigma)
    positive = smooth > 0
    if not np.any(positive):
        raise InputError("The image holds no uptake, so the body cannot be seen in it.")
    # The floor keeps the far tails of the smoothing, which cover much of the air, out of the mean.
    level = smooth[smooth > 1e-3 * smooth.max()].mean()
    parts, _ = ndimage.label(smooth > fraction_of_mean * level)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    body = np.isin(parts, np.flatnonzero((sizes > 0) & (sizes >= 0.1 * sizes.max())))
    return np.stack([ndimage.binary_fill_holes(plane) for plane in body])


def midline_x_mm(body: NDArray[np.bool_], geometry: Geometry) -> NDArray[np.float64]:
    """Find the midline of each slice: the middle between the body's outermost voxels in x.

    Parameters
    ----------
    body : (slices, rows, columns) bool array
    geometry : Geometry
        Axial.

    Returns
    -------
    (slices,) array
        LPS x in mm. A running median over about 30 mm takes out single slices; slices without body have the nearest
        one's value.

    Raises
    ------
    GeometryError
        The grid is not axial.
    InputError
        The body has no voxel or another grid.
    """
    _require_axial(geometry)
    if body.shape != geometry.shape:
        raise InputError(f"The body outline of shape {body.shape} does not fit the image of {geometry.shape}.")
    columns: NDArray[np.bool_] = np.logical_or.reduce(body, axis=1)
    filled = np.flatnonzero(np.logical_or.reduce(columns, axis=1))
    if filled.size == 0:
        raise InputError("The body outline is empty, so the midline is not known.")
    last = columns.shape[1] - 1
    centre = (columns.argmax(axis=1) + last - columns[:, ::-1].argmax(axis=1)) / 2.0
    index = np.stack((filled, np.full(filled.size, (geometry.shape[1] - 1) / 2.0), centre[filled]), axis=-1)
    size = 2 * int(15.0 / geometry.spacing_mm[0]) + 1
    x = ndimage.median_filter(geometry.to_lps(index)[:, 0], size=size, mode="nearest")
    every = np.arange(geometry.shape[0])
    nearest = np.abs(every[:, None] - filled[None, :]).argmin(axis=1)
    return np.asarray(x[nearest], dtype=np.float64)


def midline_at(point_mm: tuple[float, float, float], geometry: Geometry, midline_mm: NDArray[np.float64]) -> float:
    """Return the midline's LPS x in the slice of a point, mm."""
    k = round(float(geometry.to_index(point_mm)[0]))
    return float(midline_mm[min(max(k, 0), len(midline_mm) - 1)])


def _require_axial(geometry: Geometry) -> None:
    directions = geometry.affine[:3, :3] / np.linalg.norm(geometry.affine[:3, :3], axis=0)
    if abs(directions[2, 0]) < 0.99 or abs(directions[0, 2]) < 0.99:
        raise GeometryError("A mirror region needs axial slices with columns along the patient's x axis.")


def mirrored_labels(labels: Image, midline_mm: NDArray[np.float64]) -> NDArray[np.integer]:
    """Reflect a label image across the midline, slice by slice, by nearest neighbour.

    Parameters
    ----------
    labels : Image
    midline_mm : (slices,) array

    Returns
    -------
    (slices, rows, columns) array
        At each voxel the label of the point on the other side.
    """
    geometry = labels.geometry
    mirrored = np.zeros_like(labels.array)
    rows, columns = np.indices(geometry.shape[1:])
    for k in range(geometry.shape[0]):
        points = geometry.to_lps(np.stack((np.full_like(rows, k), rows, columns), axis=-1))
        points[..., 0] = 2 * midline_mm[k] - points[..., 0]
        nearest = np.rint(geometry.to_index(points)).astype(np.int64)
        inside = ((nearest >= 0) & (nearest < geometry.shape)).all(axis=-1)
        mirrored[k][inside] = labels.array[tuple(nearest[inside].T)]
    return mirrored


def add_mirrors(labels: Image, regions: Sequence[Region], body: NDArray[np.bool_]) -> tuple[Image, tuple[Region, ...]]:
    """Give every lesion that has no reference region its contralateral mirror.

    The mirror is clipped to the body and leaves out what belongs to another region, but marrow and blood vessels, which
    it takes from their own. A lesion of which less than a
    quarter is left (on the midline, or with a lesion opposite) keeps no reference, with a warning: its uptake is
    measured, but it cannot be compared.

    Parameters
    ----------
    labels : Image
    regions : sequence of Region
    body : (slices, rows, columns) bool array

    Returns
    -------
    Image, tuple of Region
        Lesions with their references filled in and sides seen from the midline, then the mirrors.
    """
    midline = midline_x_mm(body, labels.geometry)
    reflected = mirrored_labels(labels, midline)
    free = [region.label for region in regions if region.likely in _FREE_FOR_MIRRORS]
    reflected[~body | ~np.isin(labels.array, [0, *free])] = 0
    result = labels.array.astype(np.uint16)
    described, wanted = [], []
    label = max((region.label for region in regions), default=0)
    for region in regions:
        if region.role != "lesion" or region.reference:
            described.append(region)
            continue
        here = midline_at(region.centroid_mm, labels.geometry, midline)
        placed = replace(region, side=side_of(region.centroid_mm[0], here))
        members = reflected == region.label
        if np.count_nonzero(members) < _SMALLEST_MIRROR * np.count_nonzero(labels.array == region.label):
            warnings.warn(
                f"The region '{region.name}' has no free mirror region on the other side; it has no reference.",
                AssumptionWarning,
                stacklevel=2,
            )
        else:
            label += 1
            result[members] = label
            placed = replace(placed, reference=f"mirror of {region.name}")
            wanted.append((label, placed.reference, here))
        described.append(placed)
    image = label_image(result, labels.geometry)
    mirrors = [
        region_of_label(
            image, label, name=name, role="reference", source="contralateral mirror of the lesion", midline_mm=here
        )
        for label, name, here in wanted
    ]
    return image, (*_without_mirrored(image, described), *mirrors)


def _without_mirrored(image: Image, regions: Sequence[Region]) -> list[Region]:
    """Give physiological places the volume that mirrors left them; what has none is listed no more."""
    left = []
    for region in regions:
        if region.likely in _FREE_FOR_MIRRORS:
            voxels = np.count_nonzero(image.array == region.label)
            if voxels == 0:
                continue
            left.append(replace(region, volume_ml=voxels * image.geometry.voxel_volume_ml))
        else:
            left.append(region)
    return left
