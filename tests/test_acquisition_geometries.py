"""One body seen by every kind of orbit, matrix and timing: the same image, the true one, whatever the acquisition."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.data import Image
from leukospect.errors import AssumptionWarning
from leukospect.photopeaks import photopeak_counts
from leukospect.projector import reconstruction_geometry
from leukospect.spect_study import prepare_reconstruction
from tests.simulated_body import CENTRE_MM, SEMI_AXES_MM, Camera, recovery
from tests.smooth_object import LEHR
from tests.spot_acquisition import orbit

Float64 = NDArray[np.float64]
VIEWS = 32


def body_contour(angles_deg: Float64, gap_mm: float = 15.0) -> Float64:
    """Radii that follow the ellipse of the body at a distance."""
    t = np.deg2rad(angles_deg)
    along = np.hypot(SEMI_AXES_MM[0] * np.sin(t), SEMI_AXES_MM[1] * np.cos(t))
    return np.asarray(along + CENTRE_MM[0] * np.sin(t) + CENTRE_MM[1] * np.cos(t) + gap_mm)


def reconstructed(camera: Camera, iterations: int = 8) -> Image:
    data = camera.projections()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        peak = photopeak_counts(data)
    mu = camera.mu(reconstruction_geometry(data))
    return prepare_reconstruction(data, peak, mu, LEHR, iterations=iterations, subsets=8, threads=2).image(peak)


ROUND, HALF = orbit(15.0, "CC", VIEWS), orbit(100.0, "CW", VIEWS, 180.0)
CIRCLE = np.full(VIEWS, 150.0)
UNEVEN = 10.0 + 30.0 * (np.arange(VIEWS) % 5 == 0)
STARTS = np.arange(VIEWS, dtype=np.float64) * 900  # eight hours: more than half decays within the acquisition
CAMERAS = {
    "circle": Camera(ROUND, CIRCLE),
    "body contour": Camera(ROUND, body_contour(ROUND)),
    "half a turn": Camera(HALF, CIRCLE),
    "half a turn, body contour": Camera(HALF, body_contour(HALF)),
    "durations of every view": Camera(ROUND, CIRCLE, duration_s=UNEVEN),
    "decay within the acquisition": Camera(ROUND, CIRCLE, start_s=STARTS),
    "decay within half a turn": Camera(HALF, CIRCLE, start_s=STARTS, duration_s=UNEVEN),
    "small pixels": Camera(ROUND, CIRCLE, pixel_mm=(8.0, 3.2), rows=10, columns=84, whole_columns=84, finer=1),
    "more rows than columns": Camera(
        ROUND, CIRCLE, pixel_mm=(2.0, 7.5), rows=42, columns=36, whole_columns=36, finer=1
    ),
}


@pytest.mark.parametrize("name", CAMERAS)
def test_large_regions_are_right_in_every_acquisition(name: str) -> None:
    found = recovery(reconstructed(CAMERAS[name]))
    assert found["middle"] == pytest.approx(1.0, abs=0.02)
    assert found["around"] == pytest.approx(1.0, abs=0.02)
    assert found["ball"] == pytest.approx(1.0, abs=0.05)


def test_a_wrong_radius_or_duration_is_not_without_effect() -> None:
    camera = CAMERAS["durations of every view"]
    data = camera.projections()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        peak = photopeak_counts(data)
    mu = camera.mu(reconstruction_geometry(data))
    even = replace(data, view_duration_s=np.full(VIEWS, float(np.mean(UNEVEN))))
    image = prepare_reconstruction(even, peak, mu, LEHR, iterations=8, subsets=8, threads=2).image(peak)
    assert max(abs(value - 1) for value in recovery(image).values()) > 0.05
