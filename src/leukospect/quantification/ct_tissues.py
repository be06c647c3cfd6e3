"""Metal, bone, skin, gas and fat of a CT, and how far a place is from each."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from scipy.spatial import KDTree

from leukospect.ct.body import body_outline
from leukospect.data import Geometry, Image
from leukospect.errors import GeometryError

_GRID_MM = 1.9
_BONE_HU = 200.0
_SMOOTHING_MM = 1.0
_CLOSING_MM = 3.0
_LARGEST_CAVITY_CM2 = 25.0
_LEAST_BONE_ML = 1.0
_ONE_LIMB_MM, _ONE_PIECE_MM = 40.0, 20.0
_GAS_HU, _LEAST_GAS_ML, _LARGEST_GAS_ML, _SKIN_MM = -400.0, 0.5, 400.0, 10.0
_FAT_HU, _FAT_SMOOTHING_MM = (-150.0, -30.0), 2.0
_IN_PLANE = np.array([[[0, 0, 0]] * 3, [[0, 1, 0], [1, 1, 1], [0, 1, 0]], [[0, 0, 0]] * 3], dtype=bool)

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class CtTissues:
    """What a CT shows, on a grid of about 2 mm in its slices.

    Parameters
    ----------
    geometry : Geometry
    body, bone, gas, fat : (slices, rows, columns) bool array
        Bone with its marrow, without metal; gas in the body, without the lungs; what reads as fat.
    metal : Image or None
        Above 0 in metal, on its own grid; None where the CT was not looked through for it or holds none.
    """

    geometry: Geometry
    body: Mask
    bone: Mask
    gas: Mask
    fat: Mask
    metal: Image | None

    def __post_init__(self) -> None:
        if any(mask.shape != self.geometry.shape for mask in (self.body, self.bone, self.gas, self.fat)):
            raise GeometryError("The masks of a CT's tissues must lie on its grid.")


def tissues_of_ct(ct: Image, metal: Image | None = None) -> CtTissues:
    """Tell body, bone and metal of a CT apart.

    Bone is what reads above 200 HU in the body, closed by 3 mm; cavities within a slice of at most 25 cm2, marrow and
    what lies round a nail in it, belong to it. What is smaller than 1 mL is none.

    Parameters
    ----------
    ct : Image, HU
        After metal reduction, where there is metal.
    metal : Image or None
        Above 0 in metal, on the CT's grid.
    """
    factors = [max(1, int(_GRID_MM / step + 0.05)) for step in ct.geometry.spacing_mm[1:]]
    rows, columns = (ct.geometry.shape[axis + 1] // factors[axis] * factors[axis] for axis in (0, 1))
    blocks = (ct.geometry.shape[0], rows // factors[0], factors[0], columns // factors[1], factors[1])
    values = np.asarray(ct.array)[:, :rows, :columns].reshape(blocks).mean(axis=(2, 4), dtype=np.float32)
    body = body_outline(ct)[:, :rows, :columns].reshape(blocks).mean(axis=(2, 4)) > 0.5
    geometry = _coarser(ct.geometry, values.shape, factors)
    implant = None
    if metal is not None and np.any(metal.array):
        implant = (np.asarray(metal.array) > 0)[:, :rows, :columns].reshape(blocks).mean(axis=(2, 4)) >= 0.5
    bone, gas = _bone(values, body, implant, geometry), _gas(values, body, geometry)
    return CtTissues(geometry, body, bone, gas, _fat(values, body, geometry), None if implant is None else metal)


def _coarser(geometry: Geometry, shape: tuple[int, ...], factors: list[int]) -> Geometry:
    affine = geometry.affine.copy()
    affine[:3, 3] = geometry.to_lps([0.0, (factors[0] - 1) / 2.0, (factors[1] - 1) / 2.0])
    affine[:3, 1] *= factors[0]
    affine[:3, 2] *= factors[1]
    return Geometry((shape[0], shape[1], shape[2]), affine, geometry.frame_of_reference_uid)


def _bone(values: NDArray[np.float32], body: Mask, metal: Mask | None, geometry: Geometry) -> Mask:
    spacing = geometry.spacing_mm
    smooth = ndimage.gaussian_filter(values, [_SMOOTHING_MM / step for step in spacing])
    dense = (smooth > _BONE_HU) & body
    if metal is not None:
        dense |= metal
    reach = [round(_CLOSING_MM / step) for step in spacing[1:]]
    y, x = np.mgrid[-reach[0] : reach[0] + 1, -reach[1] : reach[1] + 1]
    disc = np.hypot(y * spacing[1], x * spacing[2]) <= _CLOSING_MM
    largest = _LARGEST_CAVITY_CM2 * 100.0 / (spacing[1] * spacing[2])
    for k in range(dense.shape[0]):
        if dense[k].any():
            padded = np.pad(dense[k], [(r, r) for r in reach])
            closed = ndimage.binary_closing(padded, structure=disc)
            inner = tuple(slice(r, n + r) for r, n in zip(reach, dense.shape[1:], strict=True))
            dense[k] = _without_small_holes(dense[k] | closed[inner], largest)
    if metal is not None:
        dense &= ~metal
    return _without_small(dense & body, _LEAST_BONE_ML / geometry.voxel_volume_ml)


def _gas(values: NDArray[np.float32], body: Mask, geometry: Geometry) -> Mask:
    """Find pockets of gas away from the skin; what is larger than 400 mL is a lung."""
    deep = ndimage.binary_erosion(body, structure=_IN_PLANE, iterations=round(_SKIN_MM / geometry.spacing_mm[1]))
    labels, _ = ndimage.label((values < _GAS_HU) & deep)
    sizes = np.bincount(labels.ravel()) * geometry.voxel_volume_ml
    sizes[0] = 0.0
    return np.asarray(((sizes >= _LEAST_GAS_ML) & (sizes <= _LARGEST_GAS_ML))[labels], dtype=np.bool_)


def _fat(values: NDArray[np.float32], body: Mask, geometry: Geometry) -> Mask:
    """Find what reads as fat, -150 to -30 HU over 2 mm: what lies between gas and water by half a voxel is none."""
    low, high = _FAT_HU
    smooth = ndimage.gaussian_filter(values, [_FAT_SMOOTHING_MM / step for step in geometry.spacing_mm])
    return np.asarray((smooth > low) & (smooth < high) & body, dtype=np.bool_)


def _without_small_holes(plane: Mask, largest: float) -> Mask:
    labels, _ = ndimage.label(~plane)
    sizes = np.bincount(labels.ravel())
    edge = np.concatenate((labels[0], labels[-1], labels[:, 0], labels[:, -1]))
    hole = sizes <= largest
    hole[np.unique(edge)] = False
    hole[0] = False
    return np.asarray(plane | hole[labels], dtype=np.bool_)


def _without_small(mask: Mask, fewest: float) -> Mask:
    labels, _ = ndimage.label(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray((sizes >= fewest)[labels], dtype=np.bool_)


class Surfaces:
    """Distances from places in a SPECT to metal, bone, skin and gas of its CT, and how far metal and bones reach.

    Places are LPS mm of the SPECT, (..., 3). Distances are true to about a voxel of `CtTissues`.

    Parameters
    ----------
    tissues : CtTissues
    spect_to_ct : (4, 4) array or None
        Takes SPECT points to CT points, LPS mm; None where they are aligned as they are.
    """

    def __init__(self, tissues: CtTissues, spect_to_ct: NDArray[np.float64] | None = None) -> None:
        self._matrix = np.eye(4) if spect_to_ct is None else np.asarray(spect_to_ct, dtype=np.float64)
        self._bone = _Structure.of(tissues.bone, tissues.geometry)
        self._gas = _Structure.of(tissues.gas, tissues.geometry)
        skin = tissues.body & ~ndimage.binary_erosion(tissues.body, structure=_IN_PLANE, border_value=1)
        self._fat = _Structure.of(tissues.fat, tissues.geometry)
        self._skin = _Structure.of(skin, tissues.geometry)
        self._outside = _Structure.of(~tissues.body, tissues.geometry)
        metal = tissues.metal
        self._metal = None if metal is None else _Structure.of(np.asarray(metal.array) > 0, metal.geometry)

    def to_metal_mm(self, places_mm: ArrayLike) -> NDArray[np.float64]:
        """Distances to metal, 0 inside; NaN where there is none."""
        return self._distances(self._metal, places_mm)

    def to_bone_mm(self, places_mm: ArrayLike) -> NDArray[np.float64]:
        """Distances to bone, 0 inside; NaN where there is none."""
        return self._distances(self._bone, places_mm)

    def to_gas_mm(self, places_mm: ArrayLike) -> NDArray[np.float64]:
        """Distances to gas in the body, 0 inside; NaN where there is none."""
        return self._distances(self._gas, places_mm)

    def to_fat_mm(self, places_mm: ArrayLike) -> NDArray[np.float64]:
        """Distances to fat, 0 inside; NaN where there is none."""
        return self._distances(self._fat, places_mm)

    def to_skin_mm(self, places_mm: ArrayLike) -> NDArray[np.float64]:
        """Depths under the skin, 0 outside of the body; NaN where the CT shows no body."""
        outside = False if self._outside is None else self._outside.holds(self._on_ct(places_mm))
        return np.where(outside, 0.0, self._distances(self._skin, places_mm))

    def ends_of_metal_mm(self, place_mm: ArrayLike) -> tuple[float, float]:
        """How far the piece of metal nearest to a place reaches below and above it, mm along z.

        Negative where it does not reach so far; NaN for an end beyond the CT.
        """
        return self._ends(self._metal, place_mm)

    def ends_of_bone_mm(self, place_mm: ArrayLike) -> tuple[float, float]:
        """How far the nearest bone reaches, as it hangs together; as above."""
        return self._ends(self._bone, place_mm)

    def _on_ct(self, places_mm: ArrayLike) -> NDArray[np.float64]:
        places = np.asarray(places_mm, dtype=np.float64)
        return np.asarray(places @ self._matrix[:3, :3].T + self._matrix[:3, 3])

    def _distances(self, structure: _Structure | None, places_mm: ArrayLike) -> NDArray[np.float64]:
        places = self._on_ct(places_mm)
        return np.full(places.shape[:-1], np.nan) if structure is None else structure.distances_mm(places)

    def _ends(self, structure: _Structure | None, place_mm: ArrayLike) -> tuple[float, float]:
        return (math.nan, math.nan) if structure is None else structure.reach_mm(self._on_ct(place_mm))


class _Structure:
    """The voxels of a structure in their box, and those of its surface in a tree."""

    def __init__(self, mask: Mask, geometry: Geometry) -> None:
        box = ndimage.find_objects(mask.astype(np.int8))[0]
        first = np.array([one.start for one in box])
        affine = geometry.affine.copy()
        affine[:3, 3] = geometry.to_lps(first)
        self.mask = mask[box]
        self.geometry = Geometry((*self.mask.shape,), affine)
        self._first, self._last = first, np.asarray(geometry.shape) - 1
        surface = self.mask & ~ndimage.binary_erosion(np.pad(self.mask, 1))[1:-1, 1:-1, 1:-1]
        self._surface = np.argwhere(surface)
        self._tree = KDTree(self.geometry.to_lps(self._surface))

    @classmethod
    def of(cls, mask: Mask, geometry: Geometry) -> _Structure | None:
        """Describe a mask; None where it is empty."""
        return cls(mask, geometry) if mask.any() else None

    def holds(self, places_mm: NDArray[np.float64]) -> Mask:
        """Tell which places lie in it."""
        index = np.rint(self.geometry.to_index(places_mm)).astype(np.int64)
        covered = np.all((index >= 0) & (index < self.mask.shape), axis=-1)
        index[~covered] = 0
        return np.asarray(covered & self.mask[tuple(np.moveaxis(index, -1, 0))], dtype=np.bool_)

    def distances_mm(self, places_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distances of places to it, 0 inside."""
        distance, _ = self._tree.query(places_mm)
        beyond = np.maximum(np.asarray(distance) - 0.5 * min(self.geometry.spacing_mm), 0.0)
        return np.where(self.holds(places_mm), 0.0, beyond)

    def reach_mm(self, place_mm: NDArray[np.float64]) -> tuple[float, float]:
        """How far what is nearest to a place reaches below and above it; NaN for an end at the image's edge.

        Pieces above one another count as one, at most 40 mm to the side and 20 mm apart in height, as a plate and the
        screws of a nail.
        """
        surface = np.asarray(self._tree.data)
        nearest = surface[int(self._tree.query(place_mm)[1])]
        beside = np.hypot(*(surface[:, :2] - nearest[:2]).T) <= _ONE_LIMB_MM
        heights = np.sort(surface[beside, 2])
        piece = np.concatenate(([0], np.cumsum(np.diff(heights) > _ONE_PIECE_MM)))
        own = heights[piece == piece[int(np.abs(heights - nearest[2]).argmin())]]
        voxels = self._surface[beside & (surface[:, 2] >= own[0]) & (surface[:, 2] <= own[-1])]
        half = 0.5 * float(np.abs(self.geometry.affine[2, :3]).sum())
        z = self.geometry.to_lps(voxels)[:, 2]
        placed = voxels + self._first
        at_edge = z[np.any((placed == 0) | (placed == self._last), axis=1)]
        reach = []
        for sign, end in ((-1.0, z.min()), (1.0, z.max())):
            cut = bool(np.any(np.abs(at_edge - end) < half))
            reach.append(math.nan if cut else float(sign * (end - place_mm[2]) + half))
        return reach[0], reach[1]
