"""The SPECT system model: rotation, attenuation and the collimator-detector response, with its exact adjoint.

counts = duration x decay x voxel volume x sum over depths of [ response(depth) attenuation(depth) rotation ] activity

Arrays of the operators have the axial index last: images (rows, columns, slices), views (views, columns, slices),
slices from feet to head; the functions `views_of_counts` to `volume_of_image` convert from and to the data's order.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukospect.data import Geometry, Image, Projections
from leukospect.errors import GeometryError, InputError, MissingInformationError
from leukospect.kernels.view import backproject_view, project_view, sum_attenuation
from leukospect.operators import ScaledViews, ViewOperator
from leukospect.physics.collimators import Collimator, system_sigma_mm
from leukospect.physics.decay import decay_factor, frame_start_factor

Array = NDArray[np.float32]

_ACCUMULATORS = 4
"""Back-projected views are added up in this many volumes, always the same views in each, then those in order."""

_LARGEST_TAP = 0.25

_HIGHEST_MU_PER_CM = 5.0


def views_of_counts(counts: NDArray[np.floating]) -> Array:
    """Take (views, rows, columns) counts, rows head to feet, to the operators' (views, columns, slices)."""
    return np.ascontiguousarray(counts[:, ::-1, :].transpose(0, 2, 1), dtype=np.float32)


def counts_of_views(views: Array) -> Array:
    """Take the operators' (views, columns, slices) to (views, rows, columns) counts, rows head to feet."""
    return np.ascontiguousarray(views.transpose(0, 2, 1)[:, ::-1, :])


def image_of_volume(volume: Array, geometry: Geometry, unit: str) -> Image:
    """Take the operators' (rows, columns, slices) to an image indexed (slice, row, column)."""
    return Image(np.ascontiguousarray(volume.transpose(2, 0, 1)), geometry, unit)


def volume_of_image(image: Image) -> Array:
    """Take an image indexed (slice, row, column) to the operators' (rows, columns, slices)."""
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


@dataclass(frozen=True, slots=True, eq=False)
class ResponsePlan:
    """Tap weights of the incremental blur for both axes, and passes of each: (views, planes + 1).

    The variance falls from the far plane to the near one, so between two planes stands the difference of their
    variances; the last entry is the nearest plane's own.
    """

    across: Array
    along: Array
    passes: NDArray[np.int64]


def plan_response(
    radii_mm: NDArray[np.float64],
    planes: int,
    transverse_mm: float,
    axial_mm: float,
    sigma_mm: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None,
) -> ResponsePlan:
    """Turn the response at each plane's distance into increments of variance; no response gives no passes.

    Parameters
    ----------
    radii_mm : (views,) array
    planes : int
    transverse_mm, axial_mm : float
        Plane distance (and pixel across), and pixel along the axis.
    sigma_mm : function of distance in mm, or None

    Notes
    -----
    The nearest plane's own response holds the extent of the detector's pixels too (variance 1/12 pixel squared), and
    along the axis that of the voxels (another 1/12), which the rotation's interpolation stands for across it.
    """
    views = radii_mm.size
    variance = np.zeros((views, planes + 1))
    extent = np.zeros((2, planes + 1))
    if sigma_mm is not None:
        extent[:, planes] = transverse_mm**2 / 12, axial_mm**2 / 6
        depths = (np.arange(planes) - (planes - 1) / 2) * transverse_mm
        at_plane = sigma_mm(radii_mm[:, None] - depths[None, :]) ** 2
        variance[:, 1:planes] = at_plane[:, :-1] - at_plane[:, 1:]
        variance[:, planes] = at_plane[:, -1]
    pixels = [(np.maximum(variance, 0.0) + extent[0]) / transverse_mm**2]
    pixels += [(np.maximum(variance, 0.0) + extent[1]) / axial_mm**2]
    passes = np.ceil(np.maximum(pixels[0], pixels[1]) / (2 * _LARGEST_TAP)).astype(np.int64)
    across, along = ((each / np.maximum(passes, 1) / 2).astype(np.float32) for each in pixels)
    return ResponsePlan(across, along, passes)


