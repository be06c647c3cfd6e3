"""The cases of the accuracy benchmark: a phantom, how it is scanned, its mean counts and what is true of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from leukospect.data import Image, Projections
from leukospect.errors import ProtocolError
from leukospect.phantoms import Phantom, simulate_study
from leukospect.phantoms.acquisitions import SpectAcquisition, Window
from leukospect.physics.decay import decay_factor
from leukospect.physics.nuclides import nuclide
from leukospect.physics.windows import find_photopeaks
from leukospect.projector import reconstruction_geometry

OrbitKind = Literal["circular", "body contour"]
Report = Callable[[float], None]

TRUTH_SAMPLES = 8
"""Rays along each edge of a voxel for the true activity, the attenuation map and the weights of regions."""

_IN_111_WINDOWS = (
    Window(name="171 keV", lower_kev=154.15, upper_kev=188.41),
    Window(name="below 171 keV", lower_kev=140.45, upper_kev=154.15),
    Window(name="above 171 keV", lower_kev=188.41, upper_kev=198.68),
    Window(name="245 keV", lower_kev=220.82, upper_kev=269.89),
    Window(name="below 245 keV", lower_kev=206.09, upper_kev=220.82),
    Window(name="above 245 keV", lower_kev=269.89, upper_kev=284.61),
)
# A medium-energy collimator; a 9.5 mm crystal stops 171 keV better than 245 keV.
_IN_111_CAMERA = {
    "collimator": "ME",
    "hole_mm": 2.94,
    "hole_length_mm": 40.64,
    "line_efficiency": (0.72, 0.42),
}


@dataclass(frozen=True, slots=True)
class Scanning:
    """How a phantom is scanned: nuclide, orbit and arc; 180 degrees are those in front, from left to right."""

    nuclide: str = "Tc-99m"
    orbit: OrbitKind = "circular"
    arc_deg: int = 360


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """Noisy counts, and how many times as many they are as the case's mean counts, on average."""

    projections: Projections
    scale: float


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A simulated acquisition.

    Parameters
    ----------
    phantom : Phantom
        As it was scanned, with this SPECT only.
    scanning : Scanning
    projections : Projections
        Mean counts, without noise.
    scattered : (windows, views, rows, columns) float32 array
        What of those counts was scattered.
    truth : Image
        Activity at the start of the scan, counts/s/mL of one head without attenuation, averaged over each voxel.
    """

    phantom: Phantom
    scanning: Scanning
    projections: Projections
    scattered: NDArray[np.float32]
    truth: Image

    def level(self, compartment: str = "background") -> float:
        """Give the true value of a compartment at the start of the scan, counts/s/mL."""
        hours = self.phantom.acquisition[0].hours
        left = decay_factor(nuclide(self.phantom.injection.nuclide).half_life_s, hours * 3600.0)
        concentration = self.phantom.compartment[compartment].concentration_kbq_per_ml(hours)
        return concentration * left * 1e-3 * self.phantom.camera.sensitivity_cps_per_mbq

    @property
    def photopeak_windows(self) -> tuple[int, ...]:
        """Indices of the photopeak windows, in the order of energy."""
        peaks = find_photopeaks(self.projections.energy_windows, nuclide(self.phantom.injection.nuclide))
        return tuple(dict.fromkeys(peak.peak for peak in peaks))

    @property
    def photopeak_millions(self) -> float:
        """Mean counts in the photopeak windows, all views, millions."""
        return float(self.projections.counts[list(self.photopeak_windows)].sum(dtype=np.float64)) / 1e6

    def draw(self, millions: float, seed: tuple[int, ...]) -> Draw:
        """Draw the counts of a scan with so many millions in its photopeak windows from a Poisson distribution."""
        scale = millions / self.photopeak_millions
        counts = np.random.default_rng(seed).poisson(self.projections.counts * scale).astype(np.float32)
        return Draw(replace(self.projections, counts=counts), scale)


def scanned(phantom: Phantom, scanning: Scanning, coarsening: int = 1) -> Phantom:
    """Give the phantom with its first SPECT scan only, changed to this way of scanning.

    Parameters
    ----------
    phantom : Phantom
        With a Tc-99m SPECT scan.
    scanning : Scanning
    coarsening : int
        Pixels so many times as large, and as many times fewer of them and of the stops: for a quick look.
    """
    scans = [scan for scan in phantom.acquisition if isinstance(scan, SpectAcquisition)]
    if not scans:
        raise ProtocolError(f"Phantom '{phantom.name}' has no SPECT scan; the benchmark needs one.")
    scan = scans[0]
    changes: dict[str, object] = {
        "matrix": tuple(n // coarsening for n in scan.matrix),
        "pixel_mm": tuple(pixel * coarsening for pixel in scan.pixel_mm),
        "stops": scan.stops // coarsening,
    }
    if scanning.orbit == "body contour":
        changes["radius_mm"] = None
    if scanning.arc_deg == 180:
        changes |= {"heads": 1, "arc_deg": 180.0, "start_angle_deg": 90.0}
    camera, injection = phantom.camera, phantom.injection
    if scanning.nuclide == "In-111":
        changes["window"] = _IN_111_WINDOWS
        camera = camera.model_copy(update=_IN_111_CAMERA)
        injection = injection.model_copy(update={"nuclide": "In-111", "compound": "chloride"})
    return phantom.model_copy(
        update={
            "acquisition": (scan.model_copy(update=changes),),
            "camera": camera,
            "injection": injection,
            "finest_mm": phantom.finest_mm * coarsening,
        }
    )


def simulated_case(
    phantom: Phantom,
    scanning: Scanning | None = None,
    *,
    coarsening: int = 1,
    threads: int | None = None,
    report: Report | None = None,
) -> Case:
    """Simulate a case without noise.

    Parameters
    ----------
    phantom : Phantom
    scanning : Scanning or None
        None: Tc-99m, circular orbit, 360 degrees.
    coarsening : int
        As in `scanned`.
    threads : int or None
    report : function of the fraction done, or None
    """
    way = scanning or Scanning()
    made = scanned(phantom, way, coarsening)
    study = simulate_study(
        made, noise=False, threads=threads, progress=None if report is None else lambda _, done: report(done)
    )
    projections = study.study.projections[0]
    mean, primary = study.expected[0], study.expected_primary[0]
    if mean is None or primary is None:
        raise ProtocolError(f"Phantom '{phantom.name}': its SPECT scan has no counts.")
    truth = study.truth(made.acquisition[0].time_point, reconstruction_geometry(projections), TRUTH_SAMPLES)
    return Case(made, way, projections, mean - primary, truth)
