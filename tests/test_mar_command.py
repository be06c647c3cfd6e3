"""`leukospect mar`: streaks fall, the rest keeps its stored numbers, and what was done is told truly."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread

from leukospect.ct_stages import reduced_ct
from leukospect.data import CtSeries, Geometry, Image
from leukospect.dicom.read.ct import read_ct
from leukospect.dicom.write.acquisition import write_ct
from leukospect.errors import AssumptionWarning
from leukospect.protocol import load_protocol
from leukospect.reduced_ct_files import whole_hu
from tests.command_line import Said, leukospect
from tests.ct.polychromatic_slice import NAILS, thigh_slice
from tests.dicom.written import FRAME, IDENTITY, dciodvfy_errors, header

WITH_METAL = (1, 2)
DONE_HERE = "This program, leukospect, has reduced metal artefacts in this CT already."


def write_thigh(folder: Path, with_metal: tuple[int, ...]) -> Path:
    """Write four slices as DICOM; some show nails."""
    nailed, bare = (thigh_slice(nails, size=160, pixel_mm=1.3)[0] for nails in (NAILS, ()))
    array = np.rint([nailed if k in with_metal else bare for k in range(4)]).astype(np.int16)
    geometry = Geometry.axial((4, 160, 160), (2.5, 1.3, 1.3), (-100.0, -110.0, 40.0), FRAME)
    write_ct(CtSeries(Image(array, geometry, "HU"), header("CT"), kvp=110.0, kernel="B31s"), folder, IDENTITY)
    return folder


def stored(path: Path) -> NDArray[np.integer]:
    """Give a NIfTI file's numbers as stored, (slices, rows, columns), with no scaling between."""
    image = nib.load(path)
    assert (image.dataobj.slope, image.dataobj.inter) == (1, 0)
    return np.asarray(image.dataobj.get_unscaled()).transpose(2, 1, 0)


def of_dicom(folder: Path) -> NDArray[np.integer]:
    return np.stack([dcmread(path).pixel_array for path in sorted(folder.glob("*.dcm"))])


def hu_of(path: Path) -> NDArray[np.float64]:
    dataset = dcmread(path)
    return np.asarray(dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept))


def provenance(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "provenance.json").read_text())
    return document


@pytest.fixture(scope="module")
def thigh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_thigh(tmp_path_factory.mktemp("thigh") / "ct", WITH_METAL)


@pytest.fixture(scope="module")
def reduced(thigh: Path) -> tuple[Path, Said]:
    return thigh.parent / "mar", leukospect("mar", thigh, "-o", thigh.parent / "mar", "--threads", 2)


def test_what_was_found_and_done_is_printed(reduced: tuple[Path, Said]) -> None:
    _, said = reduced
    assert said.code == 0, said.stderr
    found, done, where = said.stdout.splitlines()
    assert found.startswith("2 pieces of metal")
    assert "2 slices hold metal, of 4: 2 corrected, 0 in part, 0 left unchanged; median streaks" in done
    assert done.endswith("method adaptive, parallel rays.")
    assert where == "CT: ct_mar.nii.gz in the output folder (-o)"


def test_slices_that_were_not_changed_keep_their_stored_numbers(reduced: tuple[Path, Said], thigh: Path) -> None:
    folder, _ = reduced
    scanned, corrected, metal = (stored(folder / f"{n}.nii.gz") for n in ("ct", "ct_mar", "metal_mask"))
    assert np.array_equal(scanned, of_dicom(thigh) - 1024)
    assert np.array_equal(corrected, of_dicom(folder / "dicom" / "ct_mar") - 1024)
    for k in range(4):
        assert np.array_equal(corrected[k], scanned[k]) == (k not in WITH_METAL)
        assert bool(metal[k].any()) == (k in WITH_METAL)
    assert np.array_equal(corrected[metal > 0], scanned[metal > 0])