class SpectProjector(ViewOperator):
    """Projection of an activity image to views, without duration, decay and units.

    Parameters
    ----------
    shape : (rows, columns, slices) of the image; rows equals columns
    angles_deg : (views,) array, data.Orbit's convention
    offsets_px : (views,) array
        Centre-of-rotation offset along the columns, pixels.
    response : ResponsePlan
    integral : (rows, columns, slices) array or None
        Attenuation coefficient times voxel size; None leaves attenuation out.
    active : (rows, columns) array
        Where activity or attenuation can be.
    threads : int
        The result does not depend on it.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        angles_deg: NDArray[np.float64],
        offsets_px: NDArray[np.float64],
        response: ResponsePlan,
        integral: Array | None,
        active: NDArray[np.bool_],
        threads: int | None = None,
        ray_transmissions: Array | None = None,
    ) -> None:
        rows, columns, slices = shape
        if rows != columns:
            raise GeometryError(f"The reconstruction grid must be as deep as wide; found {rows} x {columns}.")
        self.in_shape = shape
        self.out_shape = (angles_deg.size, columns, slices)
        self.threads = threads or os.cpu_count() or 1
        self._angles_deg, self._offsets = angles_deg, offsets_px
        radians = np.deg2rad(angles_deg)
        self._angles = np.column_stack([np.cos(radians), np.sin(radians), offsets_px])
        self._response = response
        self._active = np.ascontiguousarray(active, dtype=np.uint8)
        self._attenuated = integral is not None
        self._integral = np.zeros(shape, np.float32) if integral is None else np.ascontiguousarray(integral, np.float32)
        if ray_transmissions is None:
            ray_transmissions = (
                self._whole_rays() if self._attenuated else np.zeros((angles_deg.size, 0, 0), np.float32)
            )
        self._ray_transmissions = ray_transmissions

    def subset(self, views: NDArray[np.intp]) -> SpectProjector:
        """Return the projector of these views only; volumes are shared."""
        plan = self._response
        return SpectProjector(
            (self.in_shape[0], self.in_shape[1], self.in_shape[2]),
            self._angles_deg[views],
            self._offsets[views],
            ResponsePlan(plan.across[views], plan.along[views], plan.passes[views]),
            self._integral if self._attenuated else None,
            self._active.astype(np.bool_),
            self.threads,
            self._ray_transmissions[views],
        )

    def _whole_rays(self) -> Array:
        transmission = np.empty(self.out_shape, np.float32)

        def one(v: int) -> None:
            path = np.empty(self.out_shape[1:], np.float64)
            sum_attenuation(self._integral, self._active, self._angles[v], self._work(), path)
            np.exp(-path, out=transmission[v], casting="same_kind")

        self._run(one, range(self.views))
        return transmission

    def _work(self) -> Array:
        return np.zeros((5, self.in_shape[2] + 2), np.float32)

    def _run(self, task: Callable[[int], None], items: Sequence[int]) -> None:
        if self.threads == 1 or len(items) == 1:
            for item in items:
                task(item)
            return
        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(task, items))

    def _forward(self, x: Array) -> Array:
        views = np.empty(self.out_shape, np.float32)
        plan = self._response

        def one(v: int) -> None:
            project_view(
                x, self._integral, self._ray_transmissions[v], self._active, self._angles[v],
                plan.across[v], plan.along[v], plan.passes[v],
                np.empty(self.out_shape[1:], np.float32), self._work(), views[v],
            )  # fmt: skip

        self._run(one, range(self.views))
        return views

    def _adjoint(self, y: Array) -> Array:
        parts = min(_ACCUMULATORS, self.views)
        sums = np.zeros((parts, *self.in_shape), np.float32)
        plan = self._response

        def one(part: int) -> None:
            transmission, plane = np.empty((2, *self.out_shape[1:]), np.float32)
            work = self._work()
            for v in range(part, self.views, parts):
                backproject_view(
                    y[v], self._integral, self._attenuated, self._active, self._angles[v],
                    plan.across[v], plan.along[v], plan.passes[v], transmission, work, plane, sums[part],
                )  # fmt: skip

        self._run(one, range(parts))
        for part in range(1, parts):
            sums[0] += sums[part]
        total: Array = sums[0]
        return total


def spect_projector(
    projections: Projections,
    mu: Image | None,
    collimator: Collimator | None,
    energy_kev: float,
    *,
    threads: int | None = None,
) -> tuple[SpectProjector, NDArray[np.bool_]]:
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

    Returns
    -------
    projector : SpectProjector
    support : (rows, columns) bool array
        Where activity can be.

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
    support = support_of(orbit.angles_deg, orbit.radii_mm if collimator else None, n, transverse)
    active, integral = support, None
    if mu is not None:
        integral = _attenuation_per_plane(mu, geometry, transverse)
        active = support | (integral > 0).any(axis=2)
    offsets = np.zeros(orbit.views) if orbit.centre_offset_mm is None else orbit.centre_offset_mm / transverse
    response = plan_response(radii, n, transverse, axial, sigma)
    return SpectProjector((n, n, slices), orbit.angles_deg, offsets, response, integral, active, threads), support


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
    return np.multiply(volume_of_image(mu), np.float32(plane_mm / 10.0))


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
