"""The small SPECT of the uncertainty benchmark: a warm body with a lesion and a reference, counted by the simulator.

Expected counts are linear in the activity, so those of the lesion alone and of all the rest are simulated once, and
every true change follows from their sum. Poisson noise is put on all energy windows, scatter windows as well.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from leukospect.data import Geometry, Image, Projections
from leukospect.errors import AssumptionWarning
from leukospect.field_of_view import FieldOfView
from leukospect.phantoms import Phantom, attenuation_map, phantom_from_toml, simulate_study
from leukospect.projector import reconstruction_geometry
from leukospect.protocol import Protocol
from leukospect.quantification.labels import label_image, region_of_label
from leukospect.quantification.measurements import Region
from leukospect.quantification.spect import region_means
from leukospect.spect_settings import counted_peaks, prepared
from leukospect.study_result import MeasuredCounts

Counts = NDArray[np.float32]
LESION, REFERENCE = "lesion", "reference"
_ENERGY_KEV = 140.511
_LESION_MM, _RADIUS_MM = (-45.0, -10.0, 0.0), 20.0

_PHANTOM = """
title = "a warm body with a lesion"
finest_mm = 5.0
[injection]
nuclide = "Tc-99m"
compound = "HMPAO leukocytes"
dose_mbq = 330
time = 2020-01-01T08:00:00
[camera]
collimator = "LEHR"
hole_mm = 1.11
hole_length_mm = 24.05
intrinsic_fwhm_mm = 3.8
energy_resolution_percent = 9.5
sensitivity_cps_per_mbq = 90
[compartment]
rest = {{ hours = [0.0], kbq_per_ml = [{rest}] }}
marrow = {{ hours = [0.0], kbq_per_ml = [{marrow}] }}
lesion = {{ hours = [0.0], kbq_per_ml = [{lesion}] }}
[[shape]]
kind = "elliptic_cylinder"
from_mm = [0.0, 0.0, -200.0]
to_mm = [0.0, 0.0, 200.0]
radii_mm = [115.0, 85.0]
material = "soft_tissue"
compartment = "rest"
[[shape]]
kind = "sphere"
center_mm = [45.0, -10.0, 0.0]
radius_mm = 25
compartment = "marrow"
[[shape]]
kind = "sphere"
center_mm = [-45.0, -10.0, 0.0]
radius_mm = 20
compartment = "lesion"
[[acquisition]]
kind = "SPECT"
time_point = "delayed"
hours = 4.0
matrix = [8, 32]
pixel_mm = [10.0, 10.0]
stops = 15
heads = 2
seconds = 30
center_z_mm = 0.0
radius_mm = 180
[[acquisition.window]]
name = "photopeak"
lower_kev = 129.27
upper_kev = 151.75
[[acquisition.window]]
name = "lower"
lower_kev = 114.45
upper_kev = 129.27
[[acquisition.window]]
name = "upper"
lower_kev = 151.75
upper_kev = 166.55
"""


def _phantom(rest: float, marrow: float, lesion: float) -> Phantom:
    return phantom_from_toml(_PHANTOM.format(rest=rest, marrow=marrow, lesion=lesion), "uncertainty")


@dataclass(frozen=True, slots=True, eq=False)
class SmallScan:
    """The acquisition, what is expected of its counts, and the model that reconstructs them.

    Parameters
    ----------
    without_lesion, of_lesion : (windows, views, rows, columns) float32 arrays
        Expected counts at the usual count level: of everything but the lesion, and of a lesion as hot as the rest's
        marrow.
    measured : MeasuredCounts
        Noise-free counts and the model, made ready once.
    labels : Image
    regions : (Region, Region)
        The lesion and its reference, drawn where they are.
    protocol : Protocol
    """

    without_lesion: Counts
    of_lesion: Counts
    measured: MeasuredCounts
    labels: Image
    regions: tuple[Region, Region]
    protocol: Protocol

    def expected(self, uptake: float, level: float) -> Counts:
        """Give the expected counts of a lesion of so many times the marrow's uptake, at a part of the usual counts."""
        return np.asarray(np.float32(level) * (self.without_lesion + np.float32(uptake) * self.of_lesion))

    def counted(self, counts: Counts) -> MeasuredCounts:
        """Take counts (windows, views, rows, columns) as measured, with their own scatter estimate."""
        projections = replace(self.measured.projections, counts=np.asarray(counts, np.float32))
        return replace(self.measured, projections=projections, peak=counted_peaks(projections, self.protocol))

    def means(self, counts: Counts) -> NDArray[np.float64]:
        """Reconstruct counts and average the regions, (2,)."""
        measured = self.counted(counts)
        image = measured.reconstructor.image(measured.peak)
        return region_means(image.array, self.labels.array, self.regions)


def small_scan(protocol: Protocol, *, threads: int | None = None) -> SmallScan:
    """Simulate the expected counts and make the model ready.

    Parameters
    ----------
    protocol : Protocol
        Its reconstruction and its scatter correction.
    threads : int or None
        The result does not depend on it.
    """
    rest, lesion = (_expected(_phantom(*activity), threads) for activity in ((1.0, 3.0, 0.0), (0.0, 0.0, 3.0)))
    projections = replace(rest, counts=rest.counts + 3.0 * lesion.counts)
    phantom = _phantom(1.0, 3.0, 3.0)
    grid = reconstruction_geometry(projections)
    mu = attenuation_map(phantom, _ENERGY_KEV, grid, coherent_counted=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        peak = counted_peaks(projections, protocol)
        model = prepared(projections, peak, [mu], FieldOfView.recorded(projections), protocol, threads)
    labels, regions = _drawn(grid)
    measured = MeasuredCounts(projections, peak, model, (mu,))
    return SmallScan(rest.counts, lesion.counts, measured, labels, regions, protocol)


def _expected(phantom: Phantom, threads: int | None) -> Projections:
    [found] = simulate_study(phantom, noise=False, threads=threads).study.acquisitions
    assert isinstance(found, Projections)
    return found


def _drawn(grid: Geometry) -> tuple[Image, tuple[Region, Region]]:
    """Draw the lesion, and the same sphere on the other side as its reference."""
    places = grid.to_lps(np.moveaxis(np.indices(grid.shape), 0, -1))
    x, y, z = _LESION_MM
    labels = np.zeros(grid.shape, np.uint16)
    for label, centre in ((1, (x, y, z)), (2, (-x, y, z))):
        labels[np.linalg.norm(places - np.array(centre), axis=-1) <= _RADIUS_MM] = label
    image = label_image(labels, grid)
    lesion = region_of_label(image, 1, name=LESION, role="lesion", reference=REFERENCE, source="drawn")
    return image, (lesion, region_of_label(image, 2, name=REFERENCE, role="reference", source="drawn"))
