"""The simulated CT of a scene of solids: readings, water correction and reconstruction, slice by slice."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from leukospect.data import Geometry
from leukospect.phantoms.acquisitions import CtAcquisition
from leukospect.phantoms.ct_beams import beam_of
from leukospect.phantoms.ct_readings import hounsfield, water_mm
from leukospect.phantoms.kernels_maps import average_over_voxels
from leukospect.phantoms.materials import METALS
from leukospect.phantoms.metal_scan import MetalScan
from leukospect.phantoms.scene import Scene

Noise = Callable[[int], np.random.Generator]

_BLOCK = {"parallel": 32, "fan": 8}
_AIR_MM = 20.0


def centred_mm(count: int, spacing_mm: float) -> NDArray[np.float64]:
    """Places of `count` pixels about the isocentre, mm."""
    return np.asarray((np.arange(count) - (count - 1) / 2.0) * spacing_mm, dtype=np.float64)


class CtScanner:
    """A CT scan of a scene; scans that differ only in their noise share the tracing of rays.

    Parameters
    ----------
    scene : Scene
    scan : CtAcquisition
    """

    def __init__(self, scene: Scene, scan: CtAcquisition) -> None:
        self._scene, self._scan = scene.select(scene.material >= 0), scan
        rows, columns = scan.matrix
        self._x = centred_mm(columns, scan.pixel_mm[1])
        self._y = centred_mm(rows, scan.pixel_mm[0])
        self.z_mm = scan.center_z_mm + centred_mm(scan.slices, scan.slice_spacing_mm)
        limits = [self._scene.limits_mm(np.zeros(3), direction) for direction in np.eye(3)]
        planes = scan.slice_offsets_mm
        present = (limits[2][:, 0] <= self.z_mm[-1] + planes[-1]) & (limits[2][:, 1] >= self.z_mm[0] + planes[0])
        self._scene = self._scene.select(present)
        # Only the body and a rim of air are reconstructed; the rest is air.
        self._inside = [
            np.flatnonzero((axis > low[present, 0].min() - _AIR_MM) & (axis < low[present, 1].max() + _AIR_MM))
            for axis, low in zip((self._x, self._y), limits[:2], strict=True)
        ]
        x, y = self._pixels_inside
        self._beam = beam_of(scan, float(np.hypot(np.abs(x).max(), np.abs(y).max())))

    @property
    def first_voxel_mm(self) -> tuple[float, float, float]:
        """Centre of the first pixel of the lowest slice, LPS mm."""
        return float(self._x[0]), float(self._y[0]), float(self.z_mm[0])

    @property
    def _pixels_inside(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self._x[self._inside[0]], self._y[self._inside[1]]

    def _put(
        self, volume: NDArray[np.int16], slices: slice, primary: NDArray[np.float32], rng: np.random.Generator | None
    ) -> None:
        """Reconstruct readings into their place in a volume."""
        lengths = water_mm(self._scan, primary, self._beam.bin_mm, rng)
        hu = hounsfield(self._beam.reconstruct(lengths, *self._pixels_inside), self._scan.top_hu)
        volume[slices][:, self._inside[1][:, None], self._inside[0]] = hu

    def _for_each_block(
        self, work: Callable[[int, slice], None], threads: int, progress: Callable[[float], None] | None
    ) -> None:
        size = _BLOCK[self._scan.beam]
        starts = range(0, self.z_mm.size, size)

        def one(number: int) -> None:
            work(number, slice(starts[number], min(starts[number] + size, self.z_mm.size)))

        with ThreadPoolExecutor(threads) as pool:
            for done, _ in enumerate(pool.map(one, range(len(starts))), start=1):
                if progress is not None:
                    progress(done / len(starts))

    def _air(self) -> NDArray[np.int16]:
        return np.full((self.z_mm.size, *self._scan.matrix), -1000, np.int16)

    def scan_hu(
        self, generators: tuple[Noise | None, ...], threads: int, progress: Callable[[float], None] | None = None
    ) -> list[NDArray[np.int16]]:
        """Scan once for each source of noise; the result does not depend on the number of threads.

        Parameters
        ----------
        generators : tuple
            For each scan a function from a block's number to its generator; None for a scan without noise.
        threads : int
        progress : callable or None
            Told the fraction done.

        Returns
        -------
        list of (slices, rows, columns) int16 arrays
            HU from -1000 to the scale's top; the first slice is the lowest.
        """
        volumes = [self._air() for _ in generators]

        def work(number: int, slices: slice) -> None:
            primary = self._beam.primary(self._scene, self.z_mm[slices])
            for volume, generator in zip(volumes, generators, strict=True):
                self._put(volume, slices, primary, None if generator is None else generator(number))

        self._for_each_block(work, threads, progress)
        return volumes

    def metal_scan(
        self, noise: Noise | None, threads: int, progress: Callable[[float], None] | None = None
    ) -> MetalScan:
        """Scan with the metal, and without it and without noise; the result does not depend on the number of threads.

        Where the metal is gone, what was painted before it shows.

        Parameters
        ----------
        noise : callable or None
            From a block's number to its generator; None for a scan without noise.
        threads, progress
            As in `scan_hu`.
        """
        scanned, truth = self._air(), self._air()
        metal = np.zeros(scanned.shape, np.bool_)

        def work(number: int, slices: slice) -> None:
            pair = self._beam.primary_pair(self._scene, self.z_mm[slices])
            self._put(scanned, slices, pair[0], None if noise is None else noise(number))
            self._put(truth, slices, pair[1], None)
            metal[slices] = self._metal(slices)

        self._for_each_block(work, threads, progress)
        scan = self._scan
        spacing = (scan.slice_spacing_mm, *scan.pixel_mm)
        geometry = Geometry.axial((scan.slices, *scan.matrix), spacing, self.first_voxel_mm, scan.frame_of_reference)
        return MetalScan(scanned, truth, metal, geometry, scan.kvp)

    def _metal(self, slices: slice) -> NDArray[np.bool_]:
        """Tell which pixels are more than half metal, over the planes of each slice."""
        is_metal = np.array([name in METALS for name in self._scene.materials], dtype=np.float64)
        rows, columns = self._scan.pixel_mm
        found = np.zeros((self.z_mm[slices].size, *self._scan.matrix), np.bool_)
        planes = self._scan.slice_offsets_mm
        thickness = (self._scan.slice_thickness_mm or self._scan.slice_spacing_mm) if planes.size > 1 else 1e-3
        for k, z in enumerate(self.z_mm[slices]):
            steps = np.diag([columns, rows, thickness])
            share = average_over_voxels(
                self._scene.unit,
                self._scene.taper,
                self._scene.local(np.array([self._x[0], self._y[0], z]), steps[2], steps[1], steps[0]),
                self._scene.material,
                np.full(self._scene.material.size, -1),
                is_metal,
                np.zeros(1),
                (1, *self._scan.matrix),
                4,
            )
            found[k] = share[0] > 0.5
        return found
