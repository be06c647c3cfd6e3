"""`leukospect calibrate` on simulated sources of a camera whose sensitivity is known, and `recon` in Bq/mL with it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from leukospect.phantoms import phantom_from_toml, simulate_study
from leukospect.photopeaks import photopeak_counts
from leukospect.physics.collimators import find_collimator
from leukospect.projector import reconstruction_geometry, views_of_counts
from leukospect.quantification.calibration import cylinder_sensitivity
from leukospect.spect_study import attenuation_map, prepare_reconstruction
from tests.command_line import leukospect, volume
from tests.phantoms.made_phantom import HEAD, WINDOWS

CAMERA_CPS_PER_MBQ = 90.0
HALF_LIFE_H = 6.0072
CYLINDER_ML = np.pi * 9.0**2 * 14.0
CYLINDER_MBQ = 0.05 * CYLINDER_ML
DROP_MBQ = 20.0 * 4 / 3 * np.pi * 0.7**3
TIMES = 'time_point = "delayed"\nhours = 3.0\n'
CYLINDER = f"""
[[shape]]
kind = "cylinder"
from_mm = [8.0, -6.0, -65.0]
to_mm = [8.0, -6.0, 75.0]
radius_mm = 90.0
material = "water"
compartment = "water"
[[acquisition]]
kind = "SPECT"
{TIMES}
frame = "one"
matrix = [34, 40]
pixel_mm = [7.0, 6.8]
stops = 20
heads = 2
seconds = 25
{WINDOWS}
[[acquisition]]
kind = "CT"
{TIMES}
frame = "one"
matrix = [88, 88]
pixel_mm = [3.2, 3.2]
slices = 42
slice_spacing_mm = 6.0
kvp = 120
views = 120
"""
DROP = f"""
[[shape]]
kind = "sphere"
center_mm = [21.0, 4.0, -17.0]
radius_mm = 7.0
compartment = "drop"
[[acquisition]]
kind = "PLANAR"
{TIMES}
matrix = [52, 60]
pixel_mm = [4.8, 4.4]
seconds = 1200
radius_mm = 120
{WINDOWS}
"""
COMPARTMENTS = """
water = { hours = [0.0], kbq_per_ml = [50.0] }
drop = { hours = [0.0], kbq_per_ml = [20000.0] }
"""


def described(shapes: str) -> str:
    return HEAD.format(finest_mm=3.0, rays=2) + COMPARTMENTS + shapes


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calibration")
    for name, shapes in (("cylinder", CYLINDER), ("drop", DROP)):
        (folder / f"{name}.toml").write_text(described(shapes))
        said = leukospect("phantom", "make", folder / f"{name}.toml", "-o", folder / name)
        assert said.code == 0, said.stderr
    return folder


def only(folder: Path, pattern: str) -> Path:
    [found] = (folder / "study").glob(pattern)
    return found


def cylinder_options(made: Path) -> tuple[object, ...]:
    return (
        only(made / "cylinder", "*-spect.dcm"), "--ct", only(made / "cylinder", "*-ct"), "--volume-ml", CYLINDER_ML,
        "--activity-mbq", CYLINDER_MBQ, "--assayed-at", "2020-01-01T08:00", "--collimator", "siemens:LEHR",
        "--subsets", 10,
    )  # fmt: skip


def drop_options(made: Path) -> tuple[object, ...]:
    return (only(made / "drop", "*-planar.dcm"), "--activity-mbq", DROP_MBQ, "--assayed-at", "08:00")


def document(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "calibration.json").read_text())
    return found


def test_a_drop_in_air_gives_the_cameras_sensitivity(made: Path, tmp_path: Path) -> None:
    said = leukospect("calibrate", *drop_options(made), "-o", tmp_path / "out")
    assert said.code == 0, said.stderr
    found = document(tmp_path / "out")
    # The scatter windows hold the tails of the photopeak, 1.5 % of it; recon takes off as much.
    assert found["calibration_cps_per_mbq"] == pytest.approx(CAMERA_CPS_PER_MBQ, rel=0.02)
    assert 0.02 < found["standard_uncertainty_cps_per_mbq"] < 0.5
    assert found["activity"]["at_acquisition_mbq"] == pytest.approx(DROP_MBQ * 2 ** (-3 / HALF_LIFE_H), rel=1e-4)
    assert (found["nuclide"], found["collimator"]) == ("Tc-99m", "LEHR")
    assert found["photopeak_windows_kev"] == [[[126.45, 154.55]]]
    assert len(found["inputs_sha256"]) == 1
    assert len(said.stdout.splitlines()) == 1
    assert re.search(r"^Sensitivity: 8\d\.\d\d \+- 0\.\d\d cps/MBq a head \(Tc-99m, LEHR, planar", said.stdout)
    exact = leukospect("calibrate", *drop_options(made), "--scatter", "none", "-o", tmp_path / "out")
    assert exact.code == 0
    assert document(tmp_path / "out")["calibration_cps_per_mbq"] == pytest.approx(CAMERA_CPS_PER_MBQ, rel=0.006)


def test_a_cylinder_gives_a_factor_that_takes_recon_to_its_concentration(made: Path, tmp_path: Path) -> None:
    said = leukospect("calibrate", *cylinder_options(made), "-o", tmp_path / "out")
    assert said.code == 0, said.stderr
    found = document(tmp_path / "out")
    # Here the simulated scatter is 5 % more than its windows tell, which reads as 4 % more sensitivity.
    assert found["calibration_cps_per_mbq"] == pytest.approx(CAMERA_CPS_PER_MBQ, rel=0.05)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "calibration.json", "provenance.json", "recon.nii.gz", "calibration_region.nii.gz",
    }  # fmt: skip
    source, _, ct = cylinder_options(made)[:3]
    recon = leukospect(
        "recon", source, "--ct", ct, "--collimator", "siemens:LEHR", "--subsets", 10, "-o", tmp_path / "recon",
        "--calibration-cps-per-mbq", found["calibration_cps_per_mbq"],
    )  # fmt: skip
    assert recon.code == 0, recon.stderr
    image = volume(tmp_path / "recon" / "recon.nii.gz")
    region = volume(tmp_path / "out" / "calibration_region.nii.gz").array > 0
    true_bq_per_ml = 50e3 * 2 ** (-3 / HALF_LIFE_H)
    assert image.array[region].mean() == pytest.approx(true_bq_per_ml, rel=0.002)
    x, y, z = np.moveaxis(image.places_mm(), -1, 0)
    middle = (np.hypot(x - 8, y + 6) < 55) & (np.abs(z - 5) < 35)
    assert image.array[middle].mean() == pytest.approx(true_bq_per_ml, rel=0.01)


def test_with_the_true_scatter_a_cylinder_gives_the_cameras_sensitivity() -> None:
    simulated = simulate_study(phantom_from_toml(described(CYLINDER), "cylinder"), noise=False, threads=2)
    projections, ct = simulated.study.projections[0], simulated.study.ct[0]
    assert simulated.expected[0] is not None
    assert simulated.expected_primary[0] is not None
    scatter = views_of_counts(simulated.expected[0][0] - simulated.expected_primary[0][0])
    peak = replace(photopeak_counts(projections), scatter=scatter)
    mu = attenuation_map(ct.image, ct.kvp, 140.511, reconstruction_geometry(projections))
    model = prepare_reconstruction(projections, peak, mu, find_collimator("siemens:LEHR", ""), subsets=10)
    activity = CYLINDER_MBQ * 2 ** (-3 / HALF_LIFE_H)
    found, _ = cylinder_sensitivity(model.image(peak), activity, CYLINDER_ML)
    assert found.cps_per_mbq == pytest.approx(CAMERA_CPS_PER_MBQ, rel=0.015)


def changed(source: Path, folder: Path, change: Callable[[Dataset], None]) -> Path:
    dataset = dcmread(source)
    change(dataset)
    dataset.save_as(folder / "changed.dcm")
    return folder / "changed.dcm"


def no_nuclide(dataset: Dataset) -> None:
    del dataset.RadiopharmaceuticalInformationSequence


def no_duration(dataset: Dataset) -> None:
    if "ActualFrameDuration" in dataset:
        del dataset.ActualFrameDuration
    for rotation in dataset.get("RotationInformationSequence", []):
        del rotation.ActualFrameDuration


def no_time(dataset: Dataset) -> None:
    for name in ("AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime", "SeriesDate", "SeriesTime", "ContentDate",
                 "ContentTime", "StudyDate", "StudyTime"):  # fmt: skip
        if name in dataset:
            del dataset[name]


@pytest.mark.parametrize("kind", ["drop", "cylinder"])
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (no_nuclide, "does not record its radionuclide; give --nuclide"),
        (no_duration, "does not record for how long a view counted"),
        (no_time, "does not record when it began"),
    ],
)
def test_what_the_file_must_tell(
    made: Path, tmp_path: Path, kind: str, change: Callable[[Dataset], None], sentence: str
) -> None:
    options = drop_options(made) if kind == "drop" else cylinder_options(made)
    source = changed(Path(str(options[0])), tmp_path, change)
    said = leukospect("calibrate", source, *options[1:], "-o", tmp_path / "out")
    assert said.code == 3
    assert sentence in said.stderr
    assert said.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


OPTIONS = {
    "no activity": (("--activity-mbq", 0, "--assayed-at", "08:00"), "more than 0"),
    "activity not a number": (("--activity-mbq", "nan", "--assayed-at", "08:00"), "more than 0"),
    "no time": (("--activity-mbq", 30), "give --assayed-at"),
    "far": (("--activity-mbq", 30, "--assayed-at", "2019-12-20T08:00"), "half-lives of Tc-99m before the acquisition"),
    "time not understood": (("--activity-mbq", 30, "--assayed-at", "noon"), "'noon' is not understood"),
    "time zone": (("--activity-mbq", 30, "--assayed-at", "2020-01-01T08:00+01:00"), "without a time zone"),
    "other nuclide": (("--activity-mbq", 30, "--assayed-at", "08:00", "--nuclide", "In-111"), "records Tc-99m"),
    "no such view": (("--activity-mbq", 30, "--assayed-at", "08:00", "--view", "side"), "'anterior', 'posterior'"),
    "volume of a drop": (("--activity-mbq", 30, "--assayed-at", "08:00", "--volume-ml", 5), "acquisition is planar"),
    "volume of nothing": (("--activity-mbq", 30, "--assayed-at", "08:00", "--volume-ml", -5), "more than 0 mL"),
    "uncertainty": (
        ("--activity-mbq", 30, "--assayed-at", "08:00", "--activity-uncertainty-percent", 120), "within 0 to 100 %",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIONS)
def test_options_that_cannot_be_are_refused_in_a_sentence(made: Path, tmp_path: Path, name: str) -> None:
    options, sentence = OPTIONS[name]
    said = leukospect("calibrate", only(made / "drop", "*-planar.dcm"), *options, "-o", tmp_path / "out")
    assert said.code == 3
    assert sentence in said.stderr
    assert said.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_cylinder_needs_its_volume_and_its_attenuation(made: Path, tmp_path: Path) -> None:
    source, ct_option, ct, volume_option, volume_ml, *rest = cylinder_options(made)
    without_ct = leukospect("calibrate", source, volume_option, volume_ml, *rest, "-o", tmp_path / "out")
    assert (without_ct.code, "--ct" in without_ct.stderr) == (3, True)
    without_volume = leukospect("calibrate", source, ct_option, ct, *rest, "-o", tmp_path / "out")
    assert (without_volume.code, "--volume-ml" in without_volume.stderr) == (3, True)
    of_a_view = leukospect("calibrate", *cylinder_options(made), "--view", "anterior", "-o", tmp_path / "out")
    assert (of_a_view.code, "--view" in of_a_view.stderr) == (3, True)
    assert not (tmp_path / "out").exists()


def test_several_acquisitions_and_whole_body_scans_are_refused(made: Path, tmp_path: Path) -> None:
    several = leukospect("calibrate", made, *drop_options(made)[1:], "-o", tmp_path / "out")
    assert several.code == 3
    missing = leukospect("calibrate", tmp_path / "nothing", *drop_options(made)[1:], "-o", tmp_path / "out")
    assert (missing.code, "nothing at" in missing.stderr) == (3, True)

    def sweep(dataset: Dataset) -> None:
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"]

    whole_body = changed(Path(str(drop_options(made)[0])), tmp_path, sweep)
    said = leukospect("calibrate", whole_body, *drop_options(made)[1:], "-o", tmp_path / "out")
    assert (said.code, "is WHOLE BODY; a calibration takes a STATIC or a TOMO" in said.stderr) == (3, True)
    assert not (tmp_path / "out").exists()


def test_the_activity_is_a_usage_of_its_own(made: Path, tmp_path: Path) -> None:
    assert leukospect("calibrate", drop_options(made)[0], "-o", tmp_path / "out").code == 2


def test_an_assay_after_the_acquisition_counts_too(made: Path, tmp_path: Path) -> None:
    later = DROP_MBQ * 2 ** (-(3 + 5) / HALF_LIFE_H)
    start = dcmread(only(made / "drop", "*-planar.dcm")).AcquisitionTime[:4]
    assert start == "1100"
    said = leukospect(
        "calibrate", only(made / "drop", "*-planar.dcm"), "--activity-mbq", later, "--assayed-at", "16:00",
        "--scatter", "none", "-o", tmp_path / "out",
    )  # fmt: skip
    assert said.code == 0, said.stderr
    found = document(tmp_path / "out")
    assert found["activity"]["hours_from_assay_to_acquisition"] == pytest.approx(-5.0)
    assert found["calibration_cps_per_mbq"] == pytest.approx(CAMERA_CPS_PER_MBQ, rel=0.006)
