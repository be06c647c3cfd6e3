"""A raw study in, a quantified report out: the small femoral-nail phantom, whose truth is known."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
from pydicom import dcmread
from scipy.ndimage import gaussian_filter, map_coordinates

from tests.command_line import Float64, Volume, leukospect, volume
from tests.conftest import SmallRun
from tests.dicom.written import dciodvfy_errors

SPECT_FILES = {
    "recon.nii.gz", "recon_nac.nii.gz", "mu_map.nii.gz", "regions.nii.gz", "ct.nii.gz", "ct_mar.nii.gz",
    "metal_mask.nii.gz", "recon_on_ct.nii.gz", "recon_ct_as_scanned.nii.gz", "spect_to_ct.tfm", "dicom",
}  # fmt: skip
SCREW_2, LEFT_NAIL, MUSCLE = "right plate, screw 2", "left nail", "left thigh muscle"
TIMES = ("delayed", "late")


def results(run: SmallRun) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((run.folder / "results.json").read_text())
    return document


def spect_change(run: SmallRun, lesion: str) -> dict[str, float]:
    [change] = [c for c in results(run)["changes"] if c["lesion"] == lesion and c["modality"] == "spect"]
    interval: dict[str, float] = change["change"]
    return interval


def test_the_run_succeeds_and_says_its_flag(small_run: SmallRun) -> None:
    assert small_run.said.code == 0, small_run.said.stderr
    assert small_run.said.stdout.startswith("Flag: positive (rule visual-increase; a research tool, no diagnosis)")
    assert all(line.startswith("note: ") for line in small_run.said.stderr.splitlines())


def test_the_files_of_the_contract_are_there_for_each_time(small_run: SmallRun) -> None:
    top = {path.name for path in small_run.folder.iterdir()}
    assert top == {"delayed", "late", "results.json", "report.html", "provenance.json"}
    for time_point in TIMES:
        assert {path.name for path in (small_run.folder / time_point).iterdir()} == SPECT_FILES
    assert not list(small_run.folder.parent.glob(".partial*"))


def test_how_each_spect_lies_to_its_ct_is_told(small_run: SmallRun) -> None:
    told = results(small_run)["ct_alignment"]
    assert [one["time_point"] for one in told] == list(TIMES)
    notes = json.loads((small_run.folder / "provenance.json").read_text())["notes"]
    for one in told:
        assert one["searched"]
        assert one["mirrored"] is None
        assert one["reason"] == notes[one["time_point"]]["alignment to CT"]
        moved = not np.array_equal(one["matrix"], np.eye(4))
        assert moved == one["accepted"]
        # Without a motion that was taken the images lie apart by what was found, too.
        assert one["misalignment_mm"] >= one["expected_error_mm"] > 0


def test_what_was_done_about_metal_is_told_for_each_time(small_run: SmallRun) -> None:
    told = results(small_run)["metal_reduction"]
    assert [one["time_point"] for one in told] == list(TIMES)
    notes = json.loads((small_run.folder / "provenance.json").read_text())["notes"]
    page = " ".join((small_run.folder / "report.html").read_text().split())
    assert "<h2>Metal in the CT</h2>" in page
    for one in told:
        assert notes[one["time_point"]]["metal reduction"]["slices"] == one["slices"]
        assert one["method"] == "adaptive"
        assert one["found"] in page
        scanned, reduced, metal = (
            volume(small_run.folder / one["time_point"] / name).array
            for name in ("ct.nii.gz", "ct_mar.nii.gz", "metal_mask.nii.gz")
        )
        with_metal = np.flatnonzero(metal.any(axis=(0, 1)))
        assert [each["slice"] for each in one["each_slice"]] == with_metal.tolist()
        changed = np.flatnonzero((scanned != reduced).any(axis=(0, 1)))
        assert set(changed) <= {each["slice"] for each in one["each_slice"] if each["strength"] > 0}
        assert len(with_metal) == one["slices"]["with_metal"] > 0
        assert one["median_streaks_hu"]["after"] <= one["median_streaks_hu"]["before"]


def test_the_infection_is_positive_and_the_left_nail_negative(small_run: SmallRun) -> None:
    flag = results(small_run)["flag"]
    assert flag["value"] == "positive"
    lesions = {lesion["lesion"]: lesion["flag"] for lesion in flag["lesions"]}
    assert lesions[SCREW_2] == "positive"
    assert lesions[LEFT_NAIL] == "negative"
    assert f"{LEFT_NAIL}: negative." in small_run.said.stdout


def test_the_second_screw_is_the_hottest_and_at_the_patients_right(small_run: SmallRun, small_phantom: Path) -> None:
    document = results(small_run)
    regions = {region["name"]: region for region in document["regions"]}
    late = {m["region"]: m for m in document["measurements"] if m["modality"] == "spect" and m["time_point"] == "late"}
    lesions = [m for name, m in late.items() if regions[name]["role"] == "lesion"]
    assert max(lesions, key=lambda m: m["mean"]["value"])["region"] == SCREW_2
    assert regions[SCREW_2]["side"] == "right"
    assert regions[LEFT_NAIL]["side"] == "left"
    drawn = tomllib.loads((small_phantom / "regions.toml").read_text())["region"]
    [centre] = [region["sphere"][0]["center_mm"] for region in drawn if region["name"] == SCREW_2]
    seen = volume(small_run.folder / "late" / "recon.nii.gz")
    # Single voxels after 75 updates are noise in so short an acquisition; the hottest part is 30 mm wide.
    smooth = replace(seen, array=gaussian_filter(seen.array, 20.0 / 2.355 / seen.voxel_mm))
    for hottest in (late[SCREW_2]["hottest_mm"], smooth.hottest_mm()):
        assert hottest[0] < 0
        assert np.linalg.norm(np.asarray(hottest) - centre) <= 15.0


@pytest.mark.parametrize("lesion", [SCREW_2, LEFT_NAIL])
def test_the_interval_holds_the_true_change(small_run: SmallRun, small_phantom: Path, lesion: str) -> None:
    labels = {region["name"]: region["label"] for region in results(small_run)["regions"]}
    ratio = {}
    for time_point, path in zip(TIMES, sorted((small_phantom / "truth").iterdir()), strict=True):
        truth = volume(path).array
        drawn = volume(small_run.folder / time_point / "regions.nii.gz").array
        ratio[time_point] = truth[drawn == labels[lesion]].mean() / truth[drawn == labels[MUSCLE]].mean()
    true_change = ratio["late"] / ratio["delayed"] - 1.0
    found = spect_change(small_run, lesion)
    assert found["low"] < true_change < found["high"]
    assert found["low"] < found["value"] < found["high"]


def test_ratios_carry_intervals_and_the_rule_its_source(small_run: SmallRun) -> None:
    document = results(small_run)
    assert document["schema_version"]
    assert document["rule"]["name"] == "visual-increase"
    assert document["rule"]["source"]
    assert {ratio["modality"] for ratio in document["ratios"]} == {
        "spect", "planar anterior", "planar posterior", "planar geometric mean",
    }  # fmt: skip
    for ratio in document["ratios"]:
        interval, total = ratio["ratio"], ratio["ratio_total"]
        assert total["low"] <= interval["low"] < interval["value"] < interval["high"] <= total["high"]
        # The map was moved at both times, regions where they were carried to.
        assert ratio["alignment_deviation"] > 0
        assert total["high"] > interval["high"]
    for change in document["changes"]:
        assert change["change_total"]["high"] > change["change"]["high"]


def test_the_total_activity_is_the_phantoms(small_run: SmallRun, small_phantom: Path) -> None:
    # counts/s/mL of one head without attenuation, at the acquisition's start; scatter by TEW is approximate.
    for time_point, path in zip(TIMES, sorted((small_phantom / "truth").iterdir()), strict=True):
        truth, found = volume(path), volume(small_run.folder / time_point / "recon.nii.gz")
        np.testing.assert_allclose(found.affine, truth.affine, atol=1e-3)
        assert found.array.sum() == pytest.approx(truth.array.sum(), rel=0.03)
        uncorrected = volume(small_run.folder / time_point / "recon_nac.nii.gz")
        assert uncorrected.array.sum() < 0.6 * found.array.sum()


class _Resources(HTMLParser):
    """Gather whatever a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        fetched = {"src", "srcset", "poster", "data", "action", "background"}
        if tag in {"link", "base", "image", "use"}:
            fetched |= {"href", "xlink:href"}
        self.found += [value or "" for name, value in attrs if name in fetched]


