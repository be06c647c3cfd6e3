"""CT scans of anatomies with metal beside their truth: the same scanner without metal and without noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import AcquisitionHeader, CtSeries, Geometry, Image
from leukospect.phantoms.acquisitions import CtAcquisition
from leukospect.phantoms.ct_scanner import CtScanner
from leukospect.phantoms.description import Phantom
from leukospect.phantoms.maps import concentration_map
from leukospect.phantoms.metal_anatomies import FAMILIES, metal_phantom, metals_of
from leukospect.phantoms.scene import scene_of

NOISE_HU = (8.0, 15.0)
"""Standard deviation in soft tissue of a slice without metal: each scan's lies between these."""
_THIN_MM = 0.5
_MOSTLY = 0.5
PARTLY = 0.1
"""Share of metal from which a pixel is no tissue."""


@dataclass(frozen=True, slots=True, eq=False)
class ScannedAnatomy:
    """A scan with metal and its truth.

    Parameters
    ----------
    family, seed : str, int
    metals : tuple of str
        Materials of the implants.
    scanned_hu : (slices, rows, columns) float32 array
        With metal and noise.
    without_metal_hu : (slices, rows, columns) float32 array
        Without metal, with noise: as good as a reduction can be expected to get.
    truth_hu : (slices, rows, columns) float32 array
        The same scanner, without metal and without noise.
    metal : (slices, rows, columns) bool array
        Pixels that implants fill by half or more; metal outside the patient is not among them.
    with_metal_in : (slices, rows, columns) bool array
        Pixels that implants fill by a tenth or more: what else they hold cannot be seen, so they are not tissue.
    geometry : Geometry
    kvp : float
    noise_hu : float
        Standard deviation in soft tissue that the number of photons was chosen for.
    """

    family: str
    seed: int
    metals: tuple[str, ...]
    scanned_hu: NDArray[np.float32]
    without_metal_hu: NDArray[np.float32]
    truth_hu: NDArray[np.float32]
    metal: NDArray[np.bool_]
    with_metal_in: NDArray[np.bool_]
    geometry: Geometry
    kvp: float
    noise_hu: float

    @property
    def series(self) -> CtSeries:
        """The scan with metal, as a reader of its files would find it."""
        return self._series(self.scanned_hu)

    @property
    def series_without_metal(self) -> CtSeries:
        """The scan without metal."""
        return self._series(self.without_metal_hu)

    def _series(self, hu: NDArray[np.float32]) -> CtSeries:
        top = int(np.count_nonzero(hu >= 3071.0))
        return CtSeries(Image(hu, self.geometry, "HU"), AcquisitionHeader("CT"), kvp=self.kvp, saturated_voxels=top)


def scan_of(
    family: str,
    seed: int,
    *,
    slices: int = 6,
    matrix: int = 512,
    threads: int = 1,
) -> ScannedAnatomy:
    """Draw an anatomy and scan it.

    Parameters
    ----------
    family, seed, slices, matrix
        As in `metal_phantom`.
    threads : int
        The result does not depend on it.
    """
    with_metal = metal_phantom(family, seed, slices=slices, matrix=matrix)
    without = metal_phantom(family, seed, implants=False, slices=slices, matrix=matrix)
    own = (FAMILIES.index(family), seed)
    noise_hu = float(np.random.default_rng((*own, 1)).uniform(*NOISE_HU))
    scan = _ct_of(without)
    scan = scan.model_copy(update={"photons_per_ray": _photons_for(without, noise_hu, own)})
    scanner = CtScanner(scene_of(without), scan)
    truth, plain = scanner.scan_hu((None, _noise(*own, 2)), threads)
    scanned = CtScanner(scene_of(with_metal), scan).scan_hu((_noise(*own, 2),), threads)[0]
    geometry = Geometry.axial(truth.shape, (scan.slice_spacing_mm, *scan.pixel_mm), scanner.first_voxel_mm)
    filled = filled_by_implants(with_metal, geometry)
    return ScannedAnatomy(
        family=family,
        seed=seed,
        metals=metals_of(with_metal),
        scanned_hu=scanned.astype(np.float32),
        without_metal_hu=plain.astype(np.float32),
        truth_hu=truth.astype(np.float32),
        metal=filled >= _MOSTLY,
        with_metal_in=filled >= PARTLY,
        geometry=geometry,
        kvp=scan.kvp,
        noise_hu=noise_hu,
    )


def filled_by_implants(phantom: Phantom, geometry: Geometry) -> NDArray[np.float32]:
    """Tell how much of each pixel of a scan's slices a phantom's implants fill, 0 to 1: (slices, rows, columns)."""
    filled = np.zeros(geometry.shape, dtype=np.float32)
    _, rows, columns = geometry.shape
    if not metals_of(phantom):
        return filled
    thickness = _ct_of(phantom).slice_thickness_mm or _THIN_MM
    for k in range(geometry.shape[0]):
        first = geometry.to_lps((k, 0, 0))
        thin = Geometry.axial((1, rows, columns), (thickness, *geometry.spacing_mm[1:]), tuple(first))
        filled[k] = concentration_map(phantom, 0.0, thin, samples=4).array[0]
    return filled


def _ct_of(phantom: Phantom) -> CtAcquisition:
    return next(scan for scan in phantom.acquisition if isinstance(scan, CtAcquisition))


def _noise(*seed: int) -> Callable[[int], np.random.Generator]:
    return lambda block: np.random.default_rng((*seed, block))


def _photons_for(phantom: Phantom, noise_hu: float, seed: tuple[int, ...]) -> float:
    """Choose the photons a ray, as a tube current that follows the patient does: by the noise of its middle slice."""
    scan = _ct_of(phantom).model_copy(update={"slices": 1})
    first = scan.photons_per_ray
    measured = _noise_hu(phantom, scan, seed)
    # Noise falls with the root of the photons, and faster where the electronics' own counts: so a second look.
    second = _bounded(first * (measured / noise_hu) ** 2)
    again = _noise_hu(phantom, scan.model_copy(update={"photons_per_ray": second}), seed)
    apart = np.log(second / first)
    power = float(np.clip(np.log(again / measured) / apart, -1.5, -0.3)) if abs(apart) > 0.1 else -0.5
    return _bounded(second * (noise_hu / again) ** (1.0 / power))


def _noise_hu(phantom: Phantom, scan: CtAcquisition, seed: tuple[int, ...]) -> float:
    quiet, noisy = CtScanner(scene_of(phantom), scan).scan_hu((None, _noise(*seed, 3)), 1)
    tissue = ndimage.binary_erosion(np.abs(quiet[0] - 30) < 70, iterations=2)
    return float(np.std((noisy[0].astype(np.float64) - quiet[0])[tissue]))


def _bounded(photons: float) -> float:
    return float(np.clip(photons, 2e3, 1e8))
