"""The simulated gamma camera: what its heads would count on average, primary and scattered.

The model, for one head at one place: activity is attenuated along the line at right angles to the collimator (mu of
each material at the photon's energy, exact along the ray), every plane is blurred with the Gaussian of its own
distance, and the planes are added. Of the photons that set out for the head, the fraction tau exp(-tau) is taken to
arrive scattered once and tau^2 / 2 exp(-tau) twice (tau: the attenuation path), as forward scatter builds them up.
Each scatter widens the Gaussian by 10 mm + 0.12 z (z: distance from the collimator), variances adding. What the
windows see of them follows from their spectra.

The collimator: geometric FWHM d (Le + z) / Le, Le = L - 2 / mu of lead, added in quadrature to the intrinsic one.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from leukospect.errors import ProtocolError
from leukospect.phantoms.acquisitions import Camera, PlanarAcquisition, SpectAcquisition
from leukospect.phantoms.kernels_gamma import project_stop
from leukospect.phantoms.scene import Scene

LEAD_PER_CM = {140.511: 26.9, 171.28: 16.5, 245.35: 7.06}
"""Linear attenuation of lead, 1/cm (NIST XCOM), by photon energy in keV."""
_FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))
_SCATTER_CELL_MM = 9.6
_MARGIN_MM = 76.8
_HEADS_DEG = (0.0, 180.0)

Blur = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]


@dataclass(frozen=True, slots=True, eq=False)
class HeadCounts:
    """Mean rates of one head in (times, views, rows, columns) float32 arrays, counts/s at each scan's start.

    `primary` counts unscattered photons of every energy the camera records of them; `once` and `twice` scattered ones.
    """

    primary: NDArray[np.float32]
    once: NDArray[np.float32]
    twice: NDArray[np.float32]


def detector_normal(angle_deg: float) -> NDArray[np.float64]:
    """Give the unit vector from the axis of rotation to the detector, LPS."""
    angle = np.deg2rad(angle_deg)
    return np.array([np.sin(angle), np.cos(angle), 0.0])


def detector_columns(angle_deg: float) -> NDArray[np.float64]:
    """Give the unit vector along the projection's columns, LPS."""
    angle = np.deg2rad(angle_deg)
    return np.array([-np.cos(angle), np.sin(angle), 0.0])


def axis_of(scan: SpectAcquisition | PlanarAcquisition) -> NDArray[np.float64]:
    """Point of the axis of rotation at the middle of the rows, LPS mm."""
    return np.array([*scan.axis_mm, scan.center_z_mm])


def scan_angles_deg(scan: SpectAcquisition | PlanarAcquisition) -> NDArray[np.float64]:
    """Angle of each view: a planar scan's anterior, posterior; a SPECT scan's first head, then the second."""
    if isinstance(scan, PlanarAcquisition):
        return np.array([180.0, 0.0])
    return np.concatenate([np.mod(scan.angles_deg + offset, 360.0) for offset in _HEADS_DEG[: scan.heads]])


def scan_radii_mm(scene: Scene, scan: SpectAcquisition | PlanarAcquisition) -> NDArray[np.float64]:
    """Distance of the collimator's face from the axis at each view: the one given, or the body's edge and a clearance.

    Raises
    ------
    ProtocolError
        The radius given would put the detector inside the body.
    """
    body = scene.select((scene.material >= 0) | (scene.compartment > 0))
    half_mm = scan.matrix[0] * scan.pixel_mm[0] / 2.0
    z = body.limits_mm(axis_of(scan), np.array([0.0, 0.0, 1.0]))
    body = body.select((z[:, 0] < half_mm) & (z[:, 1] > -half_mm))
    radii = []
    for angle in scan_angles_deg(scan):
        edge = float(body.limits_mm(axis_of(scan), detector_normal(float(angle)))[:, 1].max()) if body.solids else 0.0
        if scan.radius_mm is not None and scan.radius_mm < edge:
            raise ProtocolError(
                f"A radius of {scan.radius_mm:g} mm puts the detector into the phantom, which reaches {edge:.0f} mm at "
                f"{angle:.0f} degrees; make 'radius_mm' larger or leave it out."
            )
        radii.append(scan.radius_mm if scan.radius_mm is not None else max(edge, 1.0) + scan.clearance_mm)
    return np.array(radii)