def test_the_report_opens_offline(small_run: SmallRun) -> None:
    text = (small_run.folder / "report.html").read_text(encoding="utf-8")
    parser = _Resources()
    parser.feed(text)
    assert parser.found
    assert all(resource.startswith("data:") for resource in parser.found)
    assert not re.search(r"url\(\s*['\"]?(?!data:|#)|@import", text)
    assert SCREW_2 in text
    assert "visual-increase" in text
    assert "no diagnosis" in text or "not a diagnosis" in text


def test_the_provenance_has_settings_hashes_and_warnings(small_run: SmallRun, small_phantom: Path) -> None:
    document = json.loads((small_run.folder / "provenance.json").read_text())
    assert document["settings"]["attenuation"]["hu_table"] == "icru-bone"
    read = [path for path in (small_phantom / "study").rglob("*") if path.is_file()]
    read.append(small_phantom / "regions.toml")
    expected = {hashlib.sha256(path.read_bytes()).hexdigest() for path in read}
    assert set(document["inputs_sha256"].values()) == expected
    noted = [line.removeprefix("note: ") for line in small_run.said.stderr.splitlines()]
    assert document["warnings"]
    assert set(document["warnings"]) <= set(noted)
    assert document["notes"]["late"]["alignment to CT"]


def test_nothing_tells_who_the_patient_is(small_run: SmallRun, small_spect: Path) -> None:
    dataset = dcmread(small_spect, stop_before_pixels=True)
    secrets = {str(dataset.PatientName), str(dataset.PatientID), str(dataset.AcquisitionDate), "PHANTOM^"}
    secrets |= {f"{day[:4]}-{day[4:6]}-{day[6:]}" for day in secrets if day.isdigit()}
    assert all(len(secret) > 6 for secret in secrets)
    texts = {name: (small_run.folder / name).read_text() for name in ("results.json", "report.html", "provenance.json")}
    texts |= {"standard output": small_run.said.stdout, "standard error": small_run.said.stderr}
    texts["file names"] = " ".join(str(path.relative_to(small_run.folder)) for path in small_run.folder.rglob("*"))
    for place, text in texts.items():
        for secret in secrets:
            assert secret.casefold() not in text.casefold(), place


