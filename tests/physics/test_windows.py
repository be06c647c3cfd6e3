"""The roles of energy windows, from their limits alone."""

from __future__ import annotations

import pytest

from leukospect.data import EnergyWindow
from leukospect.errors import InputError, MissingInformationError
from leukospect.physics.nuclides import nuclide
from leukospect.physics.windows import Photopeak, find_photopeaks, nuclide_of_windows, window_roles


def _window(lower: float, upper: float, name: str = "") -> EnergyWindow:
    return EnergyWindow(((lower, upper),), name)


PEAK, LOWER, UPPER = _window(129.3, 151.7), _window(114.0, 129.3), _window(151.7, 167.0)
TC, INDIUM = nuclide("Tc-99m"), nuclide("In-111")


@pytest.mark.parametrize(
    ("windows", "roles"),
    [
        ((PEAK, LOWER, UPPER), (0, 1, 2)),
        ((UPPER, LOWER, PEAK), (2, 1, 0)),
        ((LOWER, PEAK), (1, 0, None)),
        ((PEAK, UPPER), (0, None, 1)),
        ((PEAK,), (0, None, None)),
    ],
)
def test_peak_and_scatter_are_told_by_their_limits(
    windows: tuple[EnergyWindow, ...], roles: tuple[int, int | None, int | None]
) -> None:
    assert find_photopeaks(windows, TC) == (Photopeak(140.511, *roles),)


def test_names_that_lie_change_nothing() -> None:
    windows = (_window(129.3, 151.7, "Lower scatter"), _window(114.0, 129.3, "Tc99m photopeak"))
    assert find_photopeaks(windows, TC) == (Photopeak(140.511, 0, 1, None),)


def test_windows_a_little_apart_or_overlapping_are_neighbours_and_far_ones_are_not() -> None:
    assert find_photopeaks((PEAK, _window(110.0, 126.0), _window(150.5, 165.0)), TC)[0] == Photopeak(140.511, 0, 1, 2)
    assert find_photopeaks((PEAK, _window(60.0, 90.0), _window(300.0, 330.0)), TC)[0] == Photopeak(
        140.511, 0, None, None
    )


def test_the_nearest_of_two_lower_windows_is_taken() -> None:
    windows = (_window(105.0, 115.0), PEAK, _window(119.0, 128.0))
    assert find_photopeaks(windows, TC)[0].lower_scatter == 2


def test_indium_has_two_photopeaks_each_with_its_own_scatter() -> None:
    windows = (
        _window(221.0, 270.0), _window(154.0, 188.0), _window(139.0, 153.0), _window(189.0, 203.0),
        _window(204.0, 220.0), _window(271.0, 290.0),
    )  # fmt: skip
    assert find_photopeaks(windows, INDIUM) == (Photopeak(171.28, 1, 2, 3), Photopeak(245.35, 0, 4, 5))


def test_another_photopeak_is_never_taken_for_scatter() -> None:
    touching = (_window(154.0, 205.0), _window(206.0, 270.0))
    for peak in find_photopeaks(touching, INDIUM):
        assert peak.lower_scatter is None
        assert peak.upper_scatter is None


def test_one_of_indiums_photopeaks_is_enough() -> None:
    assert find_photopeaks((_window(221.0, 270.0),), INDIUM) == (Photopeak(245.35, 0, None, None),)


def test_two_windows_over_one_photopeak_are_refused() -> None:
    with pytest.raises(InputError, match=r"2 energy windows cover the 140\.511 keV photopeak"):
        find_photopeaks((PEAK, _window(126.0, 154.0)), TC)


def test_one_range_over_both_photopeaks_is_refused() -> None:
    with pytest.raises(InputError, match="several photopeaks"):
        find_photopeaks((EnergyWindow(((150.0, 275.0),), "wide"),), INDIUM)


def test_a_window_with_a_range_for_each_photopeak_is_told_apart_by_its_ranges() -> None:
    both = EnergyWindow(((154.0, 188.0), (221.0, 270.0)), "In111")
    windows = (_window(188.0, 198.0), both, _window(140.0, 154.0), _window(205.0, 221.0))
    low, high = find_photopeaks(windows, INDIUM)
    assert (low.peak, low.lower_scatter, low.upper_scatter, low.width_kev(windows)) == (1, 2, 0, 34.0)
    assert (high.peak, high.lower_scatter, high.upper_scatter, high.width_kev(windows)) == (1, 3, None, 49.0)


def test_roles_are_told_in_words_whatever_the_windows_are_called() -> None:
    windows = (EnergyWindow(((119.0, 126.0),), "Peak"), EnergyWindow(((126.0, 154.0),), "Scatter"), _window(60.0, 70.0))
    assert window_roles(windows, ("Tc-99m",)) == ("scatter below 140.5 keV", "photopeak of Tc-99m, 140.5 keV", "")
    assert window_roles(windows, ()) == ("", "", "")
    assert window_roles(windows, ("Xx-1",)) == ("", "", "")


def test_two_nuclides_have_their_own_photopeaks() -> None:
    windows = (PEAK, _window(221.0, 270.0))
    assert window_roles(windows, ("In-111", "Tc-99m")) == (
        "photopeak of Tc-99m, 140.5 keV", "photopeak of In-111, 245.3 keV")  # fmt: skip


def test_a_study_without_a_photopeak_window_is_refused() -> None:
    with pytest.raises(InputError, match="No energy window"):
        find_photopeaks((LOWER, UPPER), TC)


def test_the_recorded_nuclide_must_fit_the_windows() -> None:
    assert nuclide_of_windows((LOWER, PEAK), "Tc-99m") is TC
    with pytest.raises(InputError, match=r"129.3-151.7 keV.*In-111"):
        nuclide_of_windows((PEAK,), "In-111")


def test_the_nuclide_is_never_told_from_the_windows() -> None:
    with pytest.raises(MissingInformationError, match="does not record its radionuclide"):
        nuclide_of_windows((PEAK,), None)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_windows_that_cut_a_photopeak_in_two_are_refused(order: tuple[int, int]) -> None:
    halves = (_window(126.0, 140.0), _window(140.0, 154.0))
    with pytest.raises(InputError, match="cut in two"):
        find_photopeaks(tuple(halves[place] for place in order), TC)


def test_a_scatter_window_of_several_ranges_is_not_taken() -> None:
    windows = (PEAK, EnergyWindow(((119.0, 126.0), (154.0, 161.0)), "both sides"))
    assert find_photopeaks(windows, TC) == (Photopeak(140.511, 0, None, None),)
