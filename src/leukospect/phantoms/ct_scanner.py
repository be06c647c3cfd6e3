"""The simulated CT: a tungsten spectrum, parallel rays, noise, water correction and filtered back-projection to HU.

Spectrum: Kramers' continuum (Phil. Mag. 46 (1923) 836) with the K lines of tungsten, through aluminium; the detector
weights photons with their energy. Readings are Poisson counts with electronic noise, at least one count, so that rays
along a screw starve. They are corrected for the beam hardening of water only: bone and metal keep theirs, and their
streaks.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from leukospect.phantoms.acquisitions import CtAcquisition
from leukospect.phantoms.kernels_ct import back_project, read_out, transmissions
from leukospect.phantoms.materials import linear_attenuation_per_cm
from leukospect.phantoms.scene import Scene

_BLOCK = 32
_AIR_MM = 20.0
_LINES_KEV = ((59.3, 0.07), (67.2, 0.02))
_WATER_MM = np.linspace(0.0, 800.0, 401)


def detected_spectrum(scan: CtAcquisition, bins: int = 10) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Energies (keV) of a few bins of equal width, and each one's share of the detected signal without an object.

    The K lines carry 7 and 2 % of the photons (above 70 kV).
    """
    edges = np.linspace(25.0, scan.kvp, bins + 1)
    fine = edges[0] + (np.arange(bins * 20) + 0.5) * (scan.kvp - edges[0]) / (bins * 20)
    filtration = np.exp(-linear_attenuation_per_cm("aluminium", fine) * scan.filtration_mm_al / 10.0)
    photons = (scan.kvp / fine - 1.0) * filtration
    photons /= photons.sum()
    if scan.kvp > 70.0:
        for energy, share in _LINES_KEV:
            photons[int(np.argmin(np.abs(fine - energy)))] += share
    signal = (photons * fine).reshape(bins, 20)
    energies = (signal * fine.reshape(bins, 20)).sum(axis=1) / signal.sum(axis=1)
    return energies, signal.sum(axis=1) / signal.sum()


def _ramp(bins: int, step_mm: float) -> NDArray[np.float64]:
    """Frequency response of the band-limited ramp (Kak and Slaney 1988, eq. 61) with a Hann window, for rfft."""
    size = fft.next_fast_len(2 * bins, real=True)
    offset = np.minimum(np.arange(size), size - np.arange(size))
    kernel = np.zeros(size)
    kernel[0] = 1.0 / (4.0 * step_mm**2)
    odd = offset % 2 == 1
    kernel[odd] = -1.0 / (np.pi * offset[odd] * step_mm) ** 2
    response = fft.rfft(kernel).real * step_mm
    hann = 0.5 * (1.0 + np.cos(np.pi * np.arange(response.size) / (response.size - 1)))
    return np.asarray(response * hann)


