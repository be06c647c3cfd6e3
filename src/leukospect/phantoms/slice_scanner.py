"""The simulated CT of slices made of voxels, a real anatomy's for instance, with metal put into them.

The slices' HU become densities of a water-like and a bone-like tissue, so that they harden the beam as a body does, and
each slice is scanned by itself. Tissue is met once an element, as its slices are as smooth as their scanner made them;
metal, on cells finer than the pixels, by every ray across the element and the focal spot, in every plane of a slice.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from leukospect.data import Geometry
from leukospect.errors import InputError
from leukospect.phantoms.acquisitions import CtAcquisition
from leukospect.phantoms.ct_beams import beam_of
from leukospect.phantoms.ct_readings import detected_spectrum, hounsfield, water_mm
from leukospect.phantoms.ct_scanner import Noise, centred_mm
from leukospect.phantoms.kernels_slices import tissue_along, transmissions_through_slice
from leukospect.phantoms.materials import METALS, linear_attenuation_per_cm
from leukospect.phantoms.metal_scan import MetalScan
from leukospect.phantoms.scene import Scene

_TYPICAL_WATER_MM = 200.0
_SOFT_UP_TO_HU, _BONE_FROM_HU = 100.0, 300.0


@dataclass(frozen=True, slots=True, eq=False)
class CellMetal:
    """Implants on a grid `refine` times finer than the slices' pixels.

    Parameters
    ----------
    cells : (slices, rows * refine, columns * refine) uint8 array
        0 where the anatomy is, n where the n-th of `materials` is.
    materials : tuple of str
    refine : int
    """

    cells: NDArray[np.uint8]
    materials: tuple[str, ...]
    refine: int


def water_and_bone(hu: ArrayLike, scan: CtAcquisition) -> NDArray[np.float32]:
    """Split HU into densities of water and of cortical bone, each in units of its own: (..., 2).

    Up to 100 HU all is water of more or less density. From 300 HU on it is a mixture of water and cortical bone by
    volume, smoothly joined between; denser than cortical bone, it is bone alone. Water and bone together always have
    the slice's HU at the scan's own mean energy, behind 200 mm of water.
    """
    energies, spectrum = detected_spectrum(scan)
    water = linear_attenuation_per_cm("water", energies)
    left = spectrum * np.exp(-water * _TYPICAL_WATER_MM / 10.0)
    bone_to_water = float(left @ linear_attenuation_per_cm("cortical_bone", energies)) / float(left @ water)
    values = np.maximum(np.asarray(hu, dtype=np.float64), -1000.0)
    join = np.clip((values - _SOFT_UP_TO_HU) / (_BONE_FROM_HU - _SOFT_UP_TO_HU), 0.0, 1.0)
    total = 1.0 + values / 1000.0
    bone = values / (1000.0 * (bone_to_water - 1.0)) * join * join * (3.0 - 2.0 * join)
    bone = np.clip(bone, 0.0, total / bone_to_water)
    return np.stack([total - bone * bone_to_water, bone], axis=-1).astype(np.float32)


def without_virtual_metal(
    hu: NDArray[np.int16], from_hu: float = 4000.0
) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """Fill the virtual metal of slices (rows, columns last) from the nearest tissue; give them and where it was.

    A pixel around the metal is filled as well, as it may be partly metal.
    """
    filled, metal = hu.copy(), hu >= from_hu
    for k in np.ndindex(hu.shape[:-2]):
        around = ndimage.binary_dilation(metal[k])
        if around.any():
            rows, columns = ndimage.distance_transform_edt(around, return_distances=False, return_indices=True)
            filled[k] = hu[k][rows, columns]
    return filled, metal


def cells_of(scene: Scene, x_mm: NDArray[np.float64], y_mm: NDArray[np.float64], z_mm: float) -> NDArray[np.uint8]:
    """Give the number, from 1, of a scene's material at each place of a plane: (rows, columns), 0 where it has none."""
    cells = np.zeros((y_mm.size, x_mm.size), np.uint8)
    for number, solid in enumerate(scene.solids):
        if scene.material[number] < 0:
            continue
        reach = [solid.extent_mm(axis) for axis in np.eye(3)]
        if abs(z_mm - solid.centre_mm[2]) > reach[2]:
            continue
        rows = np.flatnonzero(np.abs(y_mm - solid.centre_mm[1]) <= reach[1])
        columns = np.flatnonzero(np.abs(x_mm - solid.centre_mm[0]) <= reach[0])
        if rows.size == 0 or columns.size == 0:
            continue
        x, y = np.meshgrid(x_mm[columns] - solid.centre_mm[0], y_mm[rows] - solid.centre_mm[1])
        place = np.stack([x, y, np.full_like(x, z_mm - solid.centre_mm[2])], axis=-1)
        a, b, c = np.moveaxis(place @ scene.inverse[number].T, -1, 0)
        if solid.unit == "ball":
            within = a * a + b * b + c * c <= 1.0
        elif solid.unit == "cube":
            within = np.maximum(np.maximum(np.abs(a), np.abs(b)), np.abs(c)) <= 1.0
        else:
            within = (a * a + b * b <= (1.0 + solid.taper * c) ** 2) & (np.abs(c) <= 1.0)
        part = cells[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        part[within] = scene.material[number] + 1
    return cells


class SliceScanner:
    """A CT scan of given slices with implants in them.

    Parameters
    ----------
    hu : (slices, rows, columns) array
        The anatomy without metal, on the scan's own pixels, the lowest slice first.
    implants : Scene or CellMetal
        Solids, in the scan's own coordinates (the slices' middle is at x = y = 0, z = `center_z_mm`), or cells. They
        take the anatomy's place; those of another material than metal stay in the truth.
    scan : CtAcquisition
    refine : int
        How many cells along a pixel's edge solids are laid out on.

    Raises
    ------
    InputError
        The shapes of the slices, the scan and the cells do not agree.
    """

    def __init__(
        self, hu: NDArray[np.generic], implants: Scene | CellMetal, scan: CtAcquisition, refine: int = 4
    ) -> None:
        if hu.shape != (scan.slices, *scan.matrix):
            raise InputError(f"The slices' shape is {hu.shape}, but the scan makes {(scan.slices, *scan.matrix)}.")
        if isinstance(implants, CellMetal):
            refine = implants.refine
            expected = (scan.slices, scan.matrix[0] * refine, scan.matrix[1] * refine)
            if implants.cells.shape != expected or int(implants.cells.max(initial=0)) > len(implants.materials):
                raise InputError(
                    f"The implants' cells must have the shape {expected} and name one of {len(implants.materials)} "
                    f"materials; they have {implants.cells.shape} and name up to {int(implants.cells.max(initial=0))}."
                )
        self._hu, self._implants, self._scan, self._refine = hu, implants, scan, refine
        rows, columns = scan.matrix
        self._x, self._y = centred_mm(columns, scan.pixel_mm[1]), centred_mm(rows, scan.pixel_mm[0])
        self.z_mm = scan.center_z_mm + centred_mm(scan.slices, scan.slice_spacing_mm)
        reach = float(np.hypot(self._x[-1], self._y[-1]))
        self._beam = beam_of(scan, reach)
        self._central = beam_of(scan.model_copy(update={"rays_per_element": 1}), reach).lines()[0]
        self._metal = np.array([name in METALS for name in implants.materials], dtype=np.bool_)
        fine = (scan.pixel_mm[1] / refine, scan.pixel_mm[0] / refine)
        self._fine = centred_mm(columns * refine, fine[0]), centred_mm(rows * refine, fine[1])

    def _planes(self, k: int) -> list[NDArray[np.uint8]]:
        if isinstance(self._implants, CellMetal):
            return [self._implants.cells[k]]
        return [cells_of(self._implants, *self._fine, self.z_mm[k] + dz) for dz in self._scan.slice_offsets_mm]

    def _per_pixel(self, cells: NDArray[np.bool_]) -> NDArray[np.float64]:
        rows, columns = self._scan.matrix
        return np.asarray(cells.reshape(rows, self._refine, columns, self._refine).mean(axis=(1, 3)))

    def _primary_pair(self, k: int, planes: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Trace a slice with all and without metal: (2, views, bins, 1)."""
        energies, spectrum = detected_spectrum(self._scan)
        per_mm = [linear_attenuation_per_cm(name, energies) / 10.0 for name in ("water", "cortical_bone")]
        mu = np.array([linear_attenuation_per_cm(name, energies) / 10.0 for name in self._implants.materials])
        pixel = np.array([self._scan.pixel_mm[1], self._scan.pixel_mm[0]])
        corner = np.array([self._x[0], self._y[0]]) - pixel / 2.0
        tissue = water_and_bone(self._hu[k], self._scan)
        integrals = tissue_along(tissue, corner, pixel, *self._central)
        lines = self._beam.lines()
        total = np.zeros((2, *integrals.shape[:2]), np.float32)
        for cells in planes:
            occupied = self._per_pixel(cells > 0) > 0.0
            rays = lines if occupied.any() else lines[:1]
            plane = np.zeros_like(total)
            for origin, direction in rays:
                transmissions_through_slice(
                    integrals,
                    tissue,
                    cells,
                    occupied,
                    self._refine,
                    self._metal,
                    np.array(per_mm),
                    mu.reshape(-1, energies.size),
                    spectrum,
                    corner,
                    pixel,
                    origin,
                    direction,
                    plane,
                )
            total += plane / np.float32(len(rays) * len(planes))
        return total[..., None]

    def metal_scan(
        self, noise: Noise | None, threads: int, progress: Callable[[float], None] | None = None
    ) -> MetalScan:
        """Scan with the metal, and without it and without noise; the result does not depend on the number of threads.

        Parameters
        ----------
        noise : callable or None
            From a slice's number to its generator; None for a scan without noise.
        threads : int
        progress : callable or None
            Told the fraction done.
        """
        scan, shape = self._scan, (self._scan.slices, *self._scan.matrix)
        scanned, truth, metal = np.empty(shape, np.int16), np.empty(shape, np.int16), np.empty(shape, np.bool_)

        def one(k: int) -> None:
            planes = self._planes(k)
            pair = self._primary_pair(k, planes)
            for volume, primary, rng in ((scanned, pair[0], noise(k) if noise else None), (truth, pair[1], None)):
                lengths = water_mm(scan, primary, self._beam.bin_mm, rng)
                volume[k] = hounsfield(self._beam.reconstruct(lengths, self._x, self._y), scan.top_hu)[0]
            is_metal = np.concatenate([[False], self._metal])
            metal[k] = np.mean([self._per_pixel(is_metal[cells]) for cells in planes], axis=0) > 0.5

        with ThreadPoolExecutor(threads) as pool:
            for done, _ in enumerate(pool.map(one, range(scan.slices)), start=1):
                if progress is not None:
                    progress(done / scan.slices)
        first = (float(self._x[0]), float(self._y[0]), float(self.z_mm[0]))
        geometry = Geometry.axial(shape, (scan.slice_spacing_mm, *scan.pixel_mm), first, scan.frame_of_reference)
        return MetalScan(scanned, truth, metal, geometry, scan.kvp)
