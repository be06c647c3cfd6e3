"""Where activity can be: in the body and around it, and wherever every view counts; nowhere else."""

from __future__ import annotations

import numpy as np

from leukospect.body_support import body_support
from leukospect.data import Image
from leukospect.projector import reconstruction_geometry, views_of_counts
from tests.spot_acquisition import acquisition, orbit, spot_counts

EMPTY = acquisition(orbit(10.0, "CC", 24), (16, 60), (6.0, 6.0), axis_mm=(20.0, -50.0), first_row_z_mm=45.0)
GEOMETRY = reconstruction_geometry(EMPTY)
PLACES = (np.arange(60) - 29.5) * 6.0
Y, X = np.meshgrid(PLACES, PLACES, indexing="ij")
BODY = np.hypot((X + 20.0) / 60.0, Y / 50.0) <= 1
INSIDE, BESIDE = (20.0 - 30.0, -50.0 + 10.0, 0.0), (20.0 + 110.0, -50.0 + 60.0, 6.0)


def _support(points: list[tuple[float, float, float]], counts: list[float]) -> np.ndarray:
    mu = Image(np.repeat((0.15 * BODY[None]).astype(np.float32), 16, axis=0), GEOMETRY, "1/cm")
    views = views_of_counts(spot_counts(EMPTY, points, counts, sigma_mm=6.0))
    return body_support(EMPTY, views, np.full_like(views, 0.01), mu)


def test_the_body_and_its_surroundings_belong_to_it_and_far_air_does_not() -> None:
    support = _support([INSIDE], [5000.0])
    assert support[BODY].all()
    assert support[np.hypot((X + 20.0) / 80.0, Y / 70.0) <= 1].all()
    assert not support[np.hypot(X + 20.0, Y) > 110.0].any()


def test_activity_beside_the_body_keeps_its_place() -> None:
    support = _support([INSIDE, BESIDE], [5000.0, 400.0])
    beside = np.hypot(X - 110.0, Y - 60.0)
    assert support[beside < 9.0].all()
    mirrored = np.hypot(X + 150.0, Y - 60.0)
    assert not support[mirrored < 9.0].any()