def _centred(count: int, spacing_mm: float) -> NDArray[np.float64]:
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
        self._x = _centred(columns, scan.pixel_mm[1])
        self._y = _centred(rows, scan.pixel_mm[0])
        self.z_mm = scan.center_z_mm + _centred(scan.slices, scan.slice_spacing_mm)
        limits = [self._scene.limits_mm(np.zeros(3), direction) for direction in np.eye(3)]
        present = (limits[2][:, 0] <= self.z_mm[-1]) & (limits[2][:, 1] >= self.z_mm[0])
        self._scene = self._scene.select(present)
        # Only the body and a rim of air are reconstructed; the rest is air.
        self._inside = [
            np.flatnonzero((axis > low[present, 0].min() - _AIR_MM) & (axis < low[present, 1].max() + _AIR_MM))
            for axis, low in zip((self._x, self._y), limits[:2], strict=True)
        ]
        self._limits_z = limits[2][present]
        self._angle = np.arange(scan.views) * np.pi / scan.views
        self._step = min(scan.pixel_mm)
        x, y = self._pixels_inside
        reach = np.hypot(np.abs(x).max(), np.abs(y).max())
        self._bins = 2 * ceil(reach / self._step) + 3
        self._u0 = -(self._bins - 1) / 2.0 * self._step

    @property
    def first_voxel_mm(self) -> tuple[float, float, float]:
        """Centre of the first pixel of the lowest slice, LPS mm."""
        return float(self._x[0]), float(self._y[0]), float(self.z_mm[0])

    @property
    def _pixels_inside(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self._x[self._inside[0]], self._y[self._inside[1]]

    def _signal(self, slices: slice) -> NDArray[np.float32]:
        energies, spectrum = detected_spectrum(self._scan)
        directions = np.stack([np.cos(self._angle), np.sin(self._angle), np.zeros_like(self._angle)], axis=1)
        limits_u = np.array([self._scene.limits_mm(np.zeros(3), direction) for direction in directions])
        signal: NDArray[np.float32] = transmissions(
            self._scene.unit,
            self._scene.taper,
            self._scene.inverse,
            self._scene.local(np.zeros(3))[0],
            self._limits_z,
            limits_u,
            self._scene.material,
            self._scene.attenuation_per_mm(energies),
            spectrum,
            self._angle,
            self._bins,
            self._u0,
            self._step,
            self.z_mm[slices],
        )
        return signal

    def _water_mm(self, signal: NDArray[np.float32], rng: np.random.Generator | None) -> NDArray[np.float32]:
        """Take readings, with noise where a generator is given, to the length of water that would give them."""
        energies, spectrum = detected_spectrum(self._scan)
        water = linear_attenuation_per_cm("water", energies) / 10.0
        known = -np.log(np.exp(-np.outer(_WATER_MM, water)) @ spectrum)
        steps = np.linspace(0.0, known[-1], 4 * _WATER_MM.size)
        table = np.interp(steps, known, _WATER_MM)
        photons, electronic = self._scan.photons_per_ray, self._scan.electronic_noise_photons
        lengths = signal.ravel().copy()
        if rng is None:
            read_out(lengths, np.zeros(lengths.size, np.float32), photons, 0.0, table, steps[1])
        else:
            normal = rng.standard_normal(lengths.size, dtype=np.float32)
            # Where photons are few their own distribution counts; its deviation takes the place of the normal one.
            scarce = np.flatnonzero(lengths < 50.0 / photons)
            mean = lengths[scarce].astype(np.float64) * photons
            spread = np.sqrt(mean + electronic**2)
            drawn = rng.poisson(mean) - mean + electronic * normal[scarce]
            normal[scarce] = np.divide(drawn, spread, out=np.zeros_like(drawn), where=spread > 0)
            read_out(lengths, normal, photons, electronic, table, steps[1])
        return lengths.reshape(signal.shape)

    def _reconstruct(self, water_mm: NDArray[np.float32]) -> NDArray[np.int16]:
        """Filter and back-project: (slices, rows inside, columns inside), HU."""
        response = _ramp(self._bins, self._step)
        size = fft.next_fast_len(2 * self._bins, real=True)
        spectrum = fft.rfft(water_mm, size, axis=1) * response[:, None].astype(np.float32)
        filtered = np.ascontiguousarray(fft.irfft(spectrum, size, axis=1)[:, : self._bins], dtype=np.float32)
        x, y = self._pixels_inside
        water = back_project(filtered, self._angle, self._u0, self._step, x, y) * np.float32(np.pi / self._angle.size)
        hounsfield = np.clip(np.rint(1000.0 * (water - 1.0)), -1000, 3071)
        return np.moveaxis(hounsfield.astype(np.int16), 2, 0)

    def scan_hu(
        self,
        generators: tuple[Callable[[int], np.random.Generator] | None, ...],
        threads: int,
        progress: Callable[[float], None] | None = None,
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
            HU from -1000 to 3071; the first slice is the lowest.
        """
        blocks = range(0, self.z_mm.size, _BLOCK)
        volumes = [np.full((self.z_mm.size, *self._scan.matrix), -1000, np.int16) for _ in generators]

        def scan(first: int) -> int:
            slices = slice(first, min(first + _BLOCK, self.z_mm.size))
            signal = self._signal(slices)
            for volume, generator in zip(volumes, generators, strict=True):
                rng = None if generator is None else generator(first // _BLOCK)
                target = volume[slices]
                target[:, self._inside[1][:, None], self._inside[0]] = self._reconstruct(self._water_mm(signal, rng))
            return first

        with ThreadPoolExecutor(threads) as pool:
            for done, _ in enumerate(pool.map(scan, blocks), start=1):
                if progress is not None:
                    progress(done / len(blocks))
        return volumes
