"""The algorithms of `recon`, from the command line down: what they write, what they refuse, and the unit they keep."""

from __future__ import annotations

import csv
import json
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread

from leukospect.data import Image, Projections
from leukospect.errors import AssumptionWarning, InputError
from leukospect.filtered_backprojection import Window
from leukospect.photopeaks import PeakShare, PhotopeakCounts
from leukospect.physics.collimators import find_collimator
from leukospect.physics.nuclides import nuclide
from leukospect.projector import reconstruction_geometry, spect_projector, system_model, views_of_counts
from leukospect.spect_algorithms import Penalised, QuickLook, ReconstructionLog
from leukospect.spect_study import Reconstructor, prepare_reconstruction
from tests.command_line import leukospect
from tests.spot_acquisition import acquisition, orbit

FEW = ("--iterations", 2)


def _volume(folder: Path) -> NDArray[np.float64]:
    return np.asarray(nib.load(folder / "recon.nii.gz").get_fdata(), np.float64)


def _rows(folder: Path) -> list[dict[str, float]]:
    with (folder / "objective.csv").open(encoding="utf-8") as stream:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(stream)]


def test_map_writes_its_image_its_objective_and_its_passes(small_spect: Path, tmp_path: Path) -> None:
    said = leukospect("recon", small_spect, "-o", tmp_path / "map", "--algorithm", "map", "--passes", 8, "--objective")
    assert said.code == 0, said.stderr
    rows = _rows(tmp_path / "map")
    assert list(rows[0]) == ["pass", "objective", "log_likelihood"]
    assert [row["pass"] for row in rows] == [1, 4, 5, 7]
    assert rows[-1]["objective"] > rows[0]["objective"]
    assert all(row["objective"] < row["log_likelihood"] for row in rows)
    notes = json.loads((tmp_path / "map" / "provenance.json").read_text())
    assert notes["notes"]["passes over all views"] == 8
    assert notes["settings"]["reconstruction"]["algorithm"] == "map"
    osem = leukospect("recon", small_spect, "-o", tmp_path / "osem", "--objective")
    assert osem.code == 0, osem.stderr
    rows = _rows(tmp_path / "osem")
    assert [row["pass"] for row in rows] == [1, 2, 3, 4, 5]
    assert np.all(np.diff([row["objective"] for row in rows]) > 0)
    assert all(row["objective"] == row["log_likelihood"] for row in rows)
    smooth, rough = _volume(tmp_path / "map"), _volume(tmp_path / "osem")
    assert smooth.min() >= 0
    assert smooth.sum() == pytest.approx(rough.sum(), rel=0.06)
    assert np.abs(np.diff(smooth, axis=2)).mean() < 0.7 * np.abs(np.diff(rough, axis=2)).mean()


def test_recording_the_objective_changes_nothing_and_is_off_unless_asked(small_spect: Path, tmp_path: Path) -> None:
    for name, options in (("with", ("--objective",)), ("without", ())):
        assert leukospect("recon", small_spect, "-o", tmp_path / name, *FEW, *options).code == 0
    np.testing.assert_array_equal(_volume(tmp_path / "with"), _volume(tmp_path / "without"))
    assert not (tmp_path / "without" / "objective.csv").exists()


def test_mlem_is_osem_with_one_subset(small_spect: Path, tmp_path: Path) -> None:
    assert leukospect("recon", small_spect, "-o", tmp_path / "mlem", *FEW, "--algorithm", "mlem").code == 0
    assert leukospect("recon", small_spect, "-o", tmp_path / "osem", *FEW, "--subsets", 1).code == 0
    np.testing.assert_array_equal(_volume(tmp_path / "mlem"), _volume(tmp_path / "osem"))


def test_fbp_says_what_it_is_and_its_dicom_holds_the_same_values(small_spect: Path, tmp_path: Path) -> None:
    said = leukospect("recon", small_spect, "-o", tmp_path / "fbp", "--algorithm", "fbp")
    assert said.code == 0, said.stderr
    assert "quick look" in said.stderr
    volume = _volume(tmp_path / "fbp")
    assert volume.min() < 0
    dataset = dcmread(tmp_path / "fbp" / "dicom" / "recon.dcm")
    assert dataset.pixel_array.size == volume.size
    assert leukospect("recon", small_spect, "-o", tmp_path / "osem", *FEW).code == 0
    assert volume.sum() == pytest.approx(_volume(tmp_path / "osem").sum(), rel=0.1)


def test_fbp_needs_no_collimator(small_spect: Path, tmp_path: Path) -> None:
    dataset = dcmread(small_spect)
    for detector in dataset.DetectorInformationSequence:
        detector.CollimatorGridName = "UNHEARD OF"
    dataset.save_as(tmp_path / "scan.dcm")
    assert leukospect("recon", tmp_path / "scan.dcm", "-o", tmp_path / "osem", *FEW).code == 3
    said = leukospect("recon", tmp_path / "scan.dcm", "-o", tmp_path / "fbp", "--algorithm", "fbp")
    assert said.code == 0, said.stderr


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--algorithm", "fbp", "--objective"), "--objective"),
        (("--algorithm", "osem", "--subsets", 61), "61 subsets"),
        (("--algorithm", "map", "--passes", 4), "passes"),
        (("--algorithm", "map", "--penalty-strength", -1), "penalty-strength"),
        (("--algorithm", "map", "--penalty-strength", "nan"), "penalty-strength"),
    ],
)
def test_what_cannot_be_is_refused(small_spect: Path, tmp_path: Path, options: tuple[object, ...], word: str) -> None:
    said = leukospect("recon", small_spect, "-o", tmp_path / "out", *options)
    assert said.code == 3
    assert word in said.stderr
    assert not (tmp_path / "out").exists()


