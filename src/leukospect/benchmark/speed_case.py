"""The problem that every contestant of the speed benchmark solves: a body with hot spheres, simulated.

Its counts come from the simulated gamma camera of `leukospect.phantoms`, which shares no projector with any of the
contestants.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukospect.data import AcquisitionHeader, EnergyWindow, Geometry, Image, Orbit, Projections, Radiopharmaceutical

Array = NDArray[np.float32]

ENERGY_KEV = 140.511
COLLIMATOR = "leukospect:LEHR"

FIELD_MM = 614.4
RADIUS_MM = 250.0
BODY_HALF_AXES_MM = (165.0, 120.0, 240.0)
BODY_CENTRE_MM = (6.0, -9.0, 0.0)
CONTRAST = 6.0
SPHERES_MM = (
    (70.0, 5.0, 36.0, 37.0),
    (38.0, 46.0, -60.0, 28.0),
    (-30.0, 40.0, 60.0, 22.0),
    (-62.0, -12.0, -36.0, 17.0),
    (-24.0, -62.0, 12.0, 13.0),
    (44.0, -56.0, -12.0, 10.0),
)
"""Centre (x, y, z) and diameter of each hot sphere; no mirror image of them is the same."""

_WINDOW_KEV = (126.45, 154.55)
_WATER_PER_CM = 0.15
_SECONDS_A_VIEW = 0.01  # so short that nothing decays: rivals know no decay


@dataclass(frozen=True, slots=True, eq=False)
class SpeedCase:
    """Counts and what is known of them; cubic voxels, as many as pixels.

    Parameters
    ----------
    counts, scatter : (views, rows, columns) float32 arrays
        Rows from head to feet. The expected scatter is known.
    mu : (slices, rows, columns) float32 array, 1/cm
    truth : (slices, rows, columns) float32 array
        Counts of a voxel in a view without attenuation.
    body : (rows, columns) bool array
        The transverse places that the body meets.
    angles_deg : (views,) array, data.Orbit's convention
    radius_mm, pixel_mm : float
    """

    counts: Array
    scatter: Array
    mu: Array
    truth: Array
    body: NDArray[np.bool_]
    angles_deg: NDArray[np.float64]
    radius_mm: float
    pixel_mm: float

    @property
    def size(self) -> int:
        """Voxels along each axis."""
        return int(self.body.shape[0])

    @property
    def views(self) -> int:
        """Number of views."""
        return int(self.angles_deg.size)

    @property
    def voxels_in_body(self) -> int:
        """Voxels of the runs along the axis that the body meets."""
        return int(np.count_nonzero(self.body)) * self.size

    @property
    def geometry(self) -> Geometry:
        """The grid of the images; its middle is the axis of rotation."""
        return _grid(self.size, self.pixel_mm)

    @property
    def mu_image(self) -> Image:
        """The attenuation map on its grid."""
        return Image(self.mu, self.geometry, "1/cm")

    def projections(self) -> Projections:
        """Give the counts as an acquisition."""
        return Projections(
            self.counts[None],
            (EnergyWindow((_WINDOW_KEV,), "photopeak"),),
            Orbit(self.angles_deg, np.full(self.views, self.radius_mm)),
            (self.pixel_mm, self.pixel_mm),
            (0.0, 0.0),
            (self.size - 1) / 2 * self.pixel_mm,
            np.zeros(self.views),
            np.ones(self.views),
            AcquisitionHeader("TOMO", radiopharmaceutical=Radiopharmaceutical("Tc-99m"), collimator="LEHR"),
        )

    def save(self, path: Path) -> None:
        """Write to an .npz file."""
        np.savez(path, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, path: Path) -> SpeedCase:
        """Read what `save` wrote."""
        with np.load(path) as stored:
            values: dict[str, Any] = {field.name: stored[field.name] for field in fields(cls)}
        for name in ("radius_mm", "pixel_mm"):
            values[name] = float(values[name])
        return cls(**values)


def simulated_case(
    size: int, views: int, total_counts: float, *, seed: int = 0, threads: int | None = None
) -> SpeedCase:
    """Simulate the body with hot spheres, scatter and Poisson noise.

    Parameters
    ----------
    size, views : int
        Voxels along each axis of a field of 614.4 mm, and views over 360 degrees.
    total_counts : float
        Expected counts of all views together.
    seed : int
    threads : int or None
    """
    # The simulator's loops are not needed by whoever only loads a case.
    from leukospect.phantoms.maps import attenuation_map
    from leukospect.phantoms.materials import linear_attenuation_per_cm, photopeak_attenuation_per_cm
    from leukospect.phantoms.simulate import simulate_study

    pixel_mm = FIELD_MM / size
    grid = _grid(size, pixel_mm)
    simulated = simulate_study(_phantom(size, views), noise=False, threads=threads)
    expected, primary = simulated.expected[0], simulated.expected_primary[0]
    if expected is None or primary is None:
        raise AssertionError("a simulated SPECT has expected counts")
    scale = total_counts / float(expected.sum(dtype=np.float64))
    counts = np.random.default_rng(seed).poisson(expected[0].astype(np.float64) * scale)
    truth = np.asarray(simulated.truth("early", grid).array, np.float64) * (
        grid.voxel_volume_ml * _SECONDS_A_VIEW * scale
    )
    # The photopeak counts coherently scattered photons, so they do not attenuate it.
    photopeak = photopeak_attenuation_per_cm("water", ENERGY_KEV) / float(
        linear_attenuation_per_cm("water", ENERGY_KEV)
    )
    mu = np.asarray(attenuation_map(simulated.phantom, ENERGY_KEV, grid).array, np.float64) * photopeak
    return SpeedCase(
        counts.astype(np.float32),
        ((expected[0] - primary[0]) * np.float32(scale)).astype(np.float32),
        mu.astype(np.float32),
        truth.astype(np.float32),
        np.asarray((mu > 0).any(axis=0)),
        simulated.study.projections[0].orbit.angles_deg,
        RADIUS_MM,
        pixel_mm,
    )


def plain_case(size: int, views: int) -> SpeedCase:
    """Make the same body in no time, without spheres, attenuation of its counts and noise: for timing other sizes.

    Parameters
    ----------
    size, views : int
        As in `simulated_case`.
    """
    pixel_mm = FIELD_MM / size
    places = _places_mm(size)
    (a, b, half), (x0, y0, _) = BODY_HALF_AXES_MM, BODY_CENTRE_MM
    body = _ellipse(size)
    angles = np.arange(views, dtype=np.float64) * (360.0 / views)
    t = np.deg2rad(angles)[:, None]
    # Chord of an ellipse at column offset s: 2 a b sqrt(w^2 - s^2) / w^2, w its half width seen from that angle.
    width = (a * np.cos(t)) ** 2 + (b * np.sin(t)) ** 2
    offset = places[None, :] - (-x0 * np.cos(t) + y0 * np.sin(t))
    chords = 2 * a * b * np.sqrt(np.maximum(width - offset**2, 0.0)) / width / pixel_mm
    inside = np.abs(places) <= half
    counts = (chords[:, None, :] * inside[None, :, None]).astype(np.float32)
    volume = (inside[:, None, None] & body[None]).astype(np.float32)
    return SpeedCase(
        counts, counts * np.float32(0.2), volume * np.float32(_WATER_PER_CM), volume, body, angles, RADIUS_MM, pixel_mm
    )


def body_places(size: int) -> int:
    """Count the transverse places of a `plain_case` that the body meets."""
    return int(np.count_nonzero(_ellipse(size)))


def _places_mm(size: int) -> NDArray[np.float64]:
    return (np.arange(size) - (size - 1) / 2) * FIELD_MM / size


def _ellipse(size: int) -> NDArray[np.bool_]:
    places = _places_mm(size)
    (a, b, _), (x0, y0, _) = BODY_HALF_AXES_MM, BODY_CENTRE_MM
    return np.asarray(((places[None, :] - x0) / a) ** 2 + ((places[:, None] - y0) / b) ** 2 <= 1)


def _grid(size: int, pixel_mm: float) -> Geometry:
    first = -(size - 1) / 2 * pixel_mm
    return Geometry.axial((size, size, size), (pixel_mm,) * 3, (first,) * 3)


def _phantom(size: int, views: int) -> Any:
    from leukospect.phantoms.acquisitions import Camera, SpectAcquisition, Window
    from leukospect.phantoms.description import Compartment, Injection, Phantom
    from leukospect.phantoms.solids import EllipticCylinder, Sphere

    pixel_mm = FIELD_MM / size
    (a, b, half), (x0, y0, z0) = BODY_HALF_AXES_MM, BODY_CENTRE_MM
    body = EllipticCylinder(
        kind="elliptic_cylinder",
        from_mm=(x0, y0, z0 - half),
        to_mm=(x0, y0, z0 + half),
        radii_mm=(a, b),
        material="water",
        compartment="warm",
    )
    spheres = [
        Sphere(kind="sphere", center_mm=(x, y, z), radius_mm=diameter / 2, compartment="hot")
        for x, y, z, diameter in SPHERES_MM
    ]
    scan = SpectAcquisition(
        kind="SPECT",
        time_point="early",
        hours=0.0,
        matrix=(size, size),
        pixel_mm=(pixel_mm, pixel_mm),
        seconds=_SECONDS_A_VIEW,
        window=(Window(name="photopeak", lower_kev=_WINDOW_KEV[0], upper_kev=_WINDOW_KEV[1]),),
        radius_mm=RADIUS_MM,
        stops=views,
        heads=1,
        start_angle_deg=0.0,
    )
    return Phantom(
        name="speed",
        title="a body with hot spheres",
        finest_mm=min(2.4, pixel_mm / 2),
        injection=Injection(nuclide="Tc-99m", compound="none", dose_mbq=100.0, time=datetime(2020, 1, 1, 8)),
        camera=Camera(
            collimator="LEHR",
            hole_mm=1.11,
            hole_length_mm=24.05,
            intrinsic_fwhm_mm=3.8,
            energy_resolution_percent=9.5,
            sensitivity_cps_per_mbq=90.0,
        ),
        compartment={
            "warm": Compartment(hours=(0.0,), kbq_per_ml=(10.0,)),
            "hot": Compartment(hours=(0.0,), kbq_per_ml=(10.0 * CONTRAST,)),
        },
        shape=(body, *spheres),
        acquisition=(scan,),
    )
