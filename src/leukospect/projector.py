"""The SPECT system model: rotation, attenuation and the collimator-detector response, with its exact adjoint.

counts = duration x decay x voxel volume x sum over depths of [ response(depth) attenuation(depth) rotation ] activity

Arrays of the operators have the axial index last: images are the runs (places, slices) of a support, views are (views,
columns, slices), slices from feet to head; the functions `views_of_counts` to `runs_of_image` convert from and to the
data's order.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukospect.data import Geometry, Image, Projections
from leukospect.errors import GeometryError, InputError, MissingInformationError
from leukospect.kernels.view import backproject_view, project_view
from leukospect.operators import ScaledViews, ViewOperator
from leukospect.physics.collimators import Collimator, system_sigma_mm
from leukospect.physics.decay import decay_factor, frame_start_factor
from leukospect.support import Support
from leukospect.view_plan import ViewPlan, bordered, interpolated_variance_px2, plan_views
from leukospect.workers import Workers

Array = NDArray[np.float32]

_PARTS = 4
"""Back-projected views are added up in this many images, always the same views in each, then those in order."""

_HIGHEST_MU_PER_CM = 5.0


def views_of_counts(counts: NDArray[np.floating]) -> Array:
    """Take (views, rows, columns) counts, rows head to feet, to the operators' (views, columns, slices)."""
    return np.ascontiguousarray(counts[:, ::-1, :].transpose(0, 2, 1), dtype=np.float32)


def counts_of_views(views: Array) -> Array:
    """Take the operators' (views, columns, slices) to (views, rows, columns) counts, rows head to feet."""
    return np.ascontiguousarray(views.transpose(0, 2, 1)[:, ::-1, :])


def image_of_runs(runs: Array, support: Support, geometry: Geometry, unit: str) -> Image:
    """Take the operators' runs (places, slices) to an image indexed (slice, row, column), zero outside the support."""
    return Image(np.ascontiguousarray(support.volume(runs).transpose(2, 0, 1)), geometry, unit)


def runs_of_image(image: Image, support: Support) -> Array:
    """Take an image indexed (slice, row, column) to the operators' runs (places, slices)."""
    return support.runs(_volume(image))


def _volume(image: Image) -> Array:
    return np.ascontiguousarray(image.array.transpose(1, 2, 0), dtype=np.float32)


def reconstruction_geometry(projections: Projections) -> Geometry:
    """Give the grid that projections reconstruct to: cubic in-plane voxels of a detector column, slices of its rows.

    Its transverse centre is the axis of rotation; k grows to the head, and the highest slice is row 0.
    """
    rows, columns = projections.counts.shape[2:]
    axial, transverse = projections.pixel_mm
    half = (columns - 1) / 2 * transverse
    x, y = projections.axis_mm
    first = (x - half, y - half, projections.first_row_z_mm - (rows - 1) * axial)
    return Geometry.axial(
        (rows, columns, columns), (axial, transverse, transverse), first, projections.header.frame_of_reference_uid
    )


def support_of(
    orbit_angles_deg: NDArray[np.float64], radii_mm: NDArray[np.float64] | None, n: int, pixel_mm: float
) -> NDArray[np.bool_]:
    """Tell which transverse places (rows, columns) can hold activity: in every view's field and before the detector.

    Parameters
    ----------
    orbit_angles_deg, radii_mm : (views,) arrays
        Where radii are None only the field of view limits.
    n : int
        Columns of the detector.
    pixel_mm : float
    """
    places = (np.arange(n) - (n - 1) / 2) * pixel_mm
    y, x = np.meshgrid(places, places, indexing="ij")
    inside = np.asarray(x**2 + y**2 <= (((n - 1) / 2 - 0.5) * pixel_mm) ** 2)
    if radii_mm is not None:
        for angle, radius in zip(np.deg2rad(orbit_angles_deg), radii_mm, strict=True):
            inside &= x * np.sin(angle) + y * np.cos(angle) <= radius + pixel_mm
    return inside


