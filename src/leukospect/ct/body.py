"""Where the patient is in a CT volume, without the couch, clothes and wires."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Image

BODY_THRESHOLD_HU = -300.0

# Coarse enough to be quick on a whole CT, fine enough for a couch's shell to be thinner than the opening.
_GRID_MM = 4.0
_OPENING_RADIUS_MM = 8.0
# Two legs, or an arm beside the body, are components of their own; what is left of a couch is far smaller.
_LEAST_PART_OF_LARGEST = 0.1
# Lungs are denser than this, and so much of their wall is thicker than the opening.
_LEAST_LUNG_HU, _LEAST_THICK_WALL = -930.0, 0.3
_IN_PLANE = np.stack([np.zeros((3, 3)), ndimage.generate_binary_structure(2, 1), np.zeros((3, 3))]).astype(np.bool_)
# Half the width of the widest notch that a dark streak cuts into the outline, and how far from the metal.
_NOTCH_MM, _NOTCH_REACH_MM = 40.0, 120.0
_METAL_HU, _FEWEST_METAL = 3000.0, 4


def body_outline(image: Image) -> NDArray[np.bool_]:
    """Find the patient's body, holes within a slice filled.

    The CT is averaged to about 4 mm in the slice's plane and cut at -300 HU; an opening by 8 mm takes off the couch's
    shell and wires on the skin; components of at least a tenth of the largest are kept, so that two legs both are.
    Lungs are filled before, since the wall round them may be thinner than what the opening leaves.
    The dark streaks of metal may be as dark as air: notches of a part's outline near metal are closed.

    Parameters
    ----------
    image : Image
        CT in HU.

    Returns
    -------
    (slices, rows, columns) bool array
        All false where nothing exceeds the threshold. The outline is true to about 4 mm.
    """
    factors = tuple(max(1, round(_GRID_MM / spacing)) for spacing in image.geometry.spacing_mm[1:])
    means = _block_means(image.array, factors)
    coarse = means > BODY_THRESHOLD_HU
    spacing = tuple(s * f for s, f in zip(image.geometry.spacing_mm[1:], factors, strict=True))
    thick = _opened(coarse, spacing)
    body = _filled(_largest_parts(_opened(coarse | _lungs(means, coarse, thick), spacing)))
    for k in _slices_with_metal(image.array):
        body[k] = _without_notches(body[k], _block_any(image.array[k] >= _METAL_HU, factors), spacing)
    fine = np.repeat(np.repeat(body, factors[0], axis=1), factors[1], axis=2)
    return np.ascontiguousarray(fine[:, : image.array.shape[1], : image.array.shape[2]])


def _block_means(array: NDArray[np.generic], factors: tuple[int, ...]) -> NDArray[np.float32]:
    """Average blocks of rows and columns; the last ones are filled up with the edge's values."""
    slices, rows, columns = array.shape
    means = np.empty((slices, -(-rows // factors[0]), -(-columns // factors[1])), dtype=np.float32)
    margin = ((0, means.shape[1] * factors[0] - rows), (0, means.shape[2] * factors[1] - columns))
    for k in range(slices):
        padded = np.pad(array[k].astype(np.float32), margin, mode="edge")
        blocks = padded.reshape(means.shape[1], factors[0], means.shape[2], factors[1])
        means[k] = blocks.mean(axis=(1, 3))
    return means


def _opened(mask: NDArray[np.bool_], spacing_mm: tuple[float, ...]) -> NDArray[np.bool_]:
    """Open within the slices by a disc; a body cut off by the image's edge is taken to go on beyond it."""
    reach = [int(_OPENING_RADIUS_MM / s) for s in spacing_mm]
    y, x = np.mgrid[-reach[0] : reach[0] + 1, -reach[1] : reach[1] + 1]
    disc = np.hypot(y * spacing_mm[0], x * spacing_mm[1]) <= _OPENING_RADIUS_MM
    margin = ((0, 0), (reach[0], reach[0]), (reach[1], reach[1]))
    opened = ndimage.binary_opening(np.pad(mask, margin, mode="edge"), structure=disc[None])
    rows, columns = mask.shape[1:]
    return np.asarray(opened[:, reach[0] : reach[0] + rows, reach[1] : reach[1] + columns], dtype=np.bool_)


def _largest_parts(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    labels, _ = ndimage.label(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray((sizes >= max(1.0, _LEAST_PART_OF_LARGEST * sizes.max()))[labels], dtype=np.bool_)


def _filled(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill what is enclosed within a slice: background that no path in the slice joins to the slice's border."""
    labels, count = ndimage.label(~mask, structure=_IN_PLANE)
    outside = np.zeros(count + 1, dtype=np.bool_)
    for edge in (labels[:, 0], labels[:, -1], labels[:, :, 0], labels[:, :, -1]):
        outside[np.unique(edge)] = True
    outside[0] = False
    return ~outside[labels]


def _lungs(means_hu: NDArray[np.float32], tissue: NDArray[np.bool_], thick: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark what a slice's tissue encloses, some of it thick, and what is not as thin as air or a couch's foam."""
    enclosed = _filled(tissue) & ~tissue
    labels, count = ndimage.label(enclosed, structure=_IN_PLANE)
    if not count:
        return enclosed
    middle = np.full(count + 1, -np.inf)
    middle[1:] = ndimage.median(means_hu[enclosed], labels[enclosed], np.arange(1, count + 1))
    wall = np.where(tissue, ndimage.grey_dilation(labels, footprint=_IN_PLANE), 0)
    of_thick = np.bincount(wall[thick], minlength=count + 1) / np.maximum(np.bincount(wall.ravel()), 1)
    lung = (middle > _LEAST_LUNG_HU) & (of_thick > _LEAST_THICK_WALL)
    return np.asarray(lung[labels], dtype=np.bool_)


def _slices_with_metal(array: NDArray[np.generic]) -> list[int]:
    return [k for k, plane in enumerate(array) if np.count_nonzero(plane >= _METAL_HU) >= _FEWEST_METAL]


def _block_any(mask: NDArray[np.bool_], factors: tuple[int, ...]) -> NDArray[np.bool_]:
    """Mark the blocks of rows and columns that hold something."""
    any_of = np.zeros(tuple(-(-n // f) for n, f in zip(mask.shape, factors, strict=True)), dtype=np.bool_)
    rows, columns = np.nonzero(mask)
    any_of[rows // factors[0], columns // factors[1]] = True
    return any_of


def _without_notches(
    body: NDArray[np.bool_], metal: NDArray[np.bool_], spacing_mm: tuple[float, ...]
) -> NDArray[np.bool_]:
    """Close each part of a slice's outline near metal; parts are not joined."""
    labels, count = ndimage.label(body)
    if not count:
        return body
    near = ndimage.distance_transform_edt(~metal, sampling=spacing_mm) <= _NOTCH_REACH_MM
    margin = [int(_NOTCH_MM / s) + 2 for s in spacing_mm]
    inner = tuple(slice(m, -m) for m in margin)
    closed = body.copy()
    for number in range(1, count + 1):
        part = labels == number
        if not (part & near).any():
            continue
        framed = np.pad(part, [(m, m) for m in margin])
        grown = ndimage.distance_transform_edt(~framed, sampling=spacing_mm) <= _NOTCH_MM
        whole = ndimage.distance_transform_edt(grown, sampling=spacing_mm) > _NOTCH_MM
        closed |= whole[inner] & near & ((labels == 0) | part)
    return np.asarray(_filled(closed[None])[0], dtype=np.bool_)
