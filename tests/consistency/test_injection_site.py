"""An infiltrated injection is told with its share of the counts; organs and lesions are not taken for one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.consistency import find_injection_site

PIXEL_MM = (3.0, 2.4)
ROWS, COLUMNS = 160, 200


def ellipse(centre_mm: tuple[float, float], half_mm: tuple[float, float]) -> NDArray[np.bool_]:
    """Draw at (from the head, from the left edge of the view), half sizes likewise, mm."""
    z = (np.arange(ROWS) * PIXEL_MM[0])[:, None]
    x = (np.arange(COLUMNS) * PIXEL_MM[1])[None, :]
    return ((z - centre_mm[0]) / half_mm[0]) ** 2 + ((x - centre_mm[1]) / half_mm[1]) ** 2 <= 1


def blob(centre_mm: tuple[float, float], sigma_mm: float) -> NDArray[np.float64]:
    z = (np.arange(ROWS) * PIXEL_MM[0])[:, None] - centre_mm[0]
    x = (np.arange(COLUMNS) * PIXEL_MM[1])[None, :] - centre_mm[1]
    return np.asarray(np.exp(-(z**2 + x**2) / (2 * sigma_mm**2)) / (2 * np.pi * sigma_mm**2) * np.prod(PIXEL_MM))


def body() -> NDArray[np.float64]:
    """Expect 8 counts a pixel of a trunk with arms, and more of liver, spleen and bladder."""
    expected = 8.0 * (ellipse((240, 240), (230, 130)) | ellipse((200, 60), (150, 25)) | ellipse((200, 420), (150, 25)))
    expected += 60.0 * ellipse((150, 190), (60, 70))
    expected += 110.0 * ellipse((150, 330), (45, 28))
    expected += 250.0 * ellipse((420, 240), (25, 25))
    return np.asarray(expected)


def counted(expected: NDArray[np.float64], seed: int = 1) -> NDArray[np.float32]:
    return np.random.default_rng(seed).poisson(expected).astype(np.float32)


FOREARM = (260.0, 424.0)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.6])
@pytest.mark.parametrize("sigma_mm", [7.0, 12.0])
def test_a_spot_in_an_arm_is_told_with_its_share(share: float, sigma_mm: float) -> None:
    rest = body()
    expected = rest + rest.sum() * share / (1 - share) * blob(FOREARM, sigma_mm)
    found = find_injection_site(counted(expected), PIXEL_MM)
    assert found is not None
    assert found.share == pytest.approx(share, rel=0.12)
    assert (found.row * PIXEL_MM[0], found.column * PIXEL_MM[1]) == pytest.approx(FOREARM, abs=5.0)
    assert f"{100 * found.share:.0f} % of the counts of the anterior view" in found.sentence("anterior")


@pytest.mark.parametrize("seed", range(4))
def test_organs_are_no_injection_site(seed: int) -> None:
    assert find_injection_site(counted(body(), seed), PIXEL_MM) is None


@pytest.mark.parametrize("times", [3.0, 10.0])
def test_a_lesion_at_the_side_is_none(times: float) -> None:
    expected = body() + times * 8.0 * ellipse((300, 424), (15, 12))
    assert find_injection_site(counted(expected), PIXEL_MM) is None


def test_what_was_drawn_is_no_surprise() -> None:
    expected = body() + 0.3 * body().sum() * blob(FOREARM, 8.0)
    drawn = ellipse(FOREARM, (60, 60))
    assert find_injection_site(counted(expected), PIXEL_MM) is not None
    assert find_injection_site(counted(expected), PIXEL_MM, drawn) is None


def test_an_empty_view_tells_nothing() -> None:
    assert find_injection_site(np.zeros((ROWS, COLUMNS), np.float32), PIXEL_MM) is None
    assert find_injection_site(counted(1e-3 * body()), PIXEL_MM) is None
