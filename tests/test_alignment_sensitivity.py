"""What a misalignment changes, in a run's results: against labels moved by hand, and a map moved by hand."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from leukospect.data import Image
from leukospect.files.nifti import read_nifti, write_nifti
from tests.command_line import leukospect
from tests.conftest import SmallRun


def _effects(run: SmallRun) -> list[dict[str, object]]:
    document = json.loads((run.folder / "results.json").read_text(encoding="utf-8"))
    found = document["alignment_sensitivity"]
    assert found["turn_deg"] == 2.0
    assert found["shift_mm"] == pytest.approx(_array(run.folder / "late" / "recon.nii.gz")[1])
    effects: list[dict[str, object]] = [one for one in found["effects"] if one["modality"] == "spect"]
    return effects


def _array(path: Path) -> tuple[NDArray[np.float64], float]:
    image = nib.load(path)
    assert isinstance(image, nib.Nifti1Image)
    return image.get_fdata(), float(image.header.get_zooms()[0])


def _mean(array: NDArray[np.float64], labels: NDArray[np.float64], label: int) -> float:
    return float(array[labels == label].mean())


def test_each_motion_of_each_part_is_told(small_run: SmallRun) -> None:
    effects = _effects(small_run)
    document = json.loads((small_run.folder / "results.json").read_text(encoding="utf-8"))
    names = {region["name"] for region in document["regions"]}
    for part, times in (("attenuation map", {"delayed", "late"}), ("regions", {"delayed"})):
        of_part = [one for one in effects if one["moved"] == part]
        assert {one["time_point"] for one in of_part} == times
        assert len(of_part) == 12 * len(names) * len(times)
    lesions = {region["name"] for region in document["regions"] if region["role"] == "lesion"}
    assert all((one["ratio_change"] is not None) == (one["region"] in lesions) for one in effects)


def test_regions_moved_along_z_read_the_slices_beside(small_run: SmallRun) -> None:
    recon, _ = _array(small_run.folder / "delayed" / "recon.nii.gz")
    labels, pixel = _array(small_run.folder / "delayed" / "regions.nii.gz")
    document = json.loads((small_run.folder / "results.json").read_text(encoding="utf-8"))
    affine = nib.load(small_run.folder / "delayed" / "recon.nii.gz").affine
    towards_head = 1 if affine[2, 2] > 0 else -1
    found = {
        (one["region"], one["motion"]): one["mean_change"] for one in _effects(small_run) if one["moved"] == "regions"
    }
    for region in document["regions"]:
        # A region that is looked for further up is read from where it came from: further down.
        moved = np.roll(labels, -towards_head, axis=2)
        expected = _mean(recon, moved, region["label"]) / _mean(recon, labels, region["label"]) - 1.0
        assert found[region["name"], f"+{pixel:.1f} mm along z"] == pytest.approx(expected, abs=2e-4)


def test_the_map_moved_by_hand_changes_uptake_alike(small_run: SmallRun, small_spect: Path, tmp_path: Path) -> None:
    mu = read_nifti(small_run.folder / "late" / "mu_map.nii.gz")
    pixel = mu.geometry.spacing_mm[2]
    towards_left = 1 if mu.geometry.affine[0, 2] > 0 else -1
    labels = np.asarray(read_nifti(small_run.folder / "late" / "regions.nii.gz").array, np.int64)
    means = {}
    for name, by in (("in place", 0), ("moved", -towards_left)):
        write_nifti(Image(np.roll(mu.array, by, axis=2), mu.geometry, "1/cm"), tmp_path / "mu.nii.gz")
        said = leukospect("recon", small_spect, "-o", tmp_path / name, "--mu", tmp_path / "mu.nii.gz",
                          "--iterations", 2)  # fmt: skip
        assert said.code == 0
        recon = read_nifti(tmp_path / name / "recon.nii.gz").array.astype(np.float64)
        means[name] = {label: float(recon[labels == label].mean()) for label in np.unique(labels[labels > 0])}
    document = json.loads((small_run.folder / "results.json").read_text(encoding="utf-8"))
    found = {
        one["region"]: one["mean_change"]
        for one in _effects(small_run)
        if one["moved"] == "attenuation map"
        and one["time_point"] == "late"
        and one["motion"] == f"+{pixel:.1f} mm along x"
    }
    assert max(abs(float(str(value))) for value in found.values()) > 0.02
    for region in document["regions"]:
        expected = means["moved"][region["label"]] / means["in place"][region["label"]] - 1.0
        assert found[region["name"]] == pytest.approx(expected, abs=0.02)


def test_the_report_tells_it(small_run: SmallRun) -> None:
    page = (small_run.folder / "report.html").read_text(encoding="utf-8")
    assert "What a misalignment would change" in page
