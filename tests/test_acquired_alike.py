"""Times that were not acquired alike are compared by ratios only; what is only written differently is alike."""

from __future__ import annotations

import warnings
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from leukospect.acquired_alike import Acquired, different_corrections, different_sensitivity
from leukospect.data import AcquisitionHeader, EnergyWindow, Geometry, Image, PlanarImages, Radiopharmaceutical, Study
from leukospect.errors import AssumptionWarning
from leukospect.physics.nuclides import nuclide
from leukospect.planar_checks import check_planar
from leukospect.planar_measurement import planar_slab
from leukospect.protocol import Protocol
from leukospect.quantification.comparison import all_changes, all_ratios
from leukospect.quantification.measurements import Measurement
from leukospect.quantification.regions import RegionDefinition, Sphere, rasterise
from leukospect.spect_sources import only_ratios
from leukospect.study_measurement import PlacedRegions, measure_planar_views, regions_of_study
from leukospect.study_result import SpectResult

HALF_LIFE_S = nuclide("Tc-99m").half_life_s
INJECTED = datetime(2026, 1, 6, 8, 0)
PEAK = EnergyWindow(((126.0, 154.0),))
PROTOCOL = Protocol(name="test")
FRAME = "1.2.3"


def header(hours: float, **changes: Any) -> AcquisitionHeader:
    made = AcquisitionHeader(
        "STATIC", INJECTED + timedelta(hours=hours), Radiopharmaceutical("Tc-99m", injection_time=INJECTED),
        collimator="LEHR", manufacturer="SIEMENS", model="Symbia T2", frame_of_reference_uid=FRAME,
    )  # fmt: skip
    return replace(made, **changes)


def pair(window: EnergyWindow = PEAK, **changes: Any) -> list[Acquired]:
    return [Acquired("at 4.0 h", header(4.0), PEAK), Acquired("at 24.0 h", header(24.0, **changes), window)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"collimator": "MELP"}, "their collimators differ (LEHR at 4.0 h, MELP at 24.0 h)"),
        ({"model": "Intevo"}, "their cameras differ (SIEMENS Symbia T2 at 4.0 h, SIEMENS Intevo at 24.0 h)"),
        ({"collimator": "odd one"}, "their collimators differ (LEHR at 4.0 h, odd one at 24.0 h)"),
    ],
)
def test_another_collimator_or_camera_is_told(changes: dict[str, Any], said: str) -> None:
    assert different_sensitivity(pair(**changes)) == said


@pytest.mark.parametrize("changes", [{}, {"collimator": ""}, {"collimator": "lehr"}, {"manufacturer": "Siemens"},
                                     {"model": ""}, {"model": "SYMBIA T2"}])  # fmt: skip
def test_other_spellings_and_what_is_not_recorded_are_alike(changes: dict[str, Any]) -> None:
    assert different_sensitivity(pair(**changes)) == ""


def test_another_window_is_told_and_a_rounded_limit_is_not() -> None:
    narrow = EnergyWindow(((133.0, 147.0),))
    assert "126 to 154 keV at 4.0 h, 133 to 147 keV at 24.0 h" in different_sensitivity(pair(narrow))
    assert different_sensitivity(pair(EnergyWindow(((126.4, 153.6),)))) == ""


def test_corrections_of_some_times_are_told_but_decay_is_not_among_them() -> None:
    def corrected(*lists: tuple[str, ...]) -> str:
        return different_corrections([Acquired("", header(4.0, corrections=one)) for one in lists])

    assert corrected(("UNIF", "DECY"), ("UNIF",)) == ""
    assert corrected(("UNIF", "SCAT"), ("UNIF",), ("COR", "UNIF")) == "COR, SCAT"
    assert corrected(("UNIF", "SCAT"), ()) == ""


def spect(hours: float, unit: str, **changes: Any) -> SpectResult:
    """Make what a camera reconstructed."""
    grid = Geometry.axial((3, 4, 5), (4.0, 4.0, 4.0), (0.0, 0.0, 0.0), FRAME)
    image = Image(np.ones(grid.shape, np.float32), grid, unit)
    return SpectResult(
        header=header(hours, **changes), recon=image, recon_nac=None, mu_map=None, anatomy=None, ct=None,
        reduction=None, registration=None, registration_note="", time_point="late", hours=hours, corrections=(),
        nuclide=nuclide("Tc-99m"), decay_to_injection=1.0,
    )  # fmt: skip