@pytest.mark.parametrize("name", ["recon", "recon_nac"])
@pytest.mark.parametrize("time_point", TIMES)
def test_the_dicom_volume_is_valid_and_lies_where_the_nifti_does(
    small_run: SmallRun, time_point: str, name: str
) -> None:
    path = small_run.folder / time_point / "dicom" / f"{name}.dcm"
    assert dciodvfy_errors(path) == []
    nifti = volume(small_run.folder / time_point / f"{name}.nii.gz")
    read = SimpleITK.ReadImage(str(path))
    array = SimpleITK.GetArrayFromImage(read)
    k, j, i = (int(n) for n in np.unravel_index(int(array.argmax()), array.shape))
    place = np.array(read.TransformIndexToPhysicalPoint((i, j, k)))
    assert np.abs(place - nifti.hottest_mm()).max() <= nifti.voxel_mm.min() / 2
    corner = np.array(read.TransformIndexToPhysicalPoint((0, 0, 0)))
    at = np.rint(np.linalg.inv(nifti.affine) @ [*corner, 1.0])[:3].astype(int)
    values = array.transpose(2, 1, 0)
    steps = np.where(at == 0, 1, -1)
    step = float(dcmread(path, stop_before_pixels=True).RescaleSlope)
    assert np.abs(values - nifti.array[:: steps[0], :: steps[1], :: steps[2]]).max() <= 0.5001 * step


def test_the_transform_takes_spect_points_to_the_ct(small_run: SmallRun) -> None:
    for time_point in TIMES:
        folder = small_run.folder / time_point
        transform = SimpleITK.ReadTransform(str(folder / "spect_to_ct.tfm"))
        spect, on_ct = volume(folder / "recon.nii.gz"), volume(folder / "recon_on_ct.nii.gz")
        moved = np.array([transform.TransformPoint(place) for place in spect.places_mm().reshape(-1, 3).tolist()])

        def likeness(
            shift_mm: tuple[float, float, float], moved: Float64 = moved, spect: Volume = spect, on_ct: Volume = on_ct
        ) -> float:
            to_index = np.linalg.inv(on_ct.affine)
            indices = to_index[:3, :3] @ (moved + shift_mm).T + to_index[:3, 3:]
            return float(np.corrcoef(map_coordinates(on_ct.array, indices, order=1), spect.array.ravel())[0, 1])

        here = likeness((0, 0, 0))
        assert here > 0.95
        for shift in np.concatenate([5.0 * np.eye(3), -5.0 * np.eye(3)]):
            assert likeness(tuple(shift)) < here
        assert volume(folder / "ct_mar.nii.gz").array.shape == on_ct.array.shape