HALF_LIFE_S = nuclide("Tc-99m").half_life_s


def _decaying(views: int = 60) -> tuple[Projections, NDArray[np.float32]]:
    """Views of a cylinder of 1 count/s/mL, off the middle, counted for ever longer while half of it decays."""
    random = np.random.default_rng(3)
    empty = acquisition(
        orbit(33.0, "CW", views), (5, 32), (7.0, 5.0),
        duration_s=random.uniform(5, 60, views), start_s=np.linspace(0, HALF_LIFE_S, views),
    )  # fmt: skip
    places = (np.arange(32) - 15.5) * 5.0
    y, x = np.meshgrid(places, places, indexing="ij")
    body = np.clip((45.0 - np.hypot(x - 10, y + 6)) / 5.0 + 0.5, 0, 1).astype(np.float32)
    truth = np.repeat(body[:, :, None], 5, axis=2)
    projector = spect_projector(empty, None, None, 0.0, threads=1)
    counts = system_model(projector, empty, HALF_LIFE_S).forward(projector.support.runs(truth))
    filled = acquisition(
        empty.orbit.angles_deg, (5, 32), (7.0, 5.0), counts=counts.transpose(0, 2, 1)[None, :, ::-1],
        duration_s=empty.view_duration_s, start_s=empty.view_start_s,
    )  # fmt: skip
    return filled, truth


def _peak(projections: Projections, scatter: NDArray[np.float32] | None = None) -> PhotopeakCounts:
    counts = views_of_counts(projections.counts[0])
    if scatter is not None:
        counts = counts + scatter
    return PhotopeakCounts(counts, scatter, "none", nuclide("Tc-99m"), (PeakShare(140.5, 1.0, 0),))


@pytest.mark.parametrize("scattered", [False, True])
@pytest.mark.parametrize("method", [Penalised(0.001), QuickLook(Window("hann", 0.8)), None], ids=["map", "fbp", "osem"])
def test_duration_decay_and_scatter_are_taken_out(method: Penalised | QuickLook | None, scattered: bool) -> None:
    projections, truth = _decaying()
    scatter = np.full((60, 32, 5), 2.0, np.float32) if scattered else None
    peak = _peak(projections, scatter)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        made: Reconstructor = prepare_reconstruction(
            projections, peak, None, None, subsets=6, iterations=4, method=method, threads=1
        )
    image = made.image(peak)
    assert image.unit == "counts/s/mL"
    places = (np.arange(32) - 15.5) * 5.0
    middle = np.hypot(places[None, :] - 10, places[:, None] + 6) < 30
    assert float(np.asarray(image.array)[:, middle].mean()) == pytest.approx(1.0, abs=0.015)
    total = float(np.asarray(image.array).sum(dtype=np.float64))
    assert total == pytest.approx(float(truth.sum()), rel=0.02)


def test_fbp_has_no_objective() -> None:
    projections, _ = _decaying(30)
    peak = _peak(projections)
    with pytest.warns(AssumptionWarning, match="quick look"):
        made = prepare_reconstruction(projections, peak, None, None, subsets=1, method=QuickLook(), threads=1)
    with pytest.raises(InputError, match="no objective"):
        made.image(peak, log=ReconstructionLog(measure=True))


def test_fbp_of_resampled_counts_is_another_image() -> None:
    projections, _ = _decaying(30)
    peak = _peak(projections)
    with pytest.warns(AssumptionWarning):
        made = prepare_reconstruction(projections, peak, None, None, subsets=1, method=QuickLook(), threads=1)
    twice = made.image(peak, counts=2 * peak.counts)
    np.testing.assert_allclose(np.asarray(twice.array, np.float32), 2 * np.asarray(made.image(peak).array), atol=1e-3)


@pytest.mark.parametrize("method", [None, Penalised(0.003, passes=8)], ids=["osem", "map"])
@pytest.mark.parametrize("subsets", [7, 16, 60])
def test_subsets_need_not_divide_the_views(subsets: int, method: Penalised | None) -> None:
    projections, truth = _decaying()
    made = prepare_reconstruction(
        projections, _peak(projections), None, None, subsets=subsets, iterations=3, method=method, threads=1
    )
    array = np.asarray(made.image(_peak(projections)).array)
    assert array.min() >= 0
    assert float(array[truth.transpose(2, 0, 1) == 1.0].mean()) == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("method", [Penalised(0.01, passes=6), QuickLook()], ids=["map", "fbp"])
def test_the_same_bits_for_any_number_of_threads_with_attenuation_and_response(method: Penalised | QuickLook) -> None:
    views = 24
    empty = acquisition(orbit(10.0, "CC", views), (6, 32), (7.0, 5.0), radii_mm=np.full(views, 60.0))
    counts = np.random.default_rng(7).poisson(20.0, (1, views, 6, 32)).astype(np.float32)
    projections = acquisition(empty.orbit.angles_deg, (6, 32), (7.0, 5.0), counts=counts, radii_mm=empty.orbit.radii_mm)
    geometry = reconstruction_geometry(projections)
    mu = Image(np.full(geometry.shape, 0.05, np.float32), geometry, "1/cm")
    images = []
    for threads in (1, 2, 5):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AssumptionWarning)
            made = prepare_reconstruction(
                projections, _peak(projections), mu, find_collimator("LEHR", "Siemens"), subsets=4, method=method,
                threads=threads,
            )  # fmt: skip
        images.append(np.asarray(made.image(_peak(projections)).array))
    for image in images[1:]:
        np.testing.assert_array_equal(image, images[0])