@pytest.mark.parametrize("unit", ["counts/s/mL", "counts/s", "arbitrary"])
def test_spect_through_another_collimator_is_compared_by_ratios_only(unit: str) -> None:
    reason = only_ratios([spect(4.0, unit), spect(24.0, unit, collimator="MELP")])
    assert reason == "their collimators differ (LEHR at 4.0 h, MELP at 24.0 h)"
    assert only_ratios([spect(4.0, "counts/s/mL"), spect(24.0, "counts/s/mL", collimator="lehr")]) == ""


def test_what_a_camera_calibrated_for_each_collimator_is_on_one_scale() -> None:
    assert only_ratios([spect(4.0, "Bq/mL"), spect(24.0, "Bq/mL", collimator="MELP")]) == ""


def views(
    hours: float,
    *,
    pixel_mm: float = 4.0,
    duration_s: float = 300.0,
    rates_per_mm2: tuple[float, float, float] = (8.0, 2.0, 0.4),
    **changes: Any,
) -> PlanarImages:
    """Expect counts of a lesion, a reference and the rest, decaying over the frame; rates as at the injection."""
    rows, columns = round(320 / pixel_mm), round(400 / pixel_mm)
    z = 158.0 - (np.arange(rows) + 0.5) * pixel_mm + pixel_mm / 2
    x = -198.0 + np.arange(columns) * pixel_mm
    lesion = ((x - -60.0) ** 2)[None, :] + ((z - 30.0) ** 2)[:, None] <= 40.0**2
    reference = ((x - 70.0) ** 2)[None, :] + ((z - 20.0) ** 2)[:, None] <= 40.0**2
    rate = np.where(lesion, rates_per_mm2[0], np.where(reference, rates_per_mm2[1], rates_per_mm2[2]))
    decay = np.log(2.0) / HALF_LIFE_S
    seconds = np.exp(-decay * hours * 3600.0) * (1.0 - np.exp(-decay * duration_s)) / decay
    counts = np.round(rate * pixel_mm**2 * seconds)[None, None].astype(np.float32)
    first = np.array([[x[0], -200.0, z[0]]])
    return PlanarImages(counts, (PEAK,), ("anterior",), (pixel_mm, pixel_mm), np.array([duration_s]),
                        header(hours, **changes), first)  # fmt: skip


LESION = RegionDefinition("lesion", "lesion", "reference", (Sphere((-60.0, 0.0, 30.0), 25.0),))
REFERENCE = RegionDefinition("reference", "reference", "", (Sphere((70.0, 0.0, 20.0), 25.0),))


def placed(last: PlanarImages) -> PlacedRegions:
    slab = planar_slab(last, 0, 0).geometry
    affine = slab.affine.copy()
    affine[1] = (0.0, 4.0, 0.0, -38.0)
    labels, regions = rasterise([LESION, REFERENCE], Geometry((slab.shape[0], 20, slab.shape[2]), affine, FRAME))
    return PlacedRegions((Image(labels.array, labels.geometry, "label"),), regions, {})


def measured(early: PlanarImages, late: PlanarImages) -> tuple[Measurement, ...]:
    protocol = PROTOCOL.model_copy(update={"registration": PROTOCOL.registration.model_copy(update={"enabled": False})})
    return measure_planar_views(Study((early, late)), placed(late), protocol).measurements


DECAY = float(np.exp(np.log(2.0) * 20 * 3600.0 / HALF_LIFE_S))


@pytest.mark.parametrize("late_s", [300.0, 300.0 * DECAY], ids=["fixed time", "decay-corrected time"])
def test_either_kind_of_timing_gives_the_same_decay_corrected_rate(late_s: float) -> None:
    """Unchanged uptake reads the same at both times, counted equally long or longer by the decay."""
    found = measured(views(4.0), views(24.0, duration_s=late_s))
    for region, rate in (("lesion", 8.0), ("reference", 2.0)):
        for one in found:
            if one.region == region:
                assert one.mean.value == pytest.approx(rate * 16.0, rel=2e-3), (one.time_point, late_s)
    (change,) = all_changes(all_ratios(found, placed(views(24.0)).regions), found)
    assert change.own_change.value == pytest.approx(0.0, abs=3e-3)
    assert change.change.value == pytest.approx(0.0, abs=3e-3)