def test_provenance_tells_each_slice(reduced: tuple[Path, Said]) -> None:
    folder, said = reduced
    document = provenance(folder)
    assert document["settings"] == {"command": "mar", "method": "adaptive", "threshold_hu": None}
    told = document["notes"]["metal reduction"]
    assert (told["method"], told["rays"]) == ("adaptive", "parallel")
    assert told["found"] == said.stdout.splitlines()[0]
    assert [one["slice"] for one in told["each_slice"]] == list(WITH_METAL)
    for one in told["each_slice"]:
        assert one["strength"] == 1.0
        assert one["metal_pixels"] == np.count_nonzero(stored(folder / "metal_mask.nii.gz")[one["slice"]])
        assert one["after"]["streaks_hu"] < 0.95 * one["before"]["streaks_hu"]
        assert one["after"]["edge_agreement"] <= one["before"]["edge_agreement"] == pytest.approx(1.0)
    counts = told["slices"]
    assert (counts["all"], counts["with_metal"], counts["corrected"], counts["left_as_scanned"]) == (4, 2, 2, 0)
    assert told["median_streaks_hu"]["before"] == pytest.approx(
        np.median([one["before"]["streaks_hu"] for one in told["each_slice"]])
    )
    assert "ct.nii.gz" in document["notes"]["CT as scanned"]


def test_the_derived_series_names_method_and_rays(reduced: tuple[Path, Said]) -> None:
    text = dcmread(reduced[0] / "dicom" / "ct_mar" / "0002.dcm").DerivationDescription
    assert "(adaptive)" in text
    assert "weighed for each slice, along parallel rays through the slices; 2 of 4 slices changed" in text


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("padding", [-2000, -3024, -32768])
def test_padding_keeps_its_value(thigh: Path, tmp_path: Path, padding: int, recorded: bool) -> None:
    """As Siemens and GE fill what lies outside the field of view, with and without telling the value."""
    folder = shutil.copytree(thigh, tmp_path / "ct")
    rows, columns = np.indices((160, 160)) - 79.5
    outside = np.hypot(rows, columns) > 79.0
    for path in folder.iterdir():
        dataset = dcmread(path)
        hu = dataset.pixel_array.astype(np.int32) - 1024
        hu[outside] = padding
        dataset.PixelData = hu.astype(np.int16).tobytes()
        dataset.PixelRepresentation, dataset.RescaleIntercept = 1, 0
        if recorded:
            dataset.add_new("PixelPaddingValue", "SS", padding)
        dataset.save_as(path)
    said = leukospect("mar", folder, "-o", tmp_path / "out", "--method", "linear")
    assert said.code == 0, said.stderr
    derived = tmp_path / "out" / "dicom" / "ct_mar"
    scanned, reduced = of_dicom(folder), of_dicom(derived) - 1024
    assert np.all(reduced[:, outside] == padding)
    assert np.any(reduced[WITH_METAL[0]] != scanned[WITH_METAL[0]])
    for k in set(range(4)) - set(WITH_METAL):
        assert np.array_equal(reduced[k], scanned[k])
    assert np.array_equal(stored(tmp_path / "out" / "ct.nii.gz"), scanned)
    assert np.array_equal(stored(tmp_path / "out" / "ct_mar.nii.gz"), reduced)
    one = derived / "0002.dcm"
    assert dcmread(one).PixelPaddingValue == padding + 1024
    assert dciodvfy_errors(one) == []
    with pytest.warns(AssumptionWarning):
        again = read_ct(derived)
    assert np.all(np.asarray(again.image.array)[:, outside] == -1024)


@pytest.mark.parametrize(("top", "padding"), [(40000, None), (64000, None), (32000, -3024), (62000, -3024)])
def test_a_wide_scale_is_kept_whole(thigh: Path, tmp_path: Path, top: int, padding: int | None) -> None:
    """Metal beyond 16 signed bits, with a streak darker than air, and the filling of scanners below both."""
    folder = shutil.copytree(thigh, tmp_path / "ct")
    rows, columns = np.indices((160, 160)) - 79.5
    outside = np.hypot(rows, columns) > (200.0 if padding is None else 79.0)
    lowest = -1400 if padding is None else padding
    for path in folder.iterdir():
        dataset = dcmread(path)
        hu = dataset.pixel_array.astype(np.int32) - 1024
        hu = np.where(hu > 3000, top, hu)
        hu[80, 5:9] = -1400
        hu[outside] = lowest
        dataset.PixelData = (hu - lowest).astype(np.uint16).tobytes()
        dataset.PixelRepresentation, dataset.RescaleIntercept = 0, lowest
        if padding is not None:
            dataset.add_new("PixelPaddingValue", "US", 0)
        dataset.save_as(path)
    said = leukospect("mar", folder, "-o", tmp_path / "out", "--method", "linear")
    assert said.code == 0, said.stderr
    scanned = of_dicom(folder).astype(np.int32) + lowest
    derived = [dcmread(path) for path in sorted((tmp_path / "out" / "dicom" / "ct_mar").glob("*.dcm"))]
    reduced = np.stack([one.pixel_array.astype(np.int32) + int(one.RescaleIntercept) for one in derived])
    assert scanned.max() == top
    assert np.array_equal(stored(tmp_path / "out" / "ct.nii.gz"), scanned)
    assert np.array_equal(stored(tmp_path / "out" / "ct_mar.nii.gz"), reduced)
    assert np.all(reduced[:, outside] == lowest)
    for k in set(range(4)) - set(WITH_METAL):
        assert np.array_equal(reduced[k], scanned[k])
    marked = [
        np.zeros_like(outside) if padding is None else one.pixel_array == one.PixelPaddingValue for one in derived
    ]
    assert all(np.array_equal(one, outside & (padding is not None)) for one in marked)


