"""The same counts with the map of the CT as scanned: nothing but the map differs, and without metal nothing is done."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import leukospect.pipeline
from leukospect.attenuation_effect import effect_on_study
from leukospect.ct.metal import MetalReduction
from leukospect.data import AcquisitionHeader, CtSeries, Geometry, Image, Projections, Radiopharmaceutical
from leukospect.interpretation.rules import load_rule
from leukospect.physics.attenuation import hu_to_mu
from leukospect.pipeline import reconstruct_spect
from leukospect.protocol import load_protocol
from leukospect.quantification.measurements import Region
from leukospect.quantification.spect import SpectSamples
from leukospect.study_measurement import PlacedRegions, measure_images
from leukospect.study_result import SpectResult
from tests.command_line import volume
from tests.conftest import SmallRun
from tests.spot_acquisition import acquisition, orbit

SETTINGS = ["reconstruction.resolution=false", "reconstruction.scatter=none", "registration.enabled=false",
            "attenuation.smoothing_fwhm_mm=0", "reconstruction.subsets=4", "reconstruction.iterations=4"]  # fmt: skip
BODY_MM, BAND_MM, BAND_HU = 80.0, (35.0, 65.0), -500


def source_on_the_axis() -> Projections:
    """Views of one small source on the axis, fainter away from the middle row; attenuation is alike at every angle."""
    u, v = (np.arange(24) - 11.5) * 9.0, (np.arange(6) - 2.5) * 10.0
    spot = 500.0 * np.exp(-0.5 * (u / 10.0) ** 2) * np.exp(-0.5 * (v[:, None] / 15.0) ** 2)
    made = acquisition(
        orbit(0.0, "CC", 16), (6, 24), (10.0, 9.0), counts=np.tile(spot, (1, 16, 1, 1)), first_row_z_mm=25.0
    )
    return replace(made, header=replace(made.header, radiopharmaceutical=Radiopharmaceutical("Tc-99m")))


def scans() -> tuple[CtSeries, Image, NDArray[np.uint8]]:
    """Give a CT with a dark band all around the axis, the same without it, and a little metal outside the band."""
    grid = Geometry.axial((14, 100, 100), (5.0, 2.0, 2.0), (-99.0, -99.0, -32.5), "1.2.3")
    _, y, x = np.moveaxis(grid.to_lps(np.moveaxis(np.indices(grid.shape), 0, -1))[..., ::-1], -1, 0)
    radius = np.hypot(x, y)
    clean = np.where(radius < BODY_MM, 0, -1000).astype(np.float32)
    metal = (np.hypot(x - 74.0, y) < 3.0).astype(np.uint8)
    banded = np.where((radius > BAND_MM[0]) & (radius < BAND_MM[1]), BAND_HU, clean).astype(np.int16)
    header = AcquisitionHeader("CT", frame_of_reference_uid="1.2.3")
    return CtSeries(Image(banded, grid, "HU"), header, 120.0), Image(clean, grid, "HU"), metal


def reconstructed(monkeypatch: pytest.MonkeyPatch, *settings: str, with_metal: bool = True) -> SpectResult:
    ct, clean, metal = scans()
    mask = Image(metal * np.uint8(with_metal), clean.geometry, "1")

    def reduction(*_: Any) -> MetalReduction:
        return MetalReduction(clean, mask, tuple(range(14)), (), "by hand")

    if "metal.enabled=false" not in settings:
        monkeypatch.setattr(leukospect.pipeline, "reduced_ct", reduction)
    protocol = load_protocol("tc99m-hmpao-spect-ct", [*SETTINGS, *settings])
    return reconstruct_spect(source_on_the_axis(), ct, protocol, threads=1)


@pytest.mark.filterwarnings("ignore::leukospect.errors.AssumptionWarning")
class TestOneAcquisition:
    def test_nothing_but_the_map_differs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        plain = reconstructed(monkeypatch, "metal.enabled=false")
        both = reconstructed(monkeypatch)
        assert plain.as_scanned is None
        assert both.as_scanned is not None
        assert plain.mu_map is not None
        assert both.mu_map is not None
        np.testing.assert_array_equal(both.as_scanned.mu_map.array, plain.mu_map.array)
        np.testing.assert_array_equal(both.as_scanned.recon.array, plain.recon.array)
        assert not np.allclose(both.mu_map.array, plain.mu_map.array)
        assert both.recon_nac is not None
        assert plain.recon_nac is not None
        np.testing.assert_array_equal(both.recon_nac.array, plain.recon_nac.array)

    def test_uptake_behind_a_dark_band_falls_by_what_the_band_leaves_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        result = reconstructed(monkeypatch)
        labels = np.zeros(result.recon.geometry.shape, np.uint8)
        labels[2:4, 11:13, 11:13] = 1
        labels[2:4, 10, 11:13] = 2
        regions = (
            Region(1, "source", "lesion", "beside", 3.0, (0.0, 0.0, 0.0), "midline", "drawn"),
            Region(2, "beside", "reference", "", 3.0, (0.0, -13.0, 0.0), "midline", "drawn"),
        )
        placed = PlacedRegions((Image(labels, result.recon.geometry),), regions, {})
        samples = {"late": SpectSamples.collect(regions, [])}
        measurements = measure_images([result.recon], [result], placed, samples)  # type: ignore[arg-type]
        found = effect_on_study([result], placed, samples, measurements, load_rule("visual-increase"))  # type: ignore[arg-type]
        assert found is not None
        rows = {(one.region, one.attenuation_map): one for one in found.uptake}
        assert len(rows) == 4
        water, band = (
            float(hu_to_mu(np.array([hu], np.float32), 120.0, 140.5, coherent_counted=True)[0]) for hu in (0, BAND_HU)
        )
        left_out = np.exp((band - water) * (BAND_MM[1] - BAND_MM[0]) / 10.0) - 1.0
        assert left_out == pytest.approx(-0.20, abs=0.01)
        assert rows["source", "as scanned"].mean_change == pytest.approx(left_out, abs=0.01)
        without = np.exp(-water * BODY_MM / 10.0) - 1.0
        assert rows["source", "none"].mean_change == pytest.approx(without, abs=0.02)
        # Both regions lie behind the whole band, so their ratio hardly knows of it.
        assert abs(rows["source", "as scanned"].ratio_change) < 0.02

    def test_without_metal_nothing_is_done(self, monkeypatch: pytest.MonkeyPatch) -> None:
        result = reconstructed(monkeypatch, with_metal=False)
        assert result.as_scanned is None
        regions = (Region(1, "a", "reference", "", 1.0, (0.0, 0.0, 0.0), "left", "drawn"),)
        labels = Image(np.ones(result.recon.geometry.shape, np.uint8), result.recon.geometry)
        placed = PlacedRegions((labels,), regions, {})
        assert effect_on_study([result], placed, {}, (), load_rule("visual-increase")) is None

    @pytest.mark.parametrize("setting", ["metal.show_effect=false", "attenuation.enabled=false"])
    def test_it_can_be_left_out(self, monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
        assert reconstructed(monkeypatch, setting).as_scanned is None


def test_a_run_tells_every_lesion_at_every_time(small_run: SmallRun) -> None:
    document = json.loads((small_run.folder / "results.json").read_text())
    effect = document["attenuation_effect"]
    regions = {one["name"] for one in document["regions"]}
    told = {(one["region"], one["time_point"], one["attenuation_map"]) for one in effect["uptake"]}
    assert told == {(r, t, m) for r in regions for t in ("delayed", "late") for m in ("as scanned", "none")}
    means = {
        (m["region"], m["time_point"]): m["mean"]["value"] for m in document["measurements"] if m["modality"] == "spect"
    }
    for one in effect["uptake"]:
        before = means[one["region"], one["time_point"]]
        assert one["mean"] == pytest.approx(before * (1 + one["mean_change"]))
        if one["attenuation_map"] == "none":
            assert one["mean_change"] < -0.3
    assert {c["attenuation_map"] for c in effect["changes"]} == {"as scanned", "none"}
    assert "samples" not in effect["changes"][0]
    for lesion in document["flag"]["lesions"]:
        others = {one["attenuation_map"]: one["flag"] for one in lesion["with_other_maps"]}
        assert set(others) == {"as scanned", "none"}
        assert bool(lesion["dependence"]) == any(flag != lesion["flag"] for flag in others.values())
    dependent = any(lesion["dependence"] for lesion in document["flag"]["lesions"])
    notes = [line for line in small_run.said.stderr.splitlines() if "depends on the attenuation map" in line]
    assert len(notes) == dependent
    scanned, corrected = (volume(small_run.folder / "late" / f"{n}.nii.gz") for n in ("recon_ct_as_scanned", "recon"))
    assert scanned.array.shape == corrected.array.shape
    assert not np.array_equal(scanned.array, corrected.array)