def response_increments(
    radii_mm: NDArray[np.float64],
    planes: int,
    transverse_mm: float,
    axial_mm: float,
    sigma_mm: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None,
    interpolated_px2: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Turn the response at each plane's distance into the growth of its variance from plane to plane.

    The variance falls from the far plane to the near one, so between two planes stands the difference of their
    variances; the last entry is the nearest plane's own.

    Parameters
    ----------
    radii_mm : (views,) array
    planes : int
    transverse_mm, axial_mm : float
        Plane distance (and pixel across), and pixel along the axis.
    sigma_mm : function of distance in mm, or None
        None leaves the response out.
    interpolated_px2 : (views,) array or None
        What the rotation's interpolation adds across the axis; None is nothing.

    Returns
    -------
    (views, planes + 1, 2) array, pixels squared, across and along the axis

    Notes
    -----
    The nearest plane's own response holds the extents of the detector's pixels and of the voxels too (a variance of
    1/12 pixel squared each), less what the rotation's interpolation stands for.
    """
    views = radii_mm.size
    if sigma_mm is None:
        return np.zeros((views, planes + 1, 2))
    depths = (np.arange(planes) - (planes - 1) / 2) * transverse_mm
    at_plane = sigma_mm(radii_mm[:, None] - depths[None, :]) ** 2
    variance = np.zeros((views, planes + 1))
    variance[:, 1:planes] = at_plane[:, :-1] - at_plane[:, 1:]
    variance[:, planes] = at_plane[:, -1]
    variance = np.maximum(variance, 0.0)
    increments = np.stack([variance / transverse_mm**2, variance / axial_mm**2], axis=-1)
    extent = 1 / 6 if interpolated_px2 is None else np.maximum(1 / 6 - interpolated_px2, 0.0)
    increments[:, planes, 0] += extent
    increments[:, planes, 1] += 1 / 6
    return increments


@dataclass(frozen=True, slots=True, eq=False)
class Matter:
    """What attenuates: its places, and for each voxel exp(-mu h / 2) - 1, with h the distance of planes.

    Parameters
    ----------
    support : Support
    loss : (places, slices) array
    """

    support: Support
    loss: Array

    @classmethod
    def of(cls, integral: Array) -> Matter | None:
        """Take mu h (rows, columns, slices), no unit; None where it is zero throughout."""
        mask = np.asarray((integral > 0).any(axis=2))
        if not mask.any():
            return None
        support = Support(mask)
        return cls(support, np.expm1(support.runs(integral) * np.float32(-0.5)))


class SpectProjector(ViewOperator):
    """Projection of activity to views, without duration, decay and units.

    An image is the runs (places, slices) of its support.

    Parameters
    ----------
    support : Support
        Where activity can be, on a plane as deep as wide.
    slices : int
    plan : ViewPlan
        Made with the same support and matter.
    matter : Matter or None
        None leaves attenuation out.
    threads : int or None
        The result does not depend on it; None takes as many as there are processors.
    """

    def __init__(
        self,
        support: Support,
        slices: int,
        plan: ViewPlan,
        matter: Matter | None = None,
        threads: int | None = None,
        workers: Workers | None = None,
    ) -> None:
        self.in_shape = (support.places, slices)
        self.out_shape = (plan.views, support.mask.shape[1], slices)
        self.support = support
        self._plan, self._matter = plan, matter
        self._number = bordered(support)
        if matter is None:
            self._loss = np.zeros((1, slices), np.float32)
            self._loss_number = np.full_like(self._number, -1)
        else:
            self._loss, self._loss_number = matter.loss, bordered(matter.support)
        self._workers = workers or Workers(threads or os.cpu_count() or 1, self.in_shape)

    @property
    def threads(self) -> int:
        """Number of threads."""
        return self._workers.threads

    def subset(self, views: NDArray[np.intp]) -> SpectProjector:
        """Return the projector of these views only; volumes and threads are shared."""
        slices = self.in_shape[1]
        return SpectProjector(self.support, slices, self._plan.subset(views), self._matter, workers=self._workers)

    def _arguments(self, view: int, *work: Array) -> tuple[Any, ...]:
        """Give what a kernel takes after its input, the work arrays and the output at the end."""
        return self._number, self._loss, self._loss_number, *self._plan.steps(view), *work

    def _work(self) -> tuple[Array, Array]:
        _, columns, slices = self.out_shape
        length = slices + 2 * self._plan.ends
        return np.empty((2, columns + 2, length), np.float32), np.zeros((3, length + 2), np.float32)

    def _forward(self, x: Array) -> Array:
        projected = np.empty(self.out_shape, np.float32)

        def some(views: range) -> None:
            work = self._work()
            for v in views:
                project_view(x, *self._arguments(v, *work, projected[v]))

        self._workers.share(some, self.views)
        return projected

    def _adjoint(self, y: Array) -> Array:
        with self._workers.parts(min(_PARTS, self.views)) as parts:

            def some(numbers: range) -> None:
                work = self._work()
                for part in numbers:
                    for v in range(part, self.views, len(parts)):
                        backproject_view(y[v], *self._arguments(v, *work, parts[part]))

            self._workers.share(some, len(parts))
            return self._workers.sum_of(parts)


def spect_projector(
    projections: Projections,
    mu: Image | None,
    collimator: Collimator | None,
    energy_kev: float,
    *,
    threads: int | None = None,
    within: NDArray[np.bool_] | None = None,
) -> SpectProjector:
    """Build the projector of an acquisition.

    Parameters
    ----------
    projections : Projections
    mu : Image or None
        Attenuation map in 1/cm on `reconstruction_geometry(projections)`; None leaves attenuation out.
    collimator : Collimator or None
        None leaves resolution recovery out.
    energy_kev : float
    threads : int or None

    within : (rows, columns) bool array or None
        Where activity can be, besides what the orbit allows; None leaves it to the orbit.

    Returns
    -------
    SpectProjector

    Raises
    ------
    MissingInformationError
        Resolution recovery is asked for and the orbit's radii are not recorded.
    InputError, GeometryError
        The map is on another grid or holds impossible values.
    """
    geometry = reconstruction_geometry(projections)
    slices, n, _ = geometry.shape
    axial, transverse = projections.pixel_mm
    orbit = projections.orbit
    if collimator is not None and orbit.radii_mm is None:
        raise MissingInformationError(
            "The acquisition does not record the detector's radius, which resolution recovery needs; "
            "give --no-resolution to reconstruct without it."
        )
    sigma = None
    if collimator is not None:
        found = collimator

        def sigma(distance_mm: NDArray[np.float64]) -> NDArray[np.float64]:
            return system_sigma_mm(found, energy_kev, distance_mm)

    radii = np.zeros(orbit.views) if orbit.radii_mm is None else orbit.radii_mm
    mask = support_of(orbit.angles_deg, orbit.radii_mm if collimator else None, n, transverse)
    support = Support(mask if within is None else mask & within)
    matter = None if mu is None else Matter.of(_attenuation_per_plane(mu, geometry, transverse))
    offsets = np.zeros(orbit.views) if orbit.centre_offset_mm is None else orbit.centre_offset_mm / transverse
    interpolated = interpolated_variance_px2(orbit.angles_deg, offsets, n)
    increments = response_increments(radii, n, transverse, axial, sigma, interpolated)
    plan = plan_views(orbit.angles_deg, offsets, increments, support, matter.support if matter else None)
    return SpectProjector(support, slices, plan, matter, threads)


def _attenuation_per_plane(mu: Image, geometry: Geometry, plane_mm: float) -> Array:
    if not mu.geometry.same_grid(geometry):
        raise GeometryError("The attenuation map is not on the grid of the reconstruction; resample it first.")
    highest = float(mu.array.max(initial=0.0)) if np.all(np.isfinite(mu.array)) else np.inf
    if highest > _HIGHEST_MU_PER_CM:
        raise InputError(
            f"The attenuation map reaches {highest:g} 1/cm, more than any implant at 140 keV ({_HIGHEST_MU_PER_CM:g}); "
            "check that its unit is 1/cm."
        )
    if float(mu.array.min()) < 0:
        raise InputError("The attenuation map holds negative values.")
    return np.multiply(_volume(mu), np.float32(plane_mm / 10.0))


def view_factors(projections: Projections, half_life_s: float | None) -> NDArray[np.float64]:
    """Give the counts of each view for a rate of 1 count/s at the acquisition's start.

    duration x decay to the view's start x mean decay over the view. Without a half-life, or where Corrected Image says
    DECY, decay is left out.
    """
    if half_life_s is None or "DECY" in projections.header.corrections:
        return projections.view_duration_s.copy()
    left = decay_factor(half_life_s, projections.view_start_s)
    return projections.view_duration_s * left / frame_start_factor(half_life_s, projections.view_duration_s)


def system_model(projector: SpectProjector, projections: Projections, half_life_s: float | None) -> ScaledViews:
    """Compose projector, duration, decay and voxel volume: counts/s/mL of one head in, counts of each view out."""
    volume_ml = reconstruction_geometry(projections).voxel_volume_ml
    return ScaledViews(projector, view_factors(projections, half_life_s) * volume_ml)