@pytest.mark.parametrize(("slope", "intercept", "signed"), [(0.5, -1024.0, 1), (0.37, -1024.0, 0), (1.5, -6000.0, 0)])
def test_slices_that_were_not_changed_keep_their_hu_on_any_slope(
    thigh: Path, tmp_path: Path, slope: float, intercept: float, signed: int
) -> None:
    """In the derived series; NIfTI holds whole HU, which is told where the scan's are none."""
    folder = shutil.copytree(thigh, tmp_path / "ct")
    for path in folder.iterdir():
        dataset = dcmread(path)
        hu = np.where(dataset.pixel_array > 4000, 15000.0 if slope < 1 else 60000.0, dataset.pixel_array - 1024.0)
        hu[80, 5:9] = -1400 if slope > 1 else -1000
        hu += 0.5 * (np.indices(hu.shape).sum(axis=0) % 2)
        steps = np.rint((hu - intercept) / slope)
        dataset.PixelData = steps.astype(np.int16 if signed else np.uint16).tobytes()
        dataset.PixelRepresentation = signed
        dataset.RescaleSlope, dataset.RescaleIntercept = slope, intercept
        dataset.save_as(path)
    said = leukospect("mar", folder, "-o", tmp_path / "out", "--method", "linear")
    assert said.code == 0, said.stderr
    assert said.stderr.count("rounded to whole") == 1
    scanned, reduced = (
        np.stack([hu_of(path) for path in sorted(one.glob("*.dcm"))])
        for one in (folder, tmp_path / "out" / "dicom" / "ct_mar")
    )
    for k in range(4):
        assert (np.abs(reduced[k] - scanned[k]).max() < 1e-6) == (k not in WITH_METAL)
    assert np.abs(stored(tmp_path / "out" / "ct.nii.gz") - scanned).max() <= 0.5
    assert np.abs(stored(tmp_path / "out" / "ct_mar.nii.gz") - reduced).max() <= 0.5 + slope / 2
    assert dciodvfy_errors(tmp_path / "out" / "dicom" / "ct_mar" / "0002.dcm") == []


