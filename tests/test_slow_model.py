"""The slow model itself: its transpose, closed forms, and which attenuation model lies nearer to the photon's line."""

from __future__ import annotations

import numpy as np
import pytest

from tests.slow_model.body import Body, Sphere
from tests.slow_model.compare import BODIES, all_distances, distances
from tests.slow_model.model import SlowModel, lehr_aim, lehr_sigma_mm

ANGLES = np.array([17.0, 200.0, 331.0])
RADII = np.array([60.0, 75.0, 90.0])
SIZE, PIXEL = (7, 12), (6.3, 4.7)


def _random_mu() -> np.ndarray:
    return np.random.default_rng(2).uniform(0.0, 0.3, (7, 12, 12))


def test_its_transpose_is_exact() -> None:
    model = SlowModel(ANGLES, SIZE, PIXEL, RADII, _random_mu(), offsets_mm=np.array([3.0, -2.0, 0.0]))
    random = np.random.default_rng(5)
    x, y = random.uniform(size=model.image_shape), random.uniform(size=(3, *SIZE))
    assert float((model.forward(x) * y).sum()) == pytest.approx(float((x * model.adjoint(y)).sum()), rel=1e-12)


def test_a_point_is_seen_where_geometry_puts_it_and_as_wide_as_the_collimator_makes_it() -> None:
    rows, columns, axial, transverse = 31, 41, 3.0, 2.0
    angle, radius, offset = 63.0, 90.0, 5.0
    model = SlowModel(
        np.array([angle]), (rows, columns), (axial, transverse), np.array([radius]), offsets_mm=np.array([offset])
    )
    image = np.zeros(model.image_shape)
    k, j, i = 20, 12, 27
    image[k, j, i] = 1.0
    view = model.forward(image)[0]
    x, y = (i - 20) * transverse, (j - 20) * transverse
    t = np.deg2rad(angle)
    column = 20 + (-x * np.cos(t) + y * np.sin(t) + offset) / transverse
    sigma = lehr_sigma_mm(np.array(radius - x * np.sin(t) - y * np.cos(t)))
    r, c = np.arange(rows), np.arange(columns)
    assert view.sum() == pytest.approx(1.0, abs=2e-4)
    assert np.average(c, weights=view.sum(axis=0)) == pytest.approx(column, abs=1e-3)
    assert np.average(r, weights=view.sum(axis=1)) == pytest.approx(rows - 1 - k, abs=1e-3)
    # Besides the response: extent of the pixel (1/12), and of the voxel's two points (1/16).
    for places, profile, step in ((c, view.sum(axis=0), transverse), (r, view.sum(axis=1), axial)):
        mean = np.average(places, weights=profile)
        variance = np.average((places - mean) ** 2, weights=profile) * step**2
        assert variance == pytest.approx(float(sigma) ** 2 + (1 / 12 + 1 / 16) * step**2, rel=5e-3)


def test_a_uniform_cube_of_matter_attenuates_by_the_path_to_its_side() -> None:
    mu = np.full((3, 20, 20), 0.15)
    model = SlowModel(np.array([0.0, 90.0]), (3, 20), (5.0, 4.0), np.array([60.0, 60.0]), mu, None, split=1)
    image = np.zeros(mu.shape)
    image[1, 6, 13] = 1.0
    found = model.forward(image).sum(axis=(1, 2))
    np.testing.assert_allclose(found, np.exp(-0.15 * np.array([13.5, 6.5]) * 0.4), rtol=1e-6)
    straight = model.forward_slanted(image, aim=np.zeros_like).sum(axis=(1, 2))
    # Up to the collimator's face, which lies beyond the matter.
    np.testing.assert_allclose(straight, found, rtol=1e-6)


def test_slanted_lines_meet_the_matter_they_cross() -> None:
    mu = np.zeros((5, 40, 40))
    mu[:, 30:, :20] = 0.3  # only before the half of the detector that lies to the patient's right
    model = SlowModel(np.array([0.0]), (5, 40), (4.0, 4.0), np.array([200.0]), mu, split=1)
    image = np.zeros(mu.shape)
    image[2, 2, 20] = 1.0
    free = SlowModel(np.array([0.0]), (5, 40), (4.0, 4.0), np.array([200.0]), split=1).forward(image)
    passed = model.forward_slanted(image, aim=lehr_aim)[0].sum(axis=0) / free[0].sum(axis=0).clip(1e-12)
    # Angle 0 looks from the back: columns run to the patient's right.
    assert passed[19] == pytest.approx(1.0, abs=1e-3)
    assert passed[23] == pytest.approx(np.exp(-1.2), rel=0.05)
    assert model.forward(image).sum() == pytest.approx(free.sum(), rel=1e-6)


def test_a_body_is_drawn_with_its_volumes() -> None:
    sphere = Sphere((30.0, -20.0, 4.0), 28.0, 5.0)
    body = Body((sphere,), 80.0, 60.0, lung=None, bone=None)
    activity, mu = body.drawn((16, 40), (5.0, 4.4))
    voxel = 5.0 * 4.4**2
    ball = np.pi / 6 * 28.0**3
    assert body.share(sphere, (16, 40), (5.0, 4.4)).sum() * voxel == pytest.approx(ball, rel=0.01)
    assert activity.sum() * voxel == pytest.approx(np.pi * 80 * 60 * 80 + 4 * ball, rel=0.01)
    assert mu.sum() * voxel == pytest.approx(0.1536 * np.pi * 80 * 60 * 80, rel=0.01)
    turned, _ = body.drawn((16, 40), (5.0, 4.4), turned_deg=90.0)
    # The view from the patient's left becomes that from the back: x comes to lie along y.
    _, j, i = np.unravel_index(turned.argmax(), turned.shape)
    assert (j - 19.5) * 4.4 == pytest.approx(30.0, abs=5.0)
    assert (i - 19.5) * 4.4 == pytest.approx(20.0, abs=5.0)


@pytest.mark.parametrize(("name", "radius_mm", "angle_deg"), [("warm body", 185.0, 90.0), ("cold body", 130.0, 180.0)])
def test_attenuation_by_parallel_rays_and_by_increments_both_lie_near_the_photons_line(
    name: str, radius_mm: float, angle_deg: float
) -> None:
    found = distances(BODIES[name], radius_mm, angle_deg)
    assert found.parallel < 0.7
    assert found.incremental < 1.0
    assert abs(found.parallel_total) < 0.1
    assert abs(found.incremental_total) < 0.3


@pytest.mark.exhaustive
def test_neither_model_of_attenuation_is_a_percent_from_the_photons_line() -> None:
    found = [each for *_, each in all_distances()]
    assert max(each.parallel for each in found) < 0.7
    assert max(each.incremental for each in found) < 1.0