def test_a_camera_that_scaled_its_counts_for_decay_is_not_corrected_twice() -> None:
    """A camera's own correction takes the frame's mean to its start; the rest, to the injection, is the same."""
    duration = 6 * 3600.0
    raw = views(24.0, duration_s=duration)
    decay = np.log(2.0) / HALF_LIFE_S
    to_start = decay * duration / (1.0 - np.exp(-decay * duration))
    corrected = replace(raw.header, corrections=("DECY",))
    scaled = replace(raw, counts=(raw.counts * to_start).astype(np.float32), header=corrected)
    with pytest.warns(AssumptionWarning, match="corrected the planar counts for decay"):
        found = measured(views(4.0), scaled)
    assert [one.mean.value for one in found if one.region == "lesion"] == pytest.approx([128.0, 128.0], rel=5e-3)


@pytest.mark.parametrize("pixel_mm", [2.0, 8.0])
def test_another_matrix_is_matched(pixel_mm: float) -> None:
    found = measured(views(4.0, pixel_mm=pixel_mm), views(24.0, rates_per_mm2=(12.0, 2.0, 0.4)))
    (change,) = all_changes(all_ratios(found, placed(views(24.0)).regions), found)
    assert change.own_change.value == pytest.approx(0.5, abs=0.01)
    assert change.change.value == pytest.approx(0.5, abs=0.01)
    assert change.size_change == pytest.approx(0.0, abs=0.15)


def checked(*planar: PlanarImages) -> tuple[str, list[str]]:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        reason = check_planar(planar, placed(planar[-1]), PROTOCOL)
    return reason, [str(one.message) for one in said]


def test_planar_times_taken_alike_are_not_remarked_upon() -> None:
    assert checked(views(4.0), views(24.0, pixel_mm=2.0)) == ("", [])


def test_planar_times_with_other_collimators_are_compared_by_ratios_only() -> None:
    reason, said = checked(views(4.0), views(24.0, collimator="MELP"))
    assert reason.startswith("their collimators differ")
    assert len(said) == 1
    assert "compared by ratios only" in said[0]
    reason, _ = checked(views(4.0), views(24.0, kind="WHOLE BODY"))
    assert "scanned along the body" in reason


def test_saturation_and_a_spot_at_the_side_are_told_of_their_time() -> None:
    late = views(24.0)
    hot = late.counts.copy()
    hot[0, 0, 60:64, 90:94] = 40.0 * hot.max()
    reason, said = checked(views(4.0), replace(late, counts=hot))
    assert (reason, len(said)) == ("", 1)
    assert said[0].startswith("Planar views at 24.0 h: ")
    assert "in one spot of" in said[0]
    hot[0, 0, 60:64, 90:94] = 65535.0
    assert any("16 pixels at 65535 counts" in one for one in checked(views(4.0), replace(late, counts=hot))[1])


def test_a_rate_that_cells_cannot_reach_tells_of_a_wrong_duration() -> None:
    _, said = checked(views(4.0), replace(views(24.0), view_duration_s=np.array([100.0])))
    assert len(said) == 1
    assert "the whole anterior view's rate, decay-corrected, rose 3.0 times" in said[0]
    assert checked(views(4.0), views(24.0, rates_per_mm2=(13.0, 2.0, 0.4)))[1] == []


def test_a_view_without_counts_is_told() -> None:
    late = views(24.0)
    _, said = checked(views(4.0), replace(late, counts=np.zeros_like(late.counts)))
    assert said == ["Planar views at 24.0 h: the anterior view holds no counts in its photopeak."]


def test_times_that_record_different_nuclides_are_told() -> None:
    late = views(24.0)
    assert late.header.radiopharmaceutical is not None
    other = replace(late.header, radiopharmaceutical=replace(late.header.radiopharmaceutical, nuclide="In-111"))
    _, said = checked(views(4.0), replace(late, header=other))
    assert any("record different nuclides (In-111 and Tc-99m)" in one for one in said)


def test_posterior_views_alone_are_told_to_be_shown_only() -> None:
    behind = replace(views(24.0), view_names=("posterior",))
    with pytest.warns(AssumptionWarning, match="posterior views alone are shown, not measured"):
        found = regions_of_study(Study((behind,)), (), PROTOCOL, None, lambda stage, done: None)
    assert found.regions == ()
