"""SPECT that others reconstructed, through every door: the same ratios as known, at the places known, and a flag."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK

from tests import vendor_volumes as made
from tests.command_line import Said, leukospect, volume
from tests.conftest import SmallRun
from tests.dicom.acquisitions import ct_slices, save

STILL = ("--set", "registration.enabled=false", "--set", "registration.sensitivity=false",
         "--set", "metal.enabled=false", "--set", "uncertainty.replicates=8")  # fmt: skip
DOORS = ("recon tomo", "recon tomo downwards", "recon slices", "pet class", "nifti")


def run(study: Path, out: Path, *options: object) -> Said:
    (out.parent / "regions.toml").write_text(made.REGIONS)
    return leukospect("run", study, "-o", out, "--regions", out.parent / "regions.toml", *STILL, *options)


def results(out: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((out / "results.json").read_text())
    return document


def ratios(out: Path) -> dict[str, float]:
    return {r["time_point"]: r["ratio"]["value"] for r in results(out)["ratios"] if r["modality"] == "spect"}


@pytest.mark.parametrize("door", DOORS)
def test_ratios_and_places_are_the_true_ones_through_every_door(door: str, tmp_path: Path) -> None:
    said = run(made.make_study(tmp_path / "study", door), tmp_path / "out")
    assert said.code == 0, said.stderr
    found = ratios(tmp_path / "out")
    assert found["delayed"] == pytest.approx(made.RATIO[4.0], rel=2e-4)
    assert found["late"] == pytest.approx(made.RATIO[24.0], rel=2e-4)
    [change] = results(tmp_path / "out")["changes"]
    assert change["change"]["value"] == pytest.approx(made.CHANGE, abs=1e-3)
    assert change["own_change"]["value"] == pytest.approx(made.OWN_CHANGE, rel=1e-3)
    for time_point, hours in (("delayed", 4.0), ("late", 24.0)):
        labels = volume(tmp_path / "out" / time_point / "regions.nii.gz")
        seen = volume(tmp_path / "out" / time_point / "recon.nii.gz")
        assert np.abs(seen.hottest_mm() - made.LESION_MM).max() < 1e-3
        assert seen.array.max() == pytest.approx(made.ACTIVITY[hours][0], rel=1e-3)
        for label, place in ((1, made.LESION_MM), (2, made.MARROW_MM)):
            centroid = labels.places_mm()[labels.array == label].mean(axis=0)
            assert np.abs(centroid - place).max() < 1e-3
        mean = seen.array[labels.array == 1].mean()
        [measured] = [
            m
            for m in results(tmp_path / "out")["measurements"]
            if (m["region"], m["time_point"]) == ("plate", time_point)
        ]
        assert measured["unit"] == "Bq/mL"
        assert measured["raw_mean"] == pytest.approx(mean, rel=1e-5)
        assert measured["mean"]["value"] == pytest.approx(mean * 2.0 ** (hours / made.HALF_LIFE_H), rel=1e-4)


@pytest.mark.parametrize("door", ["recon tomo", "nifti"])
def test_no_interval_is_made_up_and_the_rule_says_so(door: str, tmp_path: Path) -> None:
    said = run(made.make_study(tmp_path / "study", door), tmp_path / "out")
    document = results(tmp_path / "out")
    for ratio in document["ratios"]:
        assert (ratio["ratio"]["low"], ratio["ratio"]["high"], ratio["ratio"]["standard_deviation"]) == (None,) * 3
    [change] = document["changes"]
    assert change["change"]["low"] is None
    assert change["probability_above_threshold"] is None
    assert document["flag"]["value"] == "equivocal"
    [lesion] = document["flag"]["lesions"]
    assert "uncertainty is not known" in lesion["reason"]
    assert any("without projections its uncertainty is not known" in line for line in said.stderr.splitlines())
    report = (tmp_path / "out" / "report.html").read_text()
    assert "equivocal" in report


def test_the_corrected_volume_is_taken_and_the_other_kept(tmp_path: Path) -> None:
    said = run(made.make_study(tmp_path / "study", "recon tomo"), tmp_path / "out")
    assert "with and without attenuation correction; the corrected one is taken" in said.stderr
    late = tmp_path / "out" / "late"
    corrected, uncorrected = volume(late / "recon.nii.gz"), volume(late / "recon_nac.nii.gz")
    np.testing.assert_allclose(corrected.affine, uncorrected.affine, atol=1e-6)
    np.testing.assert_allclose(uncorrected.array, made.spots(24.0, attenuated=True).transpose(2, 1, 0), atol=0.5)
    np.testing.assert_allclose(corrected.array, made.spots(24.0).transpose(2, 1, 0), atol=0.5)
    assert not (late / "dicom").exists()
    notes = json.loads((tmp_path / "out" / "provenance.json").read_text())["notes"]["late"]
    assert "not written as DICOM again" in notes["DICOM volume"]


def test_one_time_uncorrected_leaves_both_uncorrected(tmp_path: Path) -> None:
    study = tmp_path / "study"
    save(study, made.recon_tomo(4.0, made.spots(4.0)))
    save(
        study, made.recon_tomo(4.0, made.spots(4.0, attenuated=True), SeriesDescription="NAC", CorrectedImage=["DECY"])
    )
    save(study, made.recon_tomo(24.0, made.spots(24.0, attenuated=True), CorrectedImage=["DECY"]))
    said = run(study, tmp_path / "out")
    assert said.code == 0, said.stderr
    assert "24.0 h is not there corrected for attenuation" in said.stderr
    assert ratios(tmp_path / "out")["delayed"] == pytest.approx(made.RATIO[4.0] / 2.0, rel=2e-4)
    assert ratios(tmp_path / "out")["late"] == pytest.approx(made.RATIO[24.0] / 2.0, rel=2e-4)


def test_corrected_and_uncorrected_only_are_refused(tmp_path: Path) -> None:
    study = save(tmp_path / "study", made.recon_tomo(4.0, made.spots(4.0)))
    save(study, made.recon_tomo(24.0, made.spots(24.0), CorrectedImage=["DECY"]))
    said = run(study, tmp_path / "out")
    assert said.code == 3
    assert "cannot be compared" in said.stderr
    assert "24.0 h" in said.stderr
    assert not (tmp_path / "out").exists()


def test_what_nobody_recorded_is_taken_as_alike_but_not_beside_what_is_known(tmp_path: Path) -> None:
    study = save(tmp_path / "study", made.recon_tomo(4.0, made.spots(4.0), CorrectedImage=[]))
    late = made.recon_tomo(24.0, made.spots(24.0), CorrectedImage=[])
    save(study, late)
    said = run(study, tmp_path / "out")
    assert said.code == 0, said.stderr
    assert "not recorded at any time; it is taken as the same at all" in said.stderr
    assert "does not record whether decay during the acquisition is corrected" in said.stderr
    late.CorrectedImage = ["ATTN"]
    save(tmp_path / "other", late, made.recon_tomo(4.0, made.spots(4.0), CorrectedImage=[]))
    said = run(tmp_path / "other", tmp_path / "refused")
    assert said.code == 3
    assert "at 4.0 h is not known to be corrected" in said.stderr


def test_two_corrected_reconstructions_of_one_time_are_refused(tmp_path: Path) -> None:
    study = save(tmp_path / "study", made.recon_tomo(24.0, made.spots(24.0)))
    save(study, made.recon_tomo(24.0, 1.1 * made.spots(24.0)))
    said = run(study, tmp_path / "out")
    assert said.code == 3
    assert "2 reconstructions of the SPECT at 24.0 h are corrected for attenuation" in said.stderr


@pytest.mark.parametrize(
    ("elements", "own", "says"),
    [
        ({"Units": "CNTS"}, made.OWN_CHANGE, "divided by the 1200 s"),
        ({"Units": "CPS"}, made.OWN_CHANGE, ""),
        ({"Units": ""}, None, "only ratios within it are known"),
        ({"Units": "PROPCPS"}, None, "compared by ratios only"),
    ],
)
def test_units_decide_what_can_be_compared(
    elements: dict[str, Any], own: float | None, says: str, tmp_path: Path
) -> None:
    study = tmp_path / "study"
    for hours in made.ACTIVITY:
        save(study, made.recon_tomo(hours, made.spots(hours), **elements))
    said = run(study, tmp_path / "out")
    assert said.code == 0, said.stderr
    assert says in said.stderr
    [change] = results(tmp_path / "out")["changes"]
    assert change["change"]["value"] == pytest.approx(made.CHANGE, abs=1e-3)
    assert change["own_change"]["value"] == (own if own is None else pytest.approx(own, rel=1e-3))
    sizes = {m["time_point"]: m["size"] for m in results(tmp_path / "out")["measurements"] if m["region"] == "plate"}
    assert sizes["late"] > 0.0
    assert (sizes["delayed"] is None) == (own is None)


def test_different_units_at_two_times_are_compared_by_ratios_only(tmp_path: Path) -> None:
    study = save(tmp_path / "study", made.recon_tomo(4.0, made.spots(4.0)))
    save(study, made.recon_tomo(24.0, made.spots(24.0) / 7.0, Units="CPS"))
    said = run(study, tmp_path / "out")
    assert said.code == 0, said.stderr
    assert "different units (Bq/mL, counts/s)" in said.stderr
    [change] = results(tmp_path / "out")["changes"]
    assert change["change"]["value"] == pytest.approx(made.CHANGE, abs=1e-3)
    assert change["own_change"]["value"] is None
    assert "On a scale of its own" in (tmp_path / "out" / "report.html").read_text()


def test_a_mean_over_the_acquisition_is_taken_to_its_start(tmp_path: Path) -> None:
    study = tmp_path / "study"
    for hours in made.ACTIVITY:
        save(study, made.recon_tomo(hours, made.spots(hours), CorrectedImage=["ATTN"]))
    said = run(study, tmp_path / "out")
    assert "by a factor of 1.0194" in said.stderr  # Tc-99m over 20 min, physics.md
    late = {m["region"]: m for m in results(tmp_path / "out")["measurements"] if m["time_point"] == "late"}["plate"]
    factor = 1.0194 * 2.0 ** (24.0 / made.HALF_LIFE_H)
    assert late["mean"]["value"] == pytest.approx(late["raw_mean"] * factor, rel=2e-4)


def water(grid_mm: tuple[float, float]) -> np.ndarray[Any, np.dtype[np.int16]]:
    """A water ellipse around both spots on 40 slices of 1.5 by 1.25 mm pixels, off centre; HU."""
    x = made.FIRST_MM[0] - 20.0 + grid_mm[1] * np.arange(128)[None, None, :]
    y = made.FIRST_MM[1] - 20.0 + grid_mm[0] * np.arange(100)[None, :, None]
    inside = ((x - 11.0) / 68.0) ** 2 + ((y + 11.0) / 55.0) ** 2 < 1.0
    return np.broadcast_to(np.where(inside, 0, -1000), (40, 100, 128)).astype(np.int16)


def test_dicom_ct_and_vendor_spect_are_fused(tmp_path: Path) -> None:
    study = save(tmp_path / "study", made.recon_tomo(24.0, made.spots(24.0)))
    corner = made.FIRST_MM - [20.0, 20.0, 15.0]
    positions = corner + np.outer(np.arange(40), [0.0, 0.0, 4.0])
    save(study / "ct", *ct_slices(water((1.5, 1.25)), positions))
    said = run(study, tmp_path / "out")
    assert said.code == 0, said.stderr
    assert results(tmp_path / "out")["flag"]["value"] == "not assessable"  # one time only
    on_ct = volume(tmp_path / "out" / "recon_on_ct.nii.gz")
    assert on_ct.array.shape == (128, 100, 40)
    assert np.abs(on_ct.hottest_mm() - made.LESION_MM).max() < 2.5
    assert (tmp_path / "out" / "spect_to_ct.tfm").is_file()
    assert not (tmp_path / "out" / "mu_map.nii.gz").exists()  # nothing was corrected with it


def test_a_folder_of_nifti_alone_runs_to_a_flag_without_regions(tmp_path: Path) -> None:
    study = tmp_path / "study"
    body = np.zeros(made.SHAPE)
    places = made.places_mm()
    body[((places[..., 0] - 11.0) / 55.0) ** 2 + ((places[..., 1] + 11.0) / 45.0) ** 2 < 1.0] = 300.0
    for hours, name in ((4.0, "early"), (24.0, "late")):
        document = made.sidecar(hours, InjectionStart=None, AcquisitionTime=None, HoursAfterInjection=hours,
                                FrameOfReference="both")  # fmt: skip
        made.save_nifti(study / f"{name}.nii.gz", made.spots(hours) + body, document)
    hu = np.where(body > 0, 0.0, -1000.0)
    made.save_nifti(study / "ct.nii.gz", hu, {"Modality": "CT", "Units": "HU", "KVP": 120, "FrameOfReference": "both"})
    said = leukospect("run", study, "-o", tmp_path / "out")
    assert said.code == 0, said.stderr
    document = results(tmp_path / "out")
    assert document["flag"]["value"] == "equivocal"
    hottest = next(region for region in document["regions"] if region["name"].startswith("lesion 1"))
    assert np.abs(np.array(hottest["centroid_mm"]) - made.LESION_MM).max() < 3.0
    assert hottest["side"] == "left"
    assert (tmp_path / "out" / "late" / "recon_on_ct.nii.gz").is_file()
    recorded = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert len(recorded["inputs_sha256"]) == 6
    assert "1900" not in (tmp_path / "out" / "report.html").read_text(encoding="utf-8").split("base64")[0]


def test_its_own_volumes_give_the_ratios_of_the_raw_run(
    small_run: SmallRun, small_phantom: Path, tmp_path: Path
) -> None:
    study = tmp_path / "study"
    study.mkdir()
    for time_point in ("delayed", "late"):
        for name in ("recon.dcm", "recon_nac.dcm"):
            shutil.copy(small_run.folder / time_point / "dicom" / name, study / f"{time_point}-{name}")
    for folder in (small_phantom / "study").glob("*-ct"):
        shutil.copytree(folder, study / folder.name)
    # Both registrations of the raw run kept the identity, so leaving them out changes nothing but the time it takes.
    notes = json.loads((small_run.folder / "provenance.json").read_text())["notes"]
    aligned = [notes[time_point]["alignment to CT"] for time_point in ("delayed", "late")]
    assert all("identity was kept" in note for note in (*aligned, notes["alignment late to delayed"]))
    said = leukospect("run", study, "-o", tmp_path / "out", "--regions", small_phantom / "regions.toml", *STILL)
    assert said.code == 0, said.stderr
    known = {(r["lesion"], r["time_point"]): r["ratio"]["value"] for r in results(small_run.folder)["ratios"]
             if r["modality"] == "spect"}  # fmt: skip
    found = {(r["lesion"], r["time_point"]): r["ratio"]["value"] for r in results(tmp_path / "out")["ratios"]}
    assert found.keys() == known.keys()
    for key, value in found.items():
        assert value == pytest.approx(known[key], rel=1e-3), key
    own = {
        c["lesion"]: c["own_change"]["value"] for c in results(small_run.folder)["changes"] if c["modality"] == "spect"
    }
    for change in results(tmp_path / "out")["changes"]:
        assert change["own_change"]["value"] == pytest.approx(own[change["lesion"]], rel=2e-3)
    for measured in results(tmp_path / "out")["measurements"]:
        assert measured["unit"] == "counts/s/mL"


def test_raw_counts_win_over_the_reconstruction_of_their_time(
    small_run: SmallRun, small_phantom: Path, tmp_path: Path
) -> None:
    study = tmp_path / "study"
    study.mkdir()
    shutil.copy(max((small_phantom / "study").glob("*-spect.dcm")), study / "raw.dcm")
    shutil.copy(small_run.folder / "late" / "dicom" / "recon.dcm", study)
    shutil.copy(small_run.folder / "delayed" / "dicom" / "recon_nac.dcm", study)
    said = leukospect("run", study, "-o", tmp_path / "out", "--regions", small_phantom / "regions.toml",
                      "--set", "reconstruction.iterations=1", "--set", "uncertainty.replicates=2")  # fmt: skip
    assert said.code == 0, said.stderr
    assert "24.0 h is there raw and as its camera reconstructed it; the raw counts are taken" in said.stderr
    assert "Some times were reconstructed here and others by the camera" in said.stderr
    spect = [r for r in results(tmp_path / "out")["ratios"] if r["modality"] == "spect"]
    assert all((r["ratio"]["low"] is None) == (r["time_point"] == "delayed") for r in spect)
    for change in results(tmp_path / "out")["changes"]:
        assert change["change"]["low"] is None
        assert change["own_change"]["value"] is None
    assert (tmp_path / "out" / "late" / "dicom" / "recon.dcm").is_file()
    assert not (tmp_path / "out" / "delayed" / "dicom").exists()


@pytest.mark.parametrize("door", ["recon tomo", "nifti"])
def test_recon_sends_what_is_reconstructed_to_run(door: str, tmp_path: Path) -> None:
    if door == "nifti":
        given = made.save_nifti(tmp_path / "a.nii.gz", made.spots(4.0), made.sidecar(4.0))
    else:
        given = save(tmp_path / "a", made.recon_tomo(4.0, made.spots(4.0)))
    said = leukospect("recon", given, "-o", tmp_path / "out")
    assert said.code == 3
    assert "reconstructed already; `leukospect run`" in said.stderr


def test_positron_emitters_are_no_spect(tmp_path: Path) -> None:
    slices = made.slices_of(4.0, made.spots(4.0), made.PET_CLASS)
    for one in slices:
        code = one.RadiopharmaceuticalInformationSequence[0].RadionuclideCodeSequence[0]
        code.CodeValue, code.CodeMeaning = "C-111A1", "^18^Fluorine"
    study = save(tmp_path / "study", *slices)
    said = run(study, tmp_path / "out")
    assert said.code == 3
    assert "no SPECT, raw or reconstructed" in said.stderr
    assert "PET series of F-18 is no SPECT" in leukospect("inspect", study).stdout
    save(study, made.recon_tomo(24.0, made.spots(24.0)))
    said = run(study, tmp_path / "out")
    assert said.code == 0
    assert "PET series of F-18 is no SPECT" in said.stderr


def test_attenuation_maps_are_not_taken_for_uptake(tmp_path: Path) -> None:
    study = save(tmp_path / "study", made.recon_tomo(24.0, made.spots(24.0)))
    save(study, made.recon_tomo(24.0, np.full(made.SHAPE, 0.15), Units="1CM"))
    said = run(study, tmp_path / "out")
    assert said.code == 0, said.stderr
    assert "attenuation maps" in said.stderr
    assert ratios(tmp_path / "out")["late"] == pytest.approx(made.RATIO[24.0], rel=2e-4)


@pytest.mark.real_data
def test_a_camera_s_own_reconstruction_of_a_phantom(real_data: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    study.mkdir()
    shutil.copy(real_data / "nm" / "mediso_jaszczak_recon_tomo.dcm", study)
    said = leukospect("run", study, "-o", tmp_path / "out", *STILL)
    assert said.code == 0, said.stderr
    assert "the camera&#39;s own software (MEDISO InterViewXP)" in (tmp_path / "out" / "report.html").read_text()
    read = SimpleITK.ReadImage(str(real_data / "nm" / "mediso_jaszczak_recon_tomo.dcm"))
    array = SimpleITK.GetArrayFromImage(read)
    k, j, i = (int(n) for n in np.unravel_index(int(array.argmax()), array.shape))
    seen = volume(tmp_path / "out" / "recon.nii.gz")
    assert np.abs(seen.hottest_mm() - read.TransformIndexToPhysicalPoint((i, j, k))).max() < 1e-2
