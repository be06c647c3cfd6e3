"""What of each injection a scan counts: the nuclide, the camera's sensitivity for it and the activity at each time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukospect.data import Radiopharmaceutical
from leukospect.phantoms.acquisitions import Acquisition, Camera, PlanarAcquisition, SpectAcquisition
from leukospect.phantoms.description import NO_ACTIVITY, Injection, Phantom
from leukospect.phantoms.scene import activity_kbq_per_ml
from leukospect.physics.nuclides import Nuclide, nuclide
from leukospect.physics.tracers import tracer_called


@dataclass(frozen=True, slots=True, eq=False)
class InjectedTracer:
    """One of a scan's tracers.

    Parameters
    ----------
    isotope : Nuclide
    camera : Camera
        With the sensitivity for this nuclide.
    activity_kbq_per_ml : (times, compartments) array
        At each scan's start, not decay-corrected.
    """

    isotope: Nuclide
    camera: Camera
    activity_kbq_per_ml: NDArray[np.float64]

    @property
    def line_shares(self) -> NDArray[np.float64]:
        """Part of the photopeak counts that each photon has, (photons,)."""
        efficiencies = self.camera.line_efficiency or (1.0,) * len(self.isotope.photons)
        parts = np.array([y * e for (_, y), e in zip(self.isotope.photons, efficiencies, strict=True)])
        return np.asarray(parts / parts.sum())

    def resolution_percent(self, energy_kev: float, reference_kev: float) -> float:
        """FWHM over the energy: the camera's at `reference_kev`, falling with the root of the energy."""
        return float(self.camera.energy_resolution_percent * np.sqrt(reference_kev / energy_kev))


def tracers_of(phantom: Phantom, scans: Sequence[SpectAcquisition | PlanarAcquisition]) -> tuple[InjectedTracer, ...]:
    """Tell what is counted in scans that count the same tracers."""
    found: list[InjectedTracer] = []
    if scans[0].tracer != "colloid":
        isotope = nuclide(phantom.injection.nuclide)
        hours = tuple(scan.hours for scan in scans)
        found.append(InjectedTracer(isotope, phantom.camera, activity_kbq_per_ml(phantom, hours, isotope.half_life_s)))
    colloid = phantom.colloid
    if scans[0].tracer != "leukocytes" and colloid is not None:
        isotope = nuclide(colloid.nuclide)
        sensitivity = colloid.sensitivity_cps_per_mbq or phantom.camera.sensitivity_cps_per_mbq
        camera = phantom.camera.model_copy(update={"sensitivity_cps_per_mbq": sensitivity, "line_efficiency": ()})
        found.append(InjectedTracer(isotope, camera, _of_colloid(phantom, scans, isotope.half_life_s)))
    return tuple(found)


def _of_colloid(
    phantom: Phantom, scans: Sequence[SpectAcquisition | PlanarAcquisition], half_life_s: float
) -> NDArray[np.float64]:
    assert phantom.colloid is not None
    per_ml = np.array([phantom.colloid.kbq_per_ml.get(name, 0.0) for name in (NO_ACTIVITY, *phantom.compartment)])
    since = np.array([(phantom.start(scan) - phantom.colloid.time).total_seconds() for scan in scans])
    return np.asarray(np.exp(-np.log(2.0) * since / half_life_s)[:, None] * per_ml)


def radiopharmaceuticals_of(phantom: Phantom, scan: Acquisition) -> tuple[Radiopharmaceutical, ...]:
    """Name what was injected for a scan, the leukocytes first; empty for a CT."""
    if scan.kind == "CT":
        return ()
    injected: list[Injection] = [] if scan.tracer == "colloid" else [phantom.injection]
    if scan.tracer != "leukocytes" and phantom.colloid is not None:
        injected.append(phantom.colloid)
    return tuple(
        Radiopharmaceutical(one.nuclide, one.compound, one.time, one.dose_mbq, tracer=tracer_called(one.compound))
        for one in injected
    )
