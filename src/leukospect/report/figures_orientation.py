"""Which way up: volumes brought to one orientation through their affine, and the pictures cut from them.

Axial pictures are seen from the feet (patient left on the viewer's right, anterior up), coronal ones from the front
(patient left on the viewer's right, head up), sagittal ones from the left (anterior on the viewer's left, head up).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize

from leukospect.data import Geometry, Image

Extent = tuple[float, float, float, float]
Letters = tuple[str, str, str, str]
Box = tuple[slice, slice, slice]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture ready to draw.

    Parameters
    ----------
    pixels : (rows, columns) array
        Row 0 on top, column 0 on the viewer's left.
    extent_mm : (left, right, bottom, top)
        Outer edges in the two patient axes shown.
    letters : (left, right, top, bottom)
        What lies on each side: R, L, A, P, H, F; empty where it is not known.
    """

    pixels: NDArray[Any]
    extent_mm: Extent
    letters: Letters

    @property
    def size_mm(self) -> tuple[float, float]:
        """Width and height, mm."""
        left, right, bottom, top = self.extent_mm
        return abs(right - left), abs(top - bottom)

    def centres_mm(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Horizontal and vertical coordinates of the pixel centres: (columns,) and (rows,), mm."""
        rows, columns = self.pixels.shape[:2]
        left, right, bottom, top = self.extent_mm
        across = left + (np.arange(columns) + 0.5) * (right - left) / columns
        down = top + (np.arange(rows) + 0.5) * (bottom - top) / rows
        return across, down


def canonical(image: Image) -> Image:
    """Bring a volume to slices towards the head, rows towards the back and columns towards the patient's left.

    Grids whose axes run along the patient's are only permuted and flipped (a view, exact to the bit). Oblique ones are
    resampled on an axial grid of the same spacing that holds them, linearly, and labels to the nearest.
    """
    directions = image.geometry.affine[:3, :3] / np.linalg.norm(image.geometry.affine[:3, :3], axis=0)
    # for each patient axis z, y, x the array axis that runs along it, each used once
    _, order = optimize.linear_sum_assignment(-np.abs(directions[::-1]))
    signs = np.array([directions[2 - axis, order[axis]] for axis in range(3)])
    if np.abs(signs).min() < 1.0 - 1e-5:
        return _resampled_axially(image, order)
    array = image.array.transpose(order)
    first = np.zeros(3)
    for axis in range(3):
        if signs[axis] < 0:
            array = np.flip(array, axis)
            first[order[axis]] = image.geometry.shape[order[axis]] - 1
    spacing = [image.geometry.spacing_mm[axis] for axis in order]
    corner = image.geometry.to_lps(first)
    geometry = Geometry.axial(
        (array.shape[0], array.shape[1], array.shape[2]),
        (spacing[0], spacing[1], spacing[2]),
        (float(corner[0]), float(corner[1]), float(corner[2])),
    )
    return Image(array, geometry, image.unit)


def _resampled_axially(image: Image, order: NDArray[np.intp]) -> Image:
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in image.geometry.shape])).reshape(3, -1).T
    points = image.geometry.to_lps(corners)
    low, high = points.min(axis=0), points.max(axis=0)
    spacing = np.array([image.geometry.spacing_mm[axis] for axis in order])
    shape = np.ceil((high - low)[::-1] / spacing).astype(int) + 1
    geometry = Geometry.axial(
        (int(shape[0]), int(shape[1]), int(shape[2])),
        (float(spacing[0]), float(spacing[1]), float(spacing[2])),
        (float(low[0]), float(low[1]), float(low[2])),
    )
    to_source = np.linalg.inv(image.geometry.affine) @ geometry.affine
    labels = image.unit == "" and image.array.dtype.kind in "iub"
    array = ndimage.affine_transform(
        image.array.astype(np.int32 if labels else np.float32),
        to_source[:3, :3],
        to_source[:3, 3],
        output_shape=geometry.shape,
        order=0 if labels else 1,
        cval=float(image.array.min()),
    )
    return Image(array, geometry, image.unit)


def edges_mm(image: Image, axis: int) -> tuple[float, float]:
    """Outer edges of a canonical volume along its axis k, j or i (0, 1, 2), mm in LPS, low then high."""
    spacing = image.geometry.spacing_mm[axis]
    low = float(image.geometry.affine[2 - axis, 3]) - spacing / 2
    return low, low + spacing * image.geometry.shape[axis]


def axial(image: Image, k: int) -> Picture:
    """Cut slice k of a canonical volume, seen from the feet."""
    (left, right), (front, back) = edges_mm(image, 2), edges_mm(image, 1)
    return Picture(image.array[k], (left, right, back, front), ("R", "L", "A", "P"))


def coronal(image: Image, j: int) -> Picture:
    """Cut row j of a canonical volume, seen from the front."""
    return Picture(image.array[::-1, j, :], (*edges_mm(image, 2), *edges_mm(image, 0)), ("R", "L", "H", "F"))


def sagittal(image: Image, i: int) -> Picture:
    """Cut column i of a canonical volume, seen from the patient's left."""
    return Picture(image.array[::-1, :, i], (*edges_mm(image, 1), *edges_mm(image, 0)), ("A", "P", "H", "F"))


def index_of(image: Image, point_mm: tuple[float, float, float]) -> tuple[int, int, int]:
    """Find the voxel (k, j, i) of a volume nearest to a point in LPS mm; one outside gets the nearest of the edge."""
    index = np.rint(image.geometry.to_index(point_mm)).astype(int)
    k, j, i = (int(n) for n in np.clip(index, 0, np.array(image.geometry.shape) - 1))
    return k, j, i


def orthogonal(image: Image, point_mm: tuple[float, float, float]) -> tuple[Picture, Picture, Picture]:
    """Cut the axial, coronal and sagittal pictures of a canonical volume through a point in LPS mm."""
    k, j, i = index_of(image, point_mm)
    return axial(image, k), coronal(image, j), sagittal(image, i)


def cropped(image: Image, box: Box) -> Image:
    """Keep a box of a canonical volume, in its place."""
    first = image.geometry.to_lps([s.start for s in box])
    array = image.array[box]
    geometry = Geometry.axial(
        (array.shape[0], array.shape[1], array.shape[2]),
        image.geometry.spacing_mm,
        (float(first[0]), float(first[1]), float(first[2])),
    )
    return Image(array, geometry, image.unit)


def body_level(emission: Image, top: float) -> float:
    """Give a level of uptake that a body exceeds and air does not: 4 % of a scale's top, or half the mean if lower."""
    return min(0.04 * top, 0.5 * float(emission.array.mean(dtype=np.float64)))


def box_above(image: Image, threshold: float, margin_mm: float) -> Box:
    """Find the box that holds what lies above a threshold, and a margin; the whole volume where nothing does.

    Looks at every third voxel across, which is enough for a frame around a body.
    """
    step = 3 if max(image.geometry.shape) > 150 else 1
    values: NDArray[Any] = image.array
    above = values[:, ::step, ::step] > threshold
    if not above.any():
        k, j, i = image.geometry.shape
        return slice(0, k), slice(0, j), slice(0, i)
    box = []
    for axis, stride in enumerate((1, step, step)):
        other = tuple(a for a in range(3) if a != axis)
        hit = np.flatnonzero(above.any(axis=other)) * stride
        margin = round(margin_mm / image.geometry.spacing_mm[axis])
        stop = min(int(hit[-1]) + stride + margin, image.geometry.shape[axis])
        box.append(slice(max(int(hit[0]) - margin, 0), stop))
    return box[0], box[1], box[2]
