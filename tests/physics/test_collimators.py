"""Collimators by name, and the resolution their geometry gives."""

from __future__ import annotations

import numpy as np
import pytest

from leukospect.errors import InputError, MissingInformationError
from leukospect.physics.collimators import (
    FWHM_PER_SIGMA,
    KNOWN_COLLIMATORS,
    Collimator,
    effective_length_mm,
    find_collimator,
    septal_penetration,
    system_sigma_mm,
)

TC, IN_LOW, IN_HIGH = 140.511, 171.28, 245.35
MAKERS_LEHR = ["SIEMENS NM", "GE MEDICAL SYSTEMS", "Philips Medical Systems"]


@pytest.mark.parametrize(
    ("name", "maker", "sizes"),
    [
        ("LEHR", "SIEMENS NM", (1.11, 0.16, 24.05)),
        ("LEAP", "Siemens Healthineers", (1.45, 0.20, 24.05)),
        ("ME", "Siemens", (2.94, 1.14, 40.64)),
        ("LEHR", "GE MEDICAL SYSTEMS", (1.5, 0.2, 35.0)),
        ("MEGP", "GE Healthcare", (3.0, 1.05, 58.0)),
        ("LEHR", "Philips Medical Systems", (1.22, 0.152, 27.0)),
        ("CHR", "Philips", (2.03, 0.152, 48.0)),
        ("MEGP", "Philips", (3.4, 0.86, 58.4)),
    ],
)
def test_makers_published_sizes(name: str, maker: str, sizes: tuple[float, float, float]) -> None:
    found = find_collimator(name, maker)
    assert (found.hole_mm, found.septum_mm, found.length_mm) == pytest.approx(sizes)


def test_names_are_compared_without_case_or_punctuation() -> None:
    assert find_collimator("low-energy, high resolution", "ge medical systems") == find_collimator("LEHR", "GE")


def test_a_name_can_carry_its_maker() -> None:
    assert find_collimator("philips:LEHR", "GE MEDICAL SYSTEMS") == find_collimator("LEHR", "Philips")


@pytest.mark.parametrize(
    ("name", "maker", "meant"),
    [
        ("LE-HR", "SIEMENS NM", "siemens:LEHR"),
        ("SY-LEHR", "SIEMENS NM", "siemens:LEHR"),
        ("Siemens LEHR", "", "siemens:LEHR"),
        ("MELP", "Siemens Healthineers", "siemens:ME"),
        ("ME LP", "SIEMENS", "siemens:ME"),
        ("Medium Energy Low Penetration", "SIEMENS", "siemens:ME"),
        ("LEHR PAR", "GE MEDICAL SYSTEMS", "ge:LEHR"),
        ("LEHRPAR", "GEMS", "ge:LEHR"),
        ("GE_LEHR", "GE Healthcare", "ge:LEHR"),
        ("INFINIA LEHR", "General Electric", "ge:LEHR"),
        ("Low Energy High Res", "GE", "ge:LEHR"),
        ("ELEGP", "GE", "ge:ELEGP"),
        ("MEDIUM ENERGY PARALLEL HOLE", "GE", "ge:MEGP"),
        ("LEGP", "Philips Medical Systems", "philips:LEGP"),
        ("CAHR", "Philips", "philips:CHR"),
        ("LEHR Collimator", "Mediso", "mediso:LEHR"),
    ],
)
def test_spellings_of_headers(name: str, maker: str, meant: str) -> None:
    assert find_collimator(name, maker) == find_collimator(meant, "")


def test_one_name_of_a_maker_is_told_apart_by_the_camera() -> None:
    usual = find_collimator("LEHR", "GE MEDICAL SYSTEMS", "INFINIA")
    assert (
        usual == find_collimator("LEHR", "GE MEDICAL SYSTEMS", "Tandem_Discovery_670") == find_collimator("LEHR", "GE")
    )
    short = find_collimator("LEHR", "GE MEDICAL SYSTEMS", "Optima NM/CT 640")
    assert (short.hole_mm, short.length_mm) == (1.4, 30.0)
    assert find_collimator("ge:LEHR:640", "") == short
    assert find_collimator("MEGP", "GE", "Optima NM/CT 640") == find_collimator("MEGP", "GE")


def test_all_that_are_known_are_listed_and_found_by_that_name() -> None:
    assert len(set(KNOWN_COLLIMATORS)) == len(KNOWN_COLLIMATORS) >= 20
    for name in KNOWN_COLLIMATORS:
        found = find_collimator(name, "another maker")
        assert f"{found.manufacturer}:{found.name}" == name
        assert 0 < found.septum_mm < found.hole_mm < found.length_mm


