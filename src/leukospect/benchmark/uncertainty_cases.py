"""The SPECT of the uncertainty benchmark: a long warm body with many lesions and their references, on a coarse grid.

Expected counts are linear in the activity, so those of one lesion and of all the rest are simulated once, and every
true change follows from their sum. Lesions lie 80 mm apart, too far for one's noise to reach the next: an acquisition
is as many independent measurements as it has lesions. Noise is put on all energy windows, scatter windows too.
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
from leukospect.resampling import counted_peaks
from leukospect.spect_settings import prepared
from leukospect.study_result import MeasuredCounts

Counts = NDArray[np.float32]
_ENERGY_KEV = 140.511
_MODEL_COUNTS = np.float32(1e6)
_LESION_XY_MM, _RADIUS_MM, _REFERENCE_RADIUS_MM = (-45.0, -10.0), 20.0, 25.0
_PIXEL_MM, _ROWS_APART = 10.0, 8

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
hot = {{ hours = [0.0], kbq_per_ml = [3.0] }}
[[shape]]
kind = "elliptic_cylinder"
from_mm = [0.0, 0.0, -1500.0]
to_mm = [0.0, 0.0, 1500.0]
radii_mm = [115.0, 85.0]
material = "soft_tissue"
compartment = "rest"
{spheres}[[acquisition]]
kind = "SPECT"
time_point = "delayed"
hours = 4.0
matrix = [{rows}, 24]
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


_SPHERE = """
[[shape]]
kind = "sphere"
center_mm = [{x}, {y}, {z}]
radius_mm = {radius}
compartment = "hot"
"""


def _levels_mm(lesions: int) -> NDArray[np.float64]:
    """Give the z of each lesion, head first."""
    return np.asarray((np.arange(lesions)[::-1] - (lesions - 1) / 2.0) * _ROWS_APART * _PIXEL_MM, np.float64)


def _phantom(lesions: int, rest: float, spheres: list[tuple[float, float, float, float]]) -> Phantom:
    """Describe the body with hot spheres of (x, y, z, radius)."""
    drawn = "".join(_SPHERE.format(x=x, y=y, z=z, radius=radius) for x, y, z, radius in spheres)
    text = _PHANTOM.format(rest=rest, rows=lesions * _ROWS_APART, spheres=drawn)
    return phantom_from_toml(text, "uncertainty")


@dataclass(frozen=True, slots=True, eq=False)
class CoarseScan:
    """The acquisition, what is expected of its counts, and the model that reconstructs them.

    Parameters
    ----------
    without_lesions, of_lesions : (windows, views, rows, columns) and (lesions, same) float32 arrays
        Expected counts of everything but the lesions, and of each lesion as hot as the references; all together have
        one count in the photopeak.
    measured : MeasuredCounts
        Noise-free counts and the model, made ready once.
    labels : Image
    regions : tuple of Region
        Each lesion and its reference in turn, drawn where they are.
    protocol : Protocol
    """

    without_lesions: Counts
    of_lesions: Counts
    measured: MeasuredCounts
    labels: Image
    regions: tuple[Region, ...]
    protocol: Protocol

    def expected(self, uptakes: NDArray[np.float64], counts: float) -> Counts:
        """Give the expected counts of lesions of so many times the references' uptake, (windows, views, rows, columns).

        Parameters
        ----------
        uptakes : (lesions,) array
        counts : float
            In the photopeak, all views together, with lesions as hot as the references.
        """
        of_lesions = np.einsum("l,lwvrc->wvrc", uptakes.astype(np.float32), self.of_lesions)
        return np.asarray(np.float32(counts) * (self.without_lesions + of_lesions))

    def counted(self, counts: Counts) -> MeasuredCounts:
        """Take counts (windows, views, rows, columns) as measured, with their own scatter estimate."""
        projections = replace(self.measured.projections, counts=np.asarray(counts, np.float32))
        return replace(self.measured, projections=projections, peak=counted_peaks(projections, self.protocol))

    def image(self, measured: MeasuredCounts) -> Image:
        """Reconstruct counts."""
        return measured.reconstructor.image(measured.peak)


def coarse_scan(protocol: Protocol, lesions: int, *, threads: int | None = None) -> CoarseScan:
    """Simulate the expected counts and make the model ready.

    Parameters
    ----------
    protocol : Protocol
        Its reconstruction and its scatter correction.
    lesions : int
    threads : int or None
        The result does not depend on it.
    """
    x, y = _LESION_XY_MM
    heights = _levels_mm(lesions)
    references = [(-x, y, float(z), _REFERENCE_RADIUS_MM) for z in heights]
    rest = _expected(_phantom(lesions, 1.0, references), threads)
    alone = _expected(_phantom(2 * lesions - 1, 0.0, [(x, y, 0.0, _RADIUS_MM)]), threads).counts
    each = np.stack([_rows_of(alone, lesions - 1 - n, lesions) for n in range(lesions)])
    one = np.float32(1.0 / (rest.counts[0].sum(dtype=np.float64) + each[:, 0].sum(dtype=np.float64)))
    projections = replace(rest, counts=_MODEL_COUNTS * one * (rest.counts + each.sum(axis=0)))
    grid = reconstruction_geometry(projections)
    mu = attenuation_map(_phantom(lesions, 1.0, references), _ENERGY_KEV, grid, coherent_counted=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        peak = counted_peaks(projections, protocol)
        model = prepared(projections, peak, [mu], FieldOfView.recorded(projections), protocol, threads)
    labels, regions = drawn_regions(grid, np.zeros((lesions, 3)))
    measured = MeasuredCounts(projections, peak, model, (mu,))
    return CoarseScan(one * rest.counts, one * each, measured, labels, regions, protocol)


def _expected(phantom: Phantom, threads: int | None) -> Projections:
    [found] = simulate_study(phantom, noise=False, threads=threads).study.acquisitions
    assert isinstance(found, Projections)
    return found


def _rows_of(counts: Counts, first: int, lesions: int) -> Counts:
    """Cut the rows of so many lesions out of a longer field, from the first one on."""
    return counts[:, :, first * _ROWS_APART : (first + lesions) * _ROWS_APART]


def drawn_regions(grid: Geometry, shifts_mm: NDArray[np.float64]) -> tuple[Image, tuple[Region, ...]]:
    """Draw each lesion, and the same sphere on the other side as its reference, both shifted alike.

    Parameters
    ----------
    grid : Geometry
    shifts_mm : (lesions, 3) array
        (x, y, z), LPS.

    Returns
    -------
    Image, tuple of Region
        ``lesion 1``, ``reference 1``, ``lesion 2``, ...
    """
    places = grid.to_lps(np.moveaxis(np.indices(grid.shape), 0, -1))
    labels = np.zeros(grid.shape, np.uint16)
    x, y = _LESION_XY_MM
    centres = [((x, y, z), (-x, y, z)) for z in _levels_mm(len(shifts_mm))]
    for number, (pair, shift) in enumerate(zip(centres, shifts_mm, strict=True)):
        for side, centre in enumerate(pair):
            apart = np.linalg.norm(places - np.array(centre) - shift, axis=-1)
            labels[apart <= _RADIUS_MM] = 2 * number + side + 1
    image = label_image(labels, grid)
    regions: list[Region] = []
    for number in range(1, len(shifts_mm) + 1):
        name = f"reference {number}"
        regions += [
            region_of_label(
                image, 2 * number - 1, name=f"lesion {number}", role="lesion", reference=name, source="drawn"
            ),
            region_of_label(image, 2 * number, name=name, role="reference", source="drawn"),
        ]
    return image, tuple(regions)
