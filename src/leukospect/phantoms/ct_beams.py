"""The two beams of the simulated CT: their rays, what these find in a scene, and slices out of the readings."""

from __future__ import annotations

from itertools import permutations
from math import ceil
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from leukospect.errors import ProtocolError
from leukospect.phantoms.acquisitions import CtAcquisition
from leukospect.phantoms.ct_readings import detected_spectrum
from leukospect.phantoms.kernels_ct import back_project, transmissions
from leukospect.phantoms.kernels_fan import rebin, transmissions_with_and_without_metal
from leukospect.phantoms.materials import METALS
from leukospect.phantoms.scene import Scene

Lines = tuple[NDArray[np.float64], NDArray[np.float64]]


class Beam(Protocol):
    """What a scanner needs to know of its beam."""

    bin_mm: float

    def lines(self) -> list[Lines]:
        """Give points (views, bins, 2), mm, and unit directions; one pair for each ray across an element."""
        ...

    def primary(self, scene: Scene, z_mm: NDArray[np.float64]) -> NDArray[np.float32]:
        """Give the fraction of the signal that comes through a scene: (views, bins, slices)."""
        ...

    def primary_pair(self, scene: Scene, z_mm: NDArray[np.float64]) -> NDArray[np.float32]:
        """Give the same with and without the scene's metal: (2, views, bins, slices)."""
        ...

    def reconstruct(
        self, water_mm: NDArray[np.float32], x_mm: NDArray[np.float64], y_mm: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Filter and back-project lengths of water: (rows, columns, slices), water is 1."""
        ...


def beam_of(scan: CtAcquisition, reach_mm: float) -> Beam:
    """Give the beam of a scan whose object lies within `reach_mm` of the isocentre.

    Raises
    ------
    ProtocolError
        The object does not fit between the source and the isocentre.
    """
    return FanBeam(scan, reach_mm) if scan.beam == "fan" else ParallelBeam(scan, reach_mm)


def without_metal(scene: Scene) -> Scene:
    """Give a scene without its metal; what lies below it in the order of painting shows."""
    return scene.select(np.array([scene.materials[number] not in METALS for number in scene.material], dtype=np.bool_))


def _ramp(bins: int, step_mm: float, cutoff_per_mm: float | None) -> NDArray[np.float64]:
    """Frequency response of the band-limited ramp (Kak and Slaney 1988, eq. 61) with a Hann window, for rfft."""
    size = fft.next_fast_len(2 * bins, real=True)
    offset = np.minimum(np.arange(size), size - np.arange(size))
    kernel = np.zeros(size)
    kernel[0] = 1.0 / (4.0 * step_mm**2)
    odd = offset % 2 == 1
    kernel[odd] = -1.0 / (np.pi * offset[odd] * step_mm) ** 2
    response = fft.rfft(kernel).real * step_mm
    if cutoff_per_mm is None:
        hann = 0.5 * (1.0 + np.cos(np.pi * np.arange(response.size) / (response.size - 1)))
    else:
        frequency = np.arange(response.size) / (size * step_mm)
        hann = 0.5 * (1.0 + np.cos(np.pi * np.minimum(frequency / cutoff_per_mm, 1.0)))
    return np.asarray(response * hann)


def _filtered(water_mm: NDArray[np.float32], step_mm: float, cutoff_per_mm: float | None) -> NDArray[np.float32]:
    bins = water_mm.shape[1]
    response = _ramp(bins, step_mm, cutoff_per_mm)
    size = fft.next_fast_len(2 * bins, real=True)
    spectrum = fft.rfft(water_mm, size, axis=1) * response[:, None].astype(np.float32)
    return np.ascontiguousarray(fft.irfft(spectrum, size, axis=1)[:, :bins], dtype=np.float32)


def _subdivided(count: int, width: float) -> NDArray[np.float64]:
    return np.asarray(((np.arange(count) + 0.5) / count - 0.5) * width, dtype=np.float64)


def _unrelated_orders(count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give two orders of 0 to count - 1, as little correlated with growing numbers, and each other, as can be."""
    orders = np.array(list(permutations(range(count))))
    centred = orders - (count - 1) / 2.0
    first = int(np.argmin(np.abs(centred @ centred[0])))
    second = int(np.argmin(np.abs(centred @ centred[0]) + np.abs(centred @ centred[first])))
    return orders[first], orders[second]


def _circles(scene: Scene) -> NDArray[np.float64]:
    """Centre and radius, in the slices' plane, of a circle that holds each solid: (shapes, 3), mm."""
    turns = np.arange(36) * np.pi / 36.0
    directions = np.stack([np.cos(turns), np.sin(turns), np.zeros_like(turns)], axis=1)
    made = [
        (*solid.centre_mm[:2], max(solid.extent_mm(direction) for direction in directions) / np.cos(np.pi / 36.0))
        for solid in scene.solids
    ]
    return np.array(made).reshape(-1, 3)


class ParallelBeam:
    """Parallel rays over half a turn, a bin a pixel.

    Parameters
    ----------
    scan : CtAcquisition
    reach_mm : float
        Farthest pixel from the isocentre.
    """

    def __init__(self, scan: CtAcquisition, reach_mm: float) -> None:
        self._scan = scan
        self._angle = np.arange(scan.views) * np.pi / scan.views
        self.bin_mm = min(scan.pixel_mm)
        self._bins = 2 * ceil(reach_mm / self.bin_mm) + 3
        self._u0 = -(self._bins - 1) / 2.0 * self.bin_mm
        self._across = _subdivided(scan.rays_per_element, self.bin_mm)

    def lines(self) -> list[Lines]:
        """Give the rays; see `Beam`."""
        cosine, sine = np.cos(self._angle)[:, None], np.sin(self._angle)[:, None]
        made = []
        for across in self._across:
            u = (self._u0 + across + np.arange(self._bins) * self.bin_mm)[None, :]
            direction = np.stack([-sine + 0.0 * u, cosine + 0.0 * u], axis=2)
            made.append((np.stack([u * cosine, u * sine], axis=2), direction))
        return made

    def primary(self, scene: Scene, z_mm: NDArray[np.float64]) -> NDArray[np.float32]:
        """Trace the rays; see `Beam`."""
        energies, spectrum = detected_spectrum(self._scan)
        directions = np.stack([np.cos(self._angle), np.sin(self._angle), np.zeros_like(self._angle)], axis=1)
        limits_u = np.array([scene.limits_mm(np.zeros(3), direction) for direction in directions])
        planes = [(across, dz) for across in self._across for dz in self._scan.slice_offsets_mm]
        total = np.zeros((self._angle.size, self._bins, z_mm.size), np.float32)
        for across, dz in planes:
            total += transmissions(
                scene.unit,
                scene.taper,
                scene.inverse,
                scene.local(np.zeros(3))[0],
                scene.limits_mm(np.zeros(3), np.array([0.0, 0.0, 1.0])),
                limits_u,
                scene.material,
                scene.attenuation_per_mm(energies),
                spectrum,
                self._angle,
                self._bins,
                self._u0 + across,
                self.bin_mm,
                z_mm + dz,
            )
        return total / np.float32(len(planes))

    def primary_pair(self, scene: Scene, z_mm: NDArray[np.float64]) -> NDArray[np.float32]:
        """Trace the rays twice; see `Beam`."""
        return np.stack([self.primary(scene, z_mm), self.primary(without_metal(scene), z_mm)])

    def reconstruct(
        self, water_mm: NDArray[np.float32], x_mm: NDArray[np.float64], y_mm: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Filter and back-project; see `Beam`."""
        filtered = _filtered(water_mm, self.bin_mm, self._scan.cutoff_per_mm)
        total = back_project(filtered, self._angle, self._u0, self.bin_mm, x_mm, y_mm)
        return np.asarray(total * np.float32(np.pi / self._angle.size))


class FanBeam:
    """A fan of equal angles over a full turn, its detector shifted by a quarter of an element.

    The readings are rebinned to parallel rays half an element apart, as opposed fans interleave.

    Parameters
    ----------
    scan : CtAcquisition
    reach_mm : float
        Farthest pixel from the isocentre.
    """

    def __init__(self, scan: CtAcquisition, reach_mm: float) -> None:
        self._scan, self._radius = scan, scan.source_to_isocentre_mm
        if reach_mm > 0.9 * self._radius:
            raise ProtocolError(
                f"The object of the CT reaches {reach_mm:.0f} mm from the isocentre, too near the source at "
                f"{self._radius:g} mm; use a smaller matrix or a larger source_to_isocentre_mm."
            )
        step = scan.element_mm / scan.source_to_detector_mm
        self.bin_mm = step * self._radius
        elements = 2 * (ceil(np.arcsin(reach_mm / self._radius) / step) + 2)
        self._gamma = (np.arange(elements) - (elements - 1) / 2.0 + 0.25) * step
        self._beta = np.arange(scan.views) * 2.0 * np.pi / scan.views
        self._step = step
        offsets = 2 * ceil(reach_mm / (self.bin_mm / 2.0)) + 3
        self._offset = (np.arange(offsets) - (offsets - 1) / 2.0) * self.bin_mm / 2.0

    def lines(self) -> list[Lines]:
        """Give the rays; see `Beam`. They also spread over the focal spot and the turn that a view takes."""
        rays = self._scan.rays_per_element
        across = _subdivided(rays, self._step)
        spot, turn = _unrelated_orders(rays)
        spots = _subdivided(rays, self._scan.focal_spot_mm)[spot]
        turns = _subdivided(rays, 2.0 * np.pi / self._scan.views)[turn]
        return [self._rays(*places) for places in zip(across, spots, turns, strict=True)]

    def _rays(self, across: float, spot_mm: float, turn: float) -> Lines:
        beta = (self._beta + turn)[:, None]
        end_angle = beta - (self._gamma + across)[None, :]
        middle = self._radius * np.stack([np.sin(beta), -np.cos(beta)], axis=2)
        source = middle + spot_mm * np.stack([np.cos(beta), np.sin(beta)], axis=2)
        element = middle + self._scan.source_to_detector_mm * np.stack([-np.sin(end_angle), np.cos(end_angle)], axis=2)
        direction = element - source
        direction /= np.linalg.norm(direction, axis=2, keepdims=True)
        return np.ascontiguousarray(np.broadcast_to(source, direction.shape)), direction

    def primary(self, scene: Scene, z_mm: NDArray[np.float64]) -> NDArray[np.float32]:
        """Trace the rays; see `Beam`."""
        return np.asarray(self.primary_pair(scene, z_mm)[0])

    def primary_pair(self, scene: Scene, z_mm: NDArray[np.float64]) -> NDArray[np.float32]:
        """Trace the rays once for both; see `Beam`."""
        energies, spectrum = detected_spectrum(self._scan)
        metal = np.array([name in METALS for name in scene.materials], dtype=np.bool_)
        limits_z = scene.limits_mm(np.zeros(3), np.array([0.0, 0.0, 1.0]))
        base, circle, mu = scene.local(np.zeros(3))[0], _circles(scene), scene.attenuation_per_mm(energies)
        total = np.zeros((2, self._beta.size, self._gamma.size, z_mm.size), np.float32)
        lines, planes = self.lines(), self._scan.slice_offsets_mm
        for origin, direction in lines:
            for dz in planes:
                total += transmissions_with_and_without_metal(
                    scene.unit,
                    scene.taper,
                    scene.inverse,
                    base,
                    limits_z,
                    circle,
                    scene.material,
                    metal,
                    mu,
                    spectrum,
                    origin,
                    direction,
                    z_mm + dz,
                )
        return np.asarray(total / np.float32(len(lines) * planes.size))

    def reconstruct(
        self, water_mm: NDArray[np.float32], x_mm: NDArray[np.float64], y_mm: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Rebin to parallel rays, filter and back-project; see `Beam`."""
        half, step = self._step / 2.0, self.bin_mm / 2.0
        angle = np.arange(self._beta.size // 2) * 2.0 * np.pi / self._beta.size
        parallel = rebin(water_mm, angle, self._gamma[0] - half, half, self._radius, self._offset)
        filtered = _filtered(parallel, step, self._scan.cutoff_per_mm)
        total = back_project(filtered, angle, self._offset[0], step, x_mm, y_mm)
        return np.asarray(total * np.float32(np.pi / angle.size))
