"""Foci in noise: how many are false, how weak ones are found, and the statistics behind both."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Geometry, Image
from leukospect.quantification.contrast_maps import (
    SCALES_MM,
    ContrastMaps,
    EarlierImage,
    contrast_maps,
    mean_of_times,
)
from leukospect.quantification.false_discovery import false_discovery_rates, peak_probability
from leukospect.quantification.foci import find_foci

GRID = Geometry.axial((40, 40, 40), (-5.0, 5.0, 5.0), (-97.5, -97.5, 97.5))
NOISE_FWHM_MM, NOISE = 12.0, 0.15


def points() -> NDArray[np.float64]:
    return GRID.to_lps(np.moveaxis(np.indices(GRID.shape), 0, -1))


def body() -> NDArray[np.bool_]:
    x, y, _ = np.moveaxis(points(), -1, 0)
    return np.asarray(np.hypot(x, y) <= 90.0)


def noise(seed: int) -> NDArray[np.float64]:
    """Draw correlated noise of standard deviation 1."""
    drawn = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=GRID.shape), NOISE_FWHM_MM / 2.355 / 5.0)
    return np.asarray(drawn / drawn.std())


def image(seed: int, contrast: float = 1.0, diameter_mm: float = 20.0) -> Image:
    uptake = body().astype(np.float64)
    uptake[np.linalg.norm(points() - np.array([30.0, -20.0, 10.0]), axis=-1) <= diameter_mm / 2] = contrast
    seen = ndimage.gaussian_filter(uptake, 12.0 / 2.355 / 5.0) * (1.0 + NOISE * noise(seed))
    return Image(np.maximum(seen, 0.0).astype(np.float32), GRID, "counts/s/mL")


def draws(seed: int) -> list[Image]:
    """Draw the noise of an even body."""
    even = ndimage.gaussian_filter(body().astype(np.float64), 12.0 / 2.355 / 5.0)
    return [Image((even * NOISE * noise(1000 * seed + n)).astype(np.float32), GRID) for n in range(1, 4)]


def test_peaks_of_noise_are_as_high_as_said() -> None:
    size = 3
    heights = []
    for seed in range(12):
        field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(72, 72, 72)), 2.5, mode="wrap")
        field /= field.std()
        peaks = (field == ndimage.maximum_filter(field, size=size, mode="wrap")) & (field >= 2.0)
        heights.append(field[peaks])
    found = np.concatenate(heights)
    assert found.size > 1000
    for level in (2.5, 3.0, 3.5, 4.0):
        # The expression holds for high levels; from 2 on it says rather too much than too little.
        observed, said = np.mean(found > level), float(peak_probability(level, 2.0))
        spread = np.sqrt(said * (1 - said) / found.size)
        assert 0.55 * said - 2 * spread <= observed <= said + 2 * spread


def test_rates_are_those_of_benjamini_and_hochberg() -> None:
    # Their own example (1995), sorted here the other way round.
    p = np.array([1.0, 0.7590, 0.6528, 0.5719, 0.4262, 0.3240, 0.0459, 0.0344, 0.0298, 0.0278, 0.0201, 0.0095, 0.0019,
                  0.0004, 0.0001])  # fmt: skip
    rates = false_discovery_rates(p)
    assert np.count_nonzero(rates <= 0.05) == 4
    assert rates[-1] == pytest.approx(0.0015)
    assert np.all(np.diff(rates) <= 0)


@pytest.mark.parametrize("measured", [True, False], ids=["noise measured", "noise estimated"])
def test_an_even_body_in_noise_has_hardly_a_focus(measured: bool) -> None:
    counts = [
        len(find_foci(image(seed), body(), draws(seed) if measured else (), minimum_contrast=1.0)) for seed in range(8)
    ]
    # Without a lesion every discovery is false, so the rate is the probability of any: 0.05 each if all were exact.
    assert np.mean(np.array(counts) > 0) <= 0.4
    assert np.mean(counts) <= 0.5


@pytest.mark.parametrize("measured", [True, False], ids=["noise measured", "noise estimated"])
@pytest.mark.parametrize("diameter_mm", [20.0, 35.0, 50.0])
def test_contrast_3_is_found_from_2_cm_on_where_it_is(measured: bool, diameter_mm: float) -> None:
    found = 0
    for seed in range(5):
        foci = find_foci(image(seed, 3.0, diameter_mm), body(), draws(seed) if measured else ())
        places = [GRID.to_lps(focus.index) for focus in foci]
        found += any(np.linalg.norm(place - [30.0, -20.0, 10.0]) <= max(diameter_mm / 2, 10.0) for place in places)
    assert found >= (5 if measured or diameter_mm > 20.0 else 4)


def test_the_scale_grows_with_the_lesion_and_the_contrast_is_what_the_ring_says() -> None:
    scales = []
    for diameter in (12.0, 45.0):
        [focus, *_] = find_foci(image(0, 8.0, diameter), body(), draws(0))
        scales.append(focus.scale_mm)
        assert focus.contrast > 1.4
        assert focus.false_discovery_rate < 1e-3
    assert scales[0] < scales[1]


def test_the_skin_is_no_focus() -> None:
    still = Image(np.where(body(), 1.0, 0.0).astype(np.float32), GRID, "counts/s/mL")
    assert find_foci(still, body(), minimum_contrast=1.0) == ()


PLACE_MM = (30.0, -20.0, 10.0)


def two_times(
    seed: int, contrast: float, before: float, relative: tuple[float, float] = (0.4, 0.15)
) -> tuple[Image, list[Image], EarlierImage]:
    """Draw a noisy late image and an earlier one of four times the level and less noise."""

    def seen(contrast: float, level: float, relative: float, number: int) -> tuple[Image, list[Image]]:
        uptake = level * body().astype(np.float64)
        uptake[np.linalg.norm(points() - np.array(PLACE_MM), axis=-1) <= 11.0] *= contrast
        blurred = ndimage.gaussian_filter(uptake, 12.0 / 2.355 / 5.0)
        drawn = [blurred * relative * noise(100 * seed + number + n) for n in range(4)]
        return Image((blurred + drawn[0]).astype(np.float32), GRID), [
            Image(one.astype(np.float32), GRID) for one in drawn[1:]
        ]

    late, of_late = seen(contrast, 1.0, relative[0], 1)
    first, of_first = seen(before, 4.0, relative[1], 11)
    return late, of_late, EarlierImage(first, np.ones(GRID.shape, bool), tuple(of_first))


def heights_at_place(late: Image, drawn: list[Image], earlier: EarlierImage | None) -> float:
    maps = contrast_maps(late, body(), drawn, earlier)
    near = np.linalg.norm(points() - np.array(PLACE_MM), axis=-1) <= 8.0
    return float(maps.height[:, near].max())


def test_what_kept_its_contrast_stands_out_more_with_the_earlier_image() -> None:
    gains = []
    for seed in range(4):
        late, drawn, earlier = two_times(seed, 3.0, 3.0)
        gains.append(heights_at_place(late, drawn, earlier) / heights_at_place(late, drawn, None))
    # Weights of 1 / 0.4^2 and 1 / 0.15^2: the mean has 0.35 of the late noise.
    assert np.median(gains) == pytest.approx(np.hypot(1.0, 0.4 / 0.15), rel=0.3)


def test_what_only_the_earlier_image_shows_is_no_focus_of_the_late_one() -> None:
    for seed in range(3):
        late, drawn, earlier = two_times(seed, 1.0, 3.0)
        foci = find_foci(late, body(), drawn, minimum_contrast=1.5, earlier=earlier)
        assert all(np.linalg.norm(GRID.to_lps(focus.index) - np.array(PLACE_MM)) > 12.0 for focus in foci)


def test_the_growth_of_a_focus_is_that_of_its_contrast() -> None:
    growths = {}
    for before in (1.5, 3.0, 6.0):
        late, drawn, earlier = two_times(3, 3.0, before, (0.15, 0.06))
        foci = find_foci(late, body(), drawn, minimum_contrast=1.2, earlier=earlier)
        focus = next(one for one in foci if np.linalg.norm(GRID.to_lps(one.index) - np.array(PLACE_MM)) <= 12.0)
        growths[before] = focus
    assert growths[1.5].growth > growths[3.0].growth > growths[6.0].growth
    kept = growths[3.0]
    assert abs(np.log(kept.growth)) <= 3.0 * kept.growth_error
    assert growths[6.0].growth * np.exp(2.0 * growths[6.0].growth_error) < 1.0


def test_the_mean_of_times_is_less_noisy_than_either_and_the_late_one_where_nothing_else_is_known() -> None:
    late, drawn, earlier = two_times(5, 1.0, 1.0)
    half = np.zeros(GRID.shape, bool)
    half[:20] = True
    mean = mean_of_times(late, body(), drawn, replace(earlier, known=half))
    assert np.array_equal(mean.array[20:], late.array[20:])
    deep = ndimage.binary_erosion(body(), iterations=4) & half
    seen = [np.asarray(one.array, np.float64)[deep] for one in (mean, late, earlier.image)]
    spreads = [float(np.std(values) / np.mean(values)) for values in seen]
    assert spreads[0] < min(spreads[1:])
    assert np.mean(seen[0]) == pytest.approx(np.mean(seen[1]), rel=0.05)


def test_a_faint_large_place_hides_no_lesion_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    large, small = (20, 20, 20), (20, 20, 22)
    shape = (len(SCALES_MM), *GRID.shape)
    height, contrast = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    height[2][large], contrast[2][large] = 8.0, np.log(1.2)
    height[1][small], contrast[1][small] = 7.5, np.log(2.5)
    growth = np.full(shape, np.nan, np.float32)
    maps = ContrastMaps(contrast, height, contrast, contrast, contrast, np.zeros(shape, bool), growth, growth)
    monkeypatch.setattr("leukospect.quantification.foci.contrast_maps", lambda *_: maps)
    still = Image(body().astype(np.float32), GRID)
    [focus] = find_foci(still, body(), minimum_contrast=1.5)
    assert (focus.index, focus.hidden) == (small, True)
    # Where the large one counts itself, they are one.
    [focus] = find_foci(still, body(), minimum_contrast=1.1)
    assert (focus.index, focus.hidden) == (large, False)
    # Farther from it the lesion is another, and hidden from nothing.
    height[1][small], contrast[1][small] = 0.0, 0.0
    height[1][20, 20, 26], contrast[1][20, 20, 26] = 7.5, np.log(2.5)
    assert {(focus.index, focus.hidden) for focus in find_foci(still, body(), minimum_contrast=1.1)} == {
        (large, False),
        ((20, 20, 26), False),
    }