@pytest.mark.parametrize(
    ("name", "maker"),
    [
        ("", "SIEMENS NM"),
        ("  ", ""),
        ("LEHR", ""),
        ("LEHR", "Unknown Cameras"),
        ("UHR", "SIEMENS NM"),
        ("LE", "GE"),
        ("LPHR", "SIEMENS NM"),
        ("LEHR / LEAP", "SIEMENS NM"),
        ("LEHR", "Siemens, once GE"),
        ("PAR", "GE"),
        ("VXHR", "Philips"),
    ],
)
def test_an_unknown_collimator_is_asked_for_never_guessed(name: str, maker: str) -> None:
    with pytest.raises(MissingInformationError, match=r"give --collimator \(one of .*siemens:LEHR.*--no-resolution"):
        find_collimator(name, maker)


@pytest.mark.parametrize(("energy", "mu_per_cm"), [(TC, 26.9), (IN_LOW, 16.5), (IN_HIGH, 7.06)])
def test_holes_are_shorter_by_two_mean_free_paths_in_lead(energy: float, mu_per_cm: float) -> None:
    medium = find_collimator("ME", "Siemens")
    assert effective_length_mm(medium, energy) == pytest.approx(40.64 - 20.0 / mu_per_cm, rel=1e-4)


def test_an_energy_without_lead_in_the_table_is_refused() -> None:
    with pytest.raises(InputError, match="364 keV"):
        effective_length_mm(find_collimator("ME", "Siemens"), 364.0)


@pytest.mark.parametrize("maker", MAKERS_LEHR)
def test_high_resolution_collimators_resolve_seven_millimetres_at_ten_centimetres(maker: str) -> None:
    sigma = system_sigma_mm(find_collimator("LEHR", maker), TC, np.array([100.0]))
    assert 6.95 <= sigma[0] * FWHM_PER_SIGMA <= 7.45


def test_the_formula_of_the_geometric_resolution() -> None:
    made = Collimator("maker", "name", hole_mm=2.0, septum_mm=0.2, length_mm=30.0, gap_mm=9.5)
    length = 30.0 - 2.0 / 2.69
    distance = np.array([0.0, 50.0, 250.0])
    geometric = 2.0 * (length + distance + 9.5) / length
    fwhm = system_sigma_mm(made, TC, distance, intrinsic_fwhm_mm=3.0) * np.sqrt(8 * np.log(2))
    np.testing.assert_allclose(fwhm, np.sqrt(geometric**2 + 9.0), rtol=1e-4)


def test_resolution_worsens_with_distance_and_stays_at_the_face_behind_it() -> None:
    lehr = find_collimator("LEHR", "GE")
    sigma = system_sigma_mm(lehr, TC, np.array([-30.0, 0.0, 10.0, 100.0, 400.0]))
    assert sigma[0] == sigma[1]
    assert np.all(np.diff(sigma[1:]) > 0)


def test_penetrated_septa_resolve_worse_at_higher_energy() -> None:
    medium, distance = find_collimator("MEGP", "GE"), np.array([120.0])
    assert system_sigma_mm(medium, IN_HIGH, distance)[0] > system_sigma_mm(medium, IN_LOW, distance)[0]


@pytest.mark.parametrize(
    ("name", "energy", "percent"),
    # exp(-mu w), w = L t / (2 d + t): 1.62 mm of lead for Siemens' LEHR, 6.60 mm for its ME, 8.64 mm for GE's MEGP.
    [("siemens:LEHR", TC, 1.29), ("siemens:LEHR", IN_HIGH, 31.9), ("siemens:ME", IN_LOW, 0.002),
     ("siemens:ME", IN_HIGH, 0.95), ("ge:MEGP", IN_HIGH, 0.224)],
)  # fmt: skip
def test_penetration_of_septa(name: str, energy: float, percent: float) -> None:
    assert 100 * septal_penetration(find_collimator(name, ""), energy) == pytest.approx(percent, rel=0.02, abs=0.001)


def test_a_maker_is_a_whole_word() -> None:
    assert find_collimator("LEHR", "GE MEDICAL SYSTEMS").manufacturer == "ge"
    with pytest.raises(MissingInformationError, match="Generic Imaging"):
        find_collimator("LEHR", "Generic Imaging")
