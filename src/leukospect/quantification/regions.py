"""Regions of interest: drawn with shapes and rasterised onto an image's grid.

Regions found in the late image come from `leukospect.quantification.lesions`, mirrors from
`leukospect.quantification.mirror`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukospect.data import Geometry, Image
from leukospect.errors import AssumptionWarning, InputError
from leukospect.quantification.labels import label_image, region_of_label
from leukospect.quantification.lesions import find_lesions
from leukospect.quantification.mask_stack import MaskStack
from leukospect.quantification.measurements import Region, Role
from leukospect.quantification.shapes import Box, Cylinder, Shape, Sphere

__all__ = ["Box", "Cylinder", "RegionDefinition", "Shape", "Sphere", "check_definitions", "find_lesions", "rasterise"]

# Sample points along each edge of a voxel.
_SAMPLES = 4


@dataclass(frozen=True, slots=True)
class RegionDefinition:
    """A region as the union of shapes, or as drawn plane by plane.

    Parameters
    ----------
    name : str
    role : ``lesion`` or ``reference``
    reference : str
        For a lesion, the reference region's name; empty asks for the contralateral mirror.
    shapes : tuple of Sphere, Cylinder, Box or MaskStack
    """

    name: str
    role: Role
    reference: str
    shapes: tuple[Shape | MaskStack, ...]

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise InputError("Every region needs a name.")
        if self.role not in ("lesion", "reference"):
            raise InputError(f"The role of region '{self.name}' must be lesion or reference; found '{self.role}'.")
        if self.role == "reference" and self.reference:
            raise InputError(f"Region '{self.name}' is a reference and cannot have a reference itself.")
        if not self.shapes:
            raise InputError(f"Region '{self.name}' has no shape; give it a sphere, cylinder or box.")


def check_definitions(definitions: Sequence[RegionDefinition]) -> None:
    """Check that names differ and that every lesion's reference is there.

    Raises
    ------
    InputError
        Naming the region at fault.
    """
    names = [definition.name for definition in definitions]
    references = {definition.name for definition in definitions if definition.role == "reference"}
    for definition in definitions:
        if names.count(definition.name) > 1:
            raise InputError(f"Two regions are named '{definition.name}'; give each its own name.")
        if definition.reference and definition.reference not in references:
            raise InputError(
                f"Region '{definition.name}' is compared with '{definition.reference}', "
                "which is not the name of a reference region."
            )


def rasterise(
    definitions: Sequence[RegionDefinition], geometry: Geometry, minimum_fraction: float = 0.5
) -> tuple[Image, tuple[Region, ...]]:
    """Put regions onto a grid; where two overlap the one listed first has the voxels, with a warning.

    Parameters
    ----------
    definitions : sequence of RegionDefinition
    geometry : Geometry
    minimum_fraction : float
        A voxel belongs to a region that covers at least this part of it (by 4 x 4 x 4 sample points).

    Returns
    -------
    Image, tuple of Region
        Labels 1, 2, ... in the order given, and the regions.

    Raises
    ------
    InputError
        A region lies outside the image or covers no voxel, or the definitions contradict each other.
    """
    check_definitions(definitions)
    if not 0 < minimum_fraction <= 1:
        raise InputError(
            f"The minimum fraction of a voxel must lie above 0 and at most at 1; found {minimum_fraction}."
        )
    labels = np.zeros(geometry.shape, dtype=np.uint16)
    for label, definition in enumerate(definitions, start=1):
        inside = _members(definition, geometry, minimum_fraction)
        for earlier in np.unique(labels[inside & (labels > 0)]):
            warnings.warn(
                f"Regions '{definitions[earlier - 1].name}' and '{definition.name}' overlap; "
                f"the voxels of both are counted for '{definitions[earlier - 1].name}'.",
                AssumptionWarning,
                stacklevel=2,
            )
        labels[inside & (labels == 0)] = label
    image = label_image(labels, geometry)
    regions = tuple(
        region_of_label(image, label, name=d.name, role=d.role, reference=d.reference)
        for label, d in enumerate(definitions, start=1)
    )
    return image, regions


def _outside(name: str, geometry: Geometry) -> str:
    corners = geometry.to_lps(np.array(list(np.ndindex(2, 2, 2))) * (np.array(geometry.shape) - 1))
    low, high = corners.min(axis=0), corners.max(axis=0)
    reach = ", ".join(f"{axis} {a:.0f} to {b:.0f}" for axis, a, b in zip("xyz", low, high, strict=True))
    return (
        f"The region '{name}' lies outside the image it is to be placed on, the last of the study ({reach} mm, LPS); "
        "draw it there, or leave out images of other parts of the body."
    )


def _members(definition: RegionDefinition, geometry: Geometry, minimum_fraction: float) -> NDArray[np.bool_]:
    """Find the voxels of one region; warn where it reaches out of the image."""
    # A frame one voxel wide around the grid shows whether the region goes on outside.
    framed = np.zeros([n + 2 for n in geometry.shape], dtype=np.bool_)
    first, last = _index_box(definition.shapes, geometry)
    if np.any(first > np.asarray(geometry.shape) - 1) or np.any(last < 0):
        raise InputError(_outside(definition.name, geometry))
    first = np.maximum(first, -1)
    last = np.minimum(last, geometry.shape)
    offsets = (np.arange(_SAMPLES) + 0.5) / _SAMPLES - 0.5
    rows, columns = ((np.arange(first[a], last[a] + 1)[:, None] + offsets).ravel() for a in (1, 2))
    for k in range(first[0], last[0] + 1):
        grid = np.meshgrid(k + offsets, rows, columns, indexing="ij")
        points = geometry.to_lps(np.stack(grid, axis=-1))
        covered = np.zeros(points.shape[:-1], dtype=np.bool_)
        for shape in definition.shapes:
            covered |= shape.contains(points)
        blocks = covered.reshape(_SAMPLES, rows.size // _SAMPLES, _SAMPLES, columns.size // _SAMPLES, _SAMPLES)
        framed[k + 1, first[1] + 1 : last[1] + 2, first[2] + 1 : last[2] + 2] = (
            blocks.mean(axis=(0, 2, 4)) >= minimum_fraction
        )
    inside = framed[1:-1, 1:-1, 1:-1]
    if np.any(framed) and not np.any(inside):
        raise InputError(_outside(definition.name, geometry))
    if not np.any(inside):
        raise InputError(f"The region '{definition.name}' covers no voxel of the image; enlarge it.")
    if np.count_nonzero(framed) > np.count_nonzero(inside):
        warnings.warn(
            f"The region '{definition.name}' reaches out of the image; only the part inside is measured.",
            AssumptionWarning,
            stacklevel=3,
        )
    return inside


def _index_box(shapes: Sequence[Shape | MaskStack], geometry: Geometry) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first and last voxel index (k, j, i) that the shapes can touch, unclipped."""
    corners = []
    for shape in shapes:
        low, high = shape.bounds_mm()
        choice = np.indices((2, 2, 2)).reshape(3, 8).T
        corners.append(np.where(choice == 0, low, high))
    indices = geometry.to_index(np.concatenate(corners))
    # Far beyond the grid the exact index does not matter, and must not overflow.
    indices = np.clip(indices, -2, np.asarray(geometry.shape) + 1)
    return np.floor(indices.min(axis=0)).astype(np.int64), np.ceil(indices.max(axis=0)).astype(np.int64)
