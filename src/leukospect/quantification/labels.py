"""Label images: describe a label as a region, take labels to another grid."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from leukospect.data import Geometry, Image
from leukospect.errors import InputError
from leukospect.quantification.measurements import Region, Role

# A centroid nearer than this to the midline belongs to neither side.
_MIDLINE_TOLERANCE_MM = 5.0


def label_image(labels: NDArray[np.integer], geometry: Geometry) -> Image:
    """Make a label image of the smallest unsigned type that holds its labels; 0 is no region."""
    kind = np.uint8 if labels.max(initial=0) <= np.iinfo(np.uint8).max else np.uint16
    return Image(labels.astype(kind), geometry, "label")


def side_of(x_mm: float, midline_mm: float = 0.0) -> Literal["left", "right", "midline"]:
    """Tell the patient's side: x grows to the patient's left; within 5 mm of the midline is neither."""
    if abs(x_mm - midline_mm) < _MIDLINE_TOLERANCE_MM:
        return "midline"
    return "left" if x_mm > midline_mm else "right"


def region_of_label(
    labels: Image,
    label: int,
    *,
    name: str,
    role: Role,
    reference: str = "",
    source: str = "drawn",
    midline_mm: float = 0.0,
) -> Region:
    """Describe one label of a label image.

    Parameters
    ----------
    labels : Image
        Integers, 0 is no region.
    label : int
    name, role, reference, source
        As in `Region`.
    midline_mm : float
        LPS x of the body's midline where the region lies.

    Raises
    ------
    InputError
        No voxel has the label.
    """
    indices = np.argwhere(labels.array == label)
    if indices.size == 0:
        raise InputError(f"The region '{name}' covers no voxel of the image; enlarge it or check its position.")
    x, y, z = labels.geometry.to_lps(indices.mean(axis=0))
    return Region(
        label=label,
        name=name,
        role=role,
        reference=reference,
        volume_ml=len(indices) * labels.geometry.voxel_volume_ml,
        centroid_mm=(float(x), float(y), float(z)),
        side=side_of(float(x), midline_mm),
        source=source,
    )


def resample_labels(labels: Image, geometry: Geometry) -> Image:
    """Take a label image to another grid by nearest neighbour; outside the label image there is no region.

    Parameters
    ----------
    labels : Image
        Integers.
    geometry : Geometry
        The grid wanted.
    """
    if labels.geometry.same_grid(geometry):
        return Image(labels.array, geometry, labels.unit)
    resampled = np.zeros(geometry.shape, dtype=labels.array.dtype)
    rows, columns = np.indices(geometry.shape[1:])
    for k in range(geometry.shape[0]):
        indices = np.stack((np.full_like(rows, k), rows, columns), axis=-1)
        nearest = np.rint(labels.geometry.to_index(geometry.to_lps(indices))).astype(np.int64)
        inside = ((nearest >= 0) & (nearest < labels.geometry.shape)).all(axis=-1)
        resampled[k][inside] = labels.array[tuple(nearest[inside].T)]
    return Image(resampled, geometry, labels.unit)