def collimator_sigma_mm(camera: Camera, energy_kev: float, distance_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the standard deviation of the camera's Gaussian response at distances from the collimator's face, mm.

    Raises
    ------
    ProtocolError
        Lead's attenuation is not known at this energy.
    """
    if energy_kev not in LEAD_PER_CM:
        raise ProtocolError(f"The simulated collimator is not described at {energy_kev:g} keV.")
    length = camera.hole_length_mm - 20.0 / LEAD_PER_CM[energy_kev]
    geometric = camera.hole_mm * (length + np.maximum(distance_mm, 0.0)) / length
    return np.asarray(np.hypot(geometric, camera.intrinsic_fwhm_mm) / _FWHM_PER_SIGMA)


def _half_kernels(sigma_mm: NDArray[np.float64], step_mm: float) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Half Gaussians summing to 1 over both sides: (..., taps), and how many taps each reaches.

    Cells are treated as points: depositing into a cell and adding cells to a pixel blur by just the pixel's own width.
    """
    sigma = np.maximum(sigma_mm / step_mm, 0.3)
    reach = np.ceil(4.0 * sigma).astype(np.int64)
    taps = np.arange(int(reach.max()) + 1)
    weights = np.exp(-0.5 * (taps / sigma[..., None]) ** 2) * (taps <= reach[..., None])
    weights /= 2.0 * weights.sum(axis=-1, keepdims=True) - weights[..., :1]
    return weights.astype(np.float32), reach


@dataclass(frozen=True, slots=True)
class _FineGrid:
    """The cells of one scan: `fine` to a pixel, `coarse` to a cell of the scatter, `margin` beyond each edge."""

    fine: tuple[int, int]
    step_mm: tuple[float, float]
    coarse: int
    margin: tuple[int, int]
    shape: tuple[int, int]

    @classmethod
    def of(cls, scan: SpectAcquisition | PlanarAcquisition, finest_mm: float) -> _FineGrid:
        fine = tuple(max(2, ceil(pixel / finest_mm - 1e-9)) for pixel in scan.pixel_mm)
        step = tuple(pixel / n for pixel, n in zip(scan.pixel_mm, fine, strict=True))
        coarse = max(1, round(_SCATTER_CELL_MM / max(step)))
        margin = tuple(coarse * ceil(_MARGIN_MM / h / coarse) for h in step)
        shape = tuple(
            coarse * ceil((n * f + 2 * m) / coarse) for n, f, m in zip(scan.matrix, fine, margin, strict=True)
        )
        return cls((fine[0], fine[1]), (step[0], step[1]), coarse, (margin[0], margin[1]), (shape[0], shape[1]))


def _interpolation(targets: int, fine: int, margin: int, coarse: int, cells: int) -> NDArray[np.float64]:
    """Matrix of linear interpolation from coarse cells' centres to pixels' centres, both along one axis."""
    centres = (margin + (np.arange(targets) + 0.5) * fine) / coarse - 0.5
    low = np.clip(np.floor(centres).astype(np.int64), 0, cells - 2)
    share = np.clip(centres - low, 0.0, 1.0)
    matrix = np.zeros((targets, cells))
    rows = np.arange(targets)
    matrix[rows, low] = 1.0 - share
    matrix[rows, low + 1] += share
    return matrix


def _blurs(
    camera: Camera,
    energy_kev: float,
    distance_mm: NDArray[np.float64],
    orders: tuple[int, ...],
    steps: tuple[float, float],
) -> Blur:
    """Half kernels along u and v for (heads, planes) distances and orders of scatter, (heads, orders, planes, taps)."""
    collimator = collimator_sigma_mm(camera, energy_kev, distance_mm)
    widened = [np.sqrt(collimator**2 + order * (10.0 + 0.12 * np.maximum(distance_mm, 0.0)) ** 2) for order in orders]
    sigma = np.stack(widened, axis=1)
    along_v, along_u = (_half_kernels(sigma, step) for step in steps)
    return along_u[0], along_u[1], along_v[0], along_v[1]


class GammaCamera:
    """A scan's heads looking at a scene; several times that share the geometry are counted together.

    Parameters
    ----------
    scene : Scene
    camera : Camera
    scan : SpectAcquisition or PlanarAcquisition
    energy_kev : float
    activity_kbq_per_ml : (times, compartments) array
    finest_mm : float
        Upper bound of the simulation's own grid spacing.
    rays_per_cell : int
    """

    def __init__(
        self,
        scene: Scene,
        camera: Camera,
        scan: SpectAcquisition | PlanarAcquisition,
        energy_kev: float,
        activity_kbq_per_ml: NDArray[np.float64],
        finest_mm: float,
        rays_per_cell: int = 1,
    ) -> None:
        self._scene = scene.select((scene.material >= 0) | (scene.compartment >= 0))
        self._camera, self._scan, self._energy_kev = camera, scan, energy_kev
        self._activity = np.ascontiguousarray(activity_kbq_per_ml, dtype=np.float64)
        self._grid, self._finest_mm, self._rays = _FineGrid.of(scan, finest_mm), finest_mm, rays_per_cell
        self._attenuation = self._scene.photopeak_attenuation_per_mm(energy_kev)
        self._angles = scan_angles_deg(scan)
        self._radii = scan_radii_mm(scene, scan)
        self._heads = 2 if isinstance(scan, PlanarAcquisition) else scan.heads

    def _stop(self, stop: int) -> HeadCounts:
        """Rates of each head at one stop: arrays (heads, times, rows, columns)."""
        grid, axis, stops = self._grid, axis_of(self._scan), self._angles.size // self._heads
        angle = float(self._angles[stop])
        u, v, s = detector_columns(angle), np.array([0.0, 0.0, -1.0]), detector_normal(angle)
        depth = self._scene.limits_mm(axis, s)
        planes = grid.coarse * max(1, ceil((depth[:, 1].max() - depth[:, 0].min()) / self._finest_mm / grid.coarse))
        s0 = float(depth[:, 0].min())
        middles = s0 + (np.arange(planes) + 0.5) * self._finest_mm
        radii = self._radii[stop::stops]
        distance = np.stack([radius - side * middles for radius, side in zip(radii, (1.0, -1.0), strict=False)])
        far = distance.reshape(len(radii), -1, grid.coarse).mean(axis=2)
        steps = (grid.step_mm[0] * grid.coarse, grid.step_mm[1] * grid.coarse)
        blur = _blurs(self._camera, self._energy_kev, distance, (0,), grid.step_mm)
        primary, scattered = project_stop(
            self._scene.unit,
            self._scene.taper,
            self._scene.local(axis, u, v, s),
            self._scene.limits_mm(axis, u),
            self._scene.limits_mm(axis, v),
            self._scene.material,
            self._scene.compartment,
            self._attenuation,
            self._activity,
            self._origin(s0),
            (grid.shape[1], grid.shape[0], planes, self._heads, grid.coarse, self._rays),
            tuple(np.ascontiguousarray(part[:, 0]) for part in blur),
            _blurs(self._camera, self._energy_kev, far, (1, 2), steps),
        )
        return self._on_the_camera(primary, scattered)

    def _origin(self, s0: float) -> tuple[float, float, float, float, float, float]:
        (rows, columns), (dv, du) = self._scan.matrix, self._grid.step_mm
        v0 = -rows * self._scan.pixel_mm[0] / 2.0 - self._grid.margin[0] * dv
        u0 = -columns * self._scan.pixel_mm[1] / 2.0 - self._grid.margin[1] * du
        return u0, v0, s0, du, dv, self._finest_mm

    def _on_the_camera(self, primary: NDArray[np.float32], scattered: NDArray[np.float32]) -> HeadCounts:
        grid, (rows, columns) = self._grid, self._scan.matrix
        (fine_v, fine_u), (margin_v, margin_u) = grid.fine, grid.margin
        # kBq/mL times mm times mm2 is 1e-6 MBq.
        scale = 1e-6 * self._camera.sensitivity_cps_per_mbq * grid.step_mm[0] * grid.step_mm[1]
        inside = primary[..., margin_v : margin_v + rows * fine_v, margin_u : margin_u + columns * fine_u]
        counted = inside.reshape(*primary.shape[:2], rows, fine_v, columns, fine_u).sum(axis=(3, 5)) * scale
        along_v = _interpolation(rows, fine_v, margin_v, grid.coarse, scattered.shape[3])
        along_u = _interpolation(columns, fine_u, margin_u, grid.coarse, scattered.shape[4])
        wide = np.einsum("htoij,cj->htoic", scattered.astype(np.float64), along_u)
        wide = np.einsum("htoic,ri->htorc", wide, along_v) * (scale * fine_v * fine_u)
        if self._heads == 2:
            # u of the second head runs the other way.
            counted[1], wide[1] = counted[1, ..., ::-1].copy(), wide[1, ..., ::-1].copy()
        return HeadCounts(
            counted.astype(np.float32), wide[:, :, 0].astype(np.float32), wide[:, :, 1].astype(np.float32)
        )

    def count(self, threads: int, progress: Callable[[float], None] | None = None) -> HeadCounts:
        """Count every view; the result does not depend on the number of threads.

        Parameters
        ----------
        threads : int
        progress : callable or None
            Told the fraction done.
        """
        stops = self._angles.size // self._heads
        shape = (self._activity.shape[0], self._angles.size, *self._scan.matrix)
        counts = HeadCounts(*(np.zeros(shape, np.float32) for _ in range(3)))
        with ThreadPoolExecutor(threads) as pool:
            pending = {pool.submit(self._stop, stop): stop for stop in range(stops)}
            for done, future in enumerate(as_completed(pending), start=1):
                result = future.result()
                for head in range(self._heads):
                    view = pending[future] + head * stops
                    for name in ("primary", "once", "twice"):
                        getattr(counts, name)[:, view] = getattr(result, name)[head]
                if progress is not None:
                    progress(done / stops)
        return counts