def test_any_number_of_threads_gives_the_same_bits(small_spect: Path, small_ct: Path, tmp_path: Path) -> None:
    digests = set()
    for threads in (1, 2, 3):
        said = leukospect("recon", small_spect, "--ct", small_ct, "-o", tmp_path / str(threads), "--iterations", 1,
                          "--threads", threads)  # fmt: skip
        assert said.code == 0, said.stderr
        digests.add(hashlib.sha256((tmp_path / str(threads) / "recon.nii.gz").read_bytes()).hexdigest())
    assert len(digests) == 1


UNIFORM = """
title = "An evenly filled cylinder, off centre"
finest_mm = 4.8
[injection]
nuclide = "Tc-99m"
compound = "HMPAO"
dose_mbq = 60
time = 2020-01-01T08:00:00
[camera]
collimator = "LEHR"
hole_mm = 1.11
hole_length_mm = 24.05
intrinsic_fwhm_mm = 3.8
energy_resolution_percent = 9.5
sensitivity_cps_per_mbq = 90
[compartment]
body = { hours = [0.0], kbq_per_ml = [10.0] }
[[shape]]
kind = "elliptic_cylinder"
from_mm = [10.0, -6.0, -90.0]
to_mm = [10.0, -6.0, 110.0]
radii_mm = [130.0, 90.0]
material = "soft_tissue"
compartment = "body"
[[acquisition]]
kind = "SPECT"
time_point = "delayed"
hours = 4.0
matrix = [36, 44]
pixel_mm = [9.6, 9.0]
heads = 2
stops = 30
start_angle_deg = 180
direction = "CC"
seconds = 30.0
""" + "".join(
    f'[[acquisition.window]]\nname = "{name}"\nlower_kev = {low}\nupper_kev = {high}\n'
    for name, low, high in (
        ("photopeak", 126.45, 154.55),
        ("lower scatter", 114.45, 126.45),
        ("upper scatter", 154.55, 166.55),
    )
) + """
[[acquisition]]
kind = "CT"
time_point = "delayed"
hours = 4.3
matrix = [100, 120]
pixel_mm = [4.0, 4.0]
slices = 70
slice_spacing_mm = 4.8
kvp = 110
views = 120
"""  # fmt: skip


def test_a_calibrated_image_reads_the_true_concentration(tmp_path: Path) -> None:
    (tmp_path / "uniform.toml").write_text(UNIFORM)
    assert leukospect("phantom", "make", tmp_path / "uniform.toml", "-o", tmp_path / "made").code == 0
    study = tmp_path / "made" / "study"
    [spect], [ct] = study.glob("*-spect.dcm"), study.glob("*-ct")
    mean = {}
    for unit, options in {"counts/s/mL": (), "Bq/mL": ("--calibration-cps-per-mbq", 90)}.items():
        out = tmp_path / unit.replace("/", "_")
        said = leukospect("recon", spect, "--ct", ct, "-o", out, "--iterations", 2, *options)
        assert said.code == 0, said.stderr
        found = volume(out / "recon.nii.gz")
        place = found.places_mm() - [10.0, -6.0, 10.0]
        inside = (place[..., 0] / 100) ** 2 + (place[..., 1] / 60) ** 2 < 1
        mean[unit] = found.array[inside & (np.abs(place[..., 2]) < 70)].mean()
    at_start = 10_000.0 * 0.5 ** (4.0 / 6.0072)  # Bq/mL
    assert mean["Bq/mL"] == pytest.approx(at_start, rel=0.05)  # scatter by TEW is approximate
    assert mean["counts/s/mL"] == pytest.approx(mean["Bq/mL"] * 90 / 1e6, rel=1e-5)
    recon = dcmread(tmp_path / "Bq_mL" / "dicom" / "recon.dcm", stop_before_pixels=True)
    assert "DCAL" in recon.CorrectedImage