def test_a_tilted_gantry_is_told_as_why_streaks_stay(thigh: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(thigh, tmp_path / "ct")
    cosine, sine = np.cos(np.deg2rad(12.0)), np.sin(np.deg2rad(12.0))
    for path in folder.iterdir():
        dataset = dcmread(path)
        dataset.ImageOrientationPatient = [1, 0, 0, 0, f"{cosine:.8f}", f"{-sine:.8f}"]
        dataset.save_as(path)
    said = leukospect("mar", folder, "-o", tmp_path / "out", "--method", "linear")
    assert said.code == 0, said.stderr
    assert said.stderr.count("resampled from a gantry tilted by 12 degrees") == 1
    assert "most of them stay" in said.stderr
    assert "whole HU" not in said.stderr
    assert "as scanned" not in said.stdout
    document = provenance(tmp_path / "out")
    assert "resampled to upright slices" in document["notes"]["CT as scanned"]
    assert any("most of them stay" in text for text in document["warnings"])


def test_a_slope_that_no_hu_have_is_refused_on_reading(thigh: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(thigh, tmp_path / "ct")
    for path in folder.iterdir():
        dataset = dcmread(path)
        dataset.RescaleSlope = "1e9"
        dataset.save_as(path)
    said = leukospect("mar", folder, "-o", tmp_path / "out")
    assert said.code == 3
    assert "Rescale Slope (0028,1053) of 1e+09 makes the CT run from" in said.stderr
    assert not (tmp_path / "out").exists()


def test_what_this_program_reduced_is_known_as_its_own(reduced: tuple[Path, Said], thigh: Path, tmp_path: Path) -> None:
    ours = reduced[0] / "dicom" / "ct_mar"
    with pytest.warns(AssumptionWarning):
        series = read_ct(ours)
    assert series.metal_reduction == "leukospect"
    assert DONE_HERE in series.header.assumptions
    assert "scanner" not in " ".join(series.header.assumptions)
    said = leukospect("mar", ours, "-o", tmp_path / "again")
    assert said.code == 0
    assert DONE_HERE in said.stderr
    assert "The scanner has" not in said.stderr
    protocol = load_protocol("tc99m-hmpao-spect-ct", ["metal.enabled=true"])
    with pytest.warns(AssumptionWarning, match="^This program, leukospect, has reduced .* is not done on top"):
        assert reduced_ct(series, protocol, 1, lambda *_: None) is None


def test_of_a_ct_and_its_reduced_twin_the_one_as_scanned_is_reduced(
    reduced: tuple[Path, Said], thigh: Path, tmp_path: Path
) -> None:
    for name, folder in (("scanned", thigh), ("ours", reduced[0] / "dicom" / "ct_mar")):
        shutil.copytree(folder, tmp_path / "both" / name)
    with pytest.warns(AssumptionWarning):
        series = read_ct(tmp_path / "both", metal_reduced=False)
    assert series.metal_reduction == ""
    chosen = series.header.assumptions[0]
    assert "with metal reduced by this program before" in chosen
    assert chosen.endswith("the one in which metal was not reduced before is taken.")
    with pytest.warns(AssumptionWarning):
        assert read_ct(tmp_path / "both").metal_reduction == "leukospect"


def test_method_and_threshold_reach_the_reduction(thigh: Path, tmp_path: Path, reduced: tuple[Path, Said]) -> None:
    out = tmp_path / "out"
    said = leukospect("mar", thigh, "-o", out, "--method", "linear", "--metal-threshold-hu", 2900)
    assert said.code == 0, said.stderr
    assert "above 2900 HU" in said.stdout
    assert "method linear" in said.stdout
    assert provenance(out)["settings"]["threshold_hu"] == 2900
    assert "(linear): linear interpolation" in dcmread(out / "dicom" / "ct_mar" / "0001.dcm").DerivationDescription
    assert not np.array_equal(stored(out / "ct_mar.nii.gz"), stored(reduced[0] / "ct_mar.nii.gz"))


def test_a_ct_without_metal_is_told_plainly_and_unchanged(tmp_path: Path) -> None:
    ct = write_thigh(tmp_path / "ct", ())
    said = leukospect("mar", ct, "-o", tmp_path / "out")
    assert said.code == 0, said.stderr
    assert said.stdout.splitlines()[:2] == ["No metal was found in the patient.", "None of the 4 slices was changed."]
    assert np.array_equal(stored(tmp_path / "out" / "ct_mar.nii.gz"), of_dicom(ct) - 1024)
    told = provenance(tmp_path / "out")["notes"]["metal reduction"]
    assert told["rays"] is None
    assert told["median_streaks_hu"] == {"before": None, "after": None}
    derived = dcmread(tmp_path / "out" / "dicom" / "ct_mar" / "0001.dcm")
    assert "no metal was found" in derived.DerivationDescription


@pytest.mark.parametrize("threshold", ["999", "nan", "inf"])
def test_a_threshold_that_takes_bone_for_metal_is_refused(thigh: Path, tmp_path: Path, threshold: str) -> None:
    said = leukospect("mar", thigh, "-o", tmp_path / "out", "--metal-threshold-hu", threshold)
    assert said.code == 3
    assert "give 1000 or more" in said.stderr
    assert ("since bone reaches 1000 HU" in said.stderr) == (threshold == "999")
    assert not (tmp_path / "out").exists()


def test_the_least_threshold_is_what_help_and_refusal_tell(thigh: Path, tmp_path: Path) -> None:
    assert "1000 or more" in " ".join(leukospect("mar", "--help").stdout.split())
    said = leukospect("mar", thigh, "-o", tmp_path / "out", "--method", "linear", "--metal-threshold-hu", 1000)
    assert said.code == 0, said.stderr
    assert "above 1000 HU" in said.stdout


@pytest.mark.parametrize("command", ["mar", "run", "recon", "register", "calibrate"])
def test_an_output_in_the_input_is_refused_by_every_command(thigh: Path, small_spect: Path, command: str) -> None:
    more = {
        "register": (thigh,),
        "recon": ("--ct", thigh),
        "calibrate": ("--activity-mbq", 100, "--assayed-at", "2024-01-01T10:00:00", "--volume-ml", 1000),
    }
    first = small_spect if command == "recon" else thigh
    said = leukospect(command, first, *more.get(command, ()), "-o", thigh / "out")
    assert said.code == 3, said.stderr
    assert len(said.stderr.strip().splitlines()) == 1
    assert "lies in the input folder" in said.stderr
    assert not (thigh / "out").exists()


NAME = "Mueller^Hannelore 19541231"


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ("ct/out", "lies in the input folder"),
        (".", "holds the input"),
        ("other", "holds other files"),
        ("file", "names a file"),
        ("file/out", "lies below one"),
        ("full/out", "no space left"),
        ("out", "There is nothing at the path given"),
        ("closed/out", "The output folder (-o) could not be written (Permission denied)"),
    ],
)
def test_no_message_repeats_a_path(
    thigh: Path, tmp_path: Path, output: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path that was typed may hold the patient's name."""
    folder = tmp_path / NAME
    shutil.copytree(thigh, folder / "ct")
    (folder / "other").mkdir()
    (folder / "other" / "letter.txt").touch()
    (folder / "file").touch()
    full = OSError("With tag (7FE0,0010) got exception")  # as pydicom wraps it
    full.__cause__ = OSError(28, "No space left on device")
    failing = {"full/out": full, "closed/out": PermissionError(13, "Permission denied")}

    def mkdtemp(**_: object) -> str:
        error = failing[output]
        error.filename = str(folder / output)
        raise error

    if output in failing:
        monkeypatch.setattr("leukospect.whole_files.tempfile.mkdtemp", mkdtemp)
    ct = folder / ("nothing" if output == "out" else "ct")
    said = leukospect("mar", ct, "-o", folder / output)
    assert said.code == 3
    assert why in said.stderr
    assert len(said.stderr.splitlines()) == 1
    assert "Hannelore" not in said.stderr


def test_a_nifti_image_is_told_as_what_it_is(reduced: tuple[Path, Said], tmp_path: Path) -> None:
    said = leukospect("mar", reduced[0] / "ct.nii.gz", "-o", tmp_path / "out")
    assert said.code == 3
    assert "DICOM slices, and a NIfTI image was given" in said.stderr


INTERRUPTED = """
import os, signal, sys, threading, time
from pathlib import Path
from leukospect import cli, metal_job
from leukospect.whole_files import whole_folder

# What is started in the background may have been told to ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)

def job(path, output, **_):
    with whole_folder(output, command="mar", inputs=[path]) as folder:
        (folder / "half").touch()
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)

def clear_away(*_, **__):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.1)
    remove(*_, **__)

from leukospect import whole_files
remove, whole_files.shutil.rmtree = whole_files.shutil.rmtree, clear_away
metal_job.mar_job = job
code = cli.main(["mar", sys.argv[1], "-o", sys.argv[2]])
os.kill(os.getpid(), signal.SIGINT)
sys.exit(code)
"""


def test_impatient_interrupts_leave_nothing_behind(thigh: Path, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, thigh, tmp_path / "out"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 130, ended.stderr
    assert ended.stderr == "leukospect: stopped; nothing was left half written.\n"
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_method_is_wrong_usage(thigh: Path, tmp_path: Path) -> None:
    assert leukospect("mar", thigh, "-o", tmp_path / "out", "--method", "magic").code == 2


def test_the_methods_are_the_same_everywhere() -> None:
    from leukospect.cli_options import parser
    from leukospect.ct.metal import METHODS
    from leukospect.ct.metal_summary import METHOD_WORDS

    assert set(METHODS) == set(METHOD_WORDS)
    assert load_protocol("tc99m-hmpao-spect-ct").metal.method == "adaptive"
    for name in METHODS:
        assert load_protocol("tc99m-hmpao-spect-ct", [f"metal.method={name}"]).metal.method == name
        assert parser().parse_args(["mar", "ct", "-o", "out", "--method", name]).method == name


@pytest.mark.parametrize(("top", "kept"), [(40000.0, np.int32), (30000.0, np.int16)])
def test_hu_are_rounded_and_none_are_cut(top: float, kept: type[np.generic]) -> None:
    values = np.array([top, -1024.4, 2.6, 3.5], np.float32).reshape(1, 1, 4)
    image = Image(values, Geometry.axial((1, 1, 4), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)), "HU")
    rounded = whole_hu(image).array
    assert rounded.ravel().tolist() == [int(top), -1024, 3, 4]
    assert rounded.dtype == kept
