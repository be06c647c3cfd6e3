"""A body with a hot spot, off the centre and without symmetry, and what a camera of any orbit counts of it.

The views come from the slow reference projector, so that the truth is independent of the program's model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from leukospect.data import Geometry, Image, Projections, Radiopharmaceutical
from leukospect.projector import reconstruction_geometry
from tests.reference_projector import lehr_sigma_mm, reference_view
from tests.spot_acquisition import PHOTOPEAK, acquisition

Float64 = NDArray[np.float64]
WATER_PER_CM = 0.15
SEMI_AXES_MM = (110.0, 78.0)
CENTRE_MM = (10.0, -6.0)
WARM, HOT = 10.0, 50.0


def places(geometry: Geometry) -> tuple[Float64, Float64, Float64]:
    """Places of the voxels, x, y and z from the middle slice, mm."""
    k, j, i = np.meshgrid(*(np.arange(size, dtype=float) for size in geometry.shape), indexing="ij")
    x, y, z = np.moveaxis(geometry.to_lps(np.stack([k, j, i], axis=-1)), -1, 0)
    return x, y, z - geometry.to_lps((np.array(geometry.shape) - 1) / 2)[2]


def body(geometry: Geometry) -> Float64:
    """How much of each voxel is in the body, with an edge a few millimetres soft."""
    x, y, _ = places(geometry)
    a, b = SEMI_AXES_MM
    outside = (np.hypot((x - CENTRE_MM[0]) / a, (y - CENTRE_MM[1]) / b) - 1) * np.sqrt(a * b)
    return np.asarray(1 / (1 + np.exp(outside / 2.0)))


def activity(geometry: Geometry) -> Float64:
    """Counts/s/mL of one head: warm, with a hot ball at the right front of the body, fading out towards the ends."""
    x, y, z = places(geometry)
    ball = 1 / (1 + np.exp((np.sqrt((x + 42) ** 2 + (y + 24) ** 2 + (z - 4) ** 2) - 20) / 2.0))
    return np.asarray((WARM * body(geometry) + HOT * ball) * np.exp(-((z / 26) ** 6)))


@dataclass(frozen=True)
class Camera:
    """How the body is imaged; `columns` of the detector are kept out of as many as hold the whole body."""

    angles_deg: Float64
    radii_mm: Float64
    pixel_mm: tuple[float, float] = (10.0, 6.5)
    rows: int = 8
    columns: int = 42
    whole_columns: int = 42
    duration_s: Float64 | float = 20.0
    start_s: Float64 | float = 0.0
    half_life_s: float = 6.0072 * 3600
    sigma_mm: Callable[[float], float] = lehr_sigma_mm
    water_per_cm: float = WATER_PER_CM
    finer: int = 2

    @property
    def grid(self) -> Geometry:
        """Grid that holds the whole body."""
        return reconstruction_geometry(self._acquisition(self.whole_columns, None))

    def mu(self, geometry: Geometry) -> Image:
        """Attenuation map on any grid."""
        return Image((self.water_per_cm * body(geometry)).astype(np.float32), geometry, "1/cm")

    def projections(self) -> Projections:
        """What it counts, without noise."""
        grid = self.grid
        seen = _seen_of(replace(self, columns=0, duration_s=1.0, start_s=0.0))
        rate = np.log(2) / self.half_life_s
        start, duration = (np.broadcast_to(v, self.angles_deg.shape) for v in (self.start_s, self.duration_s))
        counted = np.exp(-rate * start) * (1 - np.exp(-rate * duration)) / rate
        first = (self.whole_columns - self.columns) // 2
        kept = seen[..., first : first + self.columns] * grid.voxel_volume_ml
        return self._acquisition(self.columns, kept * counted[:, None, None])

    def _acquisition(self, columns: int, counts: Float64 | None) -> Projections:
        views = self.angles_deg.size
        made = acquisition(
            self.angles_deg, (self.rows, columns), self.pixel_mm, counts=None if counts is None else counts[None],
            windows=(PHOTOPEAK,), radii_mm=self.radii_mm, start_s=np.broadcast_to(self.start_s, views).astype(float),
            duration_s=np.broadcast_to(self.duration_s, views).astype(float),
        )  # fmt: skip
        return replace(made, header=replace(made.header, radiopharmaceutical=Radiopharmaceutical("Tc-99m")))


_SEEN: dict[str, Float64] = {}


def _seen_of(camera: Camera) -> Float64:
    """Give all columns of what a camera of this geometry sees (views, rows, columns), computed once."""
    key = repr(camera)
    if key not in _SEEN:
        source, mu = activity(camera.grid), camera.water_per_cm * body(camera.grid)
        views = [
            reference_view(
                source, mu, angle_deg=angle, pixel_mm=camera.pixel_mm, radius_mm=radius, sigma_mm=camera.sigma_mm,
                finer=camera.finer,
            )
            for angle, radius in zip(camera.angles_deg, camera.radii_mm, strict=True)
        ]  # fmt: skip
        _SEEN[key] = np.maximum(np.array(views), 0.0)
    return _SEEN[key]


def regions(geometry: Geometry) -> dict[str, NDArray[np.bool_]]:
    """Large regions of the middle slices: the ball, and the warm body 25 mm inside its edge, central and around."""
    x, y, z = places(geometry)
    a, b = SEMI_AXES_MM
    middle = np.abs(z) < 14
    ball = np.sqrt((x + 42) ** 2 + (y + 24) ** 2 + (z - 4) ** 2)
    inside = np.hypot((x - CENTRE_MM[0]) / (a - 25), (y - CENTRE_MM[1]) / (b - 25))
    warm = middle & (ball > 45)
    return {"ball": ball < 24, "middle": warm & (inside < 0.5), "around": warm & (inside >= 0.5) & (inside < 1)}


def recovery(image: Image) -> dict[str, float]:
    """Mean of each region over the true one."""
    true = activity(image.geometry)
    return {
        name: float(image.array[where].mean() / true[where].mean()) for name, where in regions(image.geometry).items()
    }
