"""Projections and images made by others, taken through the command line."""

from __future__ import annotations

import json
import warnings
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import binary_erosion, binary_fill_holes, gaussian_filter

from leukospect.data import Image
from leukospect.errors import AssumptionWarning
from leukospect.files.interfile import read_interfile
from leukospect.photopeaks import photopeak_counts
from leukospect.spect_study import log_likelihood, prepare_reconstruction
from tests.command_line import Float64, Volume, leukospect, volume

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def iec(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Volume:
    source, out = real_data / "spect_monte_carlo" / "iec", tmp_path_factory.mktemp("iec") / "out"
    said = leukospect("recon", source / "tomo.dcm", "--ct", source / "ct", "-o", out)
    assert said.code == 0, said.stderr
    return volume(out / "recon.nii.gz")


@pytest.fixture(scope="module")
def truth(real_data: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((real_data / "spect_monte_carlo" / "iec" / "truth.json").read_text())
    return document


def test_the_background_is_the_true_one(iec: Volume, truth: dict[str, Any], real_data: Path) -> None:
    true = volume(real_data / "spect_monte_carlo" / "iec" / "truth_counts_per_s_per_ml.nii.gz")
    places = iec.places_mm()
    indices = np.rint((places - true.affine[:3, 3]) @ np.linalg.inv(true.affine[:3, :3]).T).astype(int)
    inside = np.all((indices >= 0) & (indices < true.array.shape), axis=-1)
    body = np.zeros(iec.array.shape, dtype=bool)
    body[inside] = true.array[tuple(indices[inside].T)] > 0.5
    plain = binary_erosion(body, iterations=6)  # 29 mm from the edge
    for x, y, z, diameter in truth["spheres_lps_mm_diameter"]:
        plain &= ~iec.near((x, y, z), diameter / 2 + 20)
    assert plain.sum() > 5000
    assert iec.array[plain].mean() == pytest.approx(truth["background"], rel=0.04)


def _filling(image: Volume, centre: Float64, radius_mm: float) -> Float64:
    """Give the part of each voxel that lies in a sphere, from 125 points in it."""
    filled = np.zeros(image.array.shape)
    near = image.near(centre, radius_mm + 10)
    places = image.places_mm()[near]
    for offset in product((np.arange(5) - 2) / 5, repeat=3):
        filled[near] += np.linalg.norm(places + image.affine[:3, :3] @ offset - centre, axis=-1) < radius_mm
    return filled / 125


def test_the_spheres_are_recovered_at_their_places(iec: Volume, truth: dict[str, Any]) -> None:
    hot = truth["background"] * truth["ratio"]
    expected = {37: 0.88, 28: 0.82, 22: 0.72}
    for x, y, z, diameter in truth["spheres_lps_mm_diameter"]:
        centre = np.array([x, y, z])
        filling = _filling(iec, centre, diameter / 2)
        recovery = (iec.array * filling).sum() / filling.sum() / hot
        assert expected.get(diameter, 0.2) <= recovery < 1.1, diameter
        excess = np.where(iec.near(centre, diameter / 2 + 8), np.maximum(iec.array - 1.5 * truth["background"], 0), 0)
        centroid = (excess[..., None] * iec.places_mm()).sum(axis=(0, 1, 2)) / excess.sum()
        assert np.abs(centroid - centre).max() <= 2.4, diameter  # half a voxel


def test_interfile_projections_become_an_image(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "spect_monte_carlo" / "input.hs"
    said = leukospect("recon", source, "--no-resolution", "-o", tmp_path / "out", "--iterations", 2)
    assert said.code == 0, said.stderr
    assert "axis is taken" in said.stderr
    image = volume(tmp_path / "out" / "recon.nii.gz")
    assert sorted(image.array.shape) == [64, 128, 128]
    assert np.all(np.isfinite(image.array))
    assert image.array.min() >= 0 < image.array.max()


def _likelihood(source: Path, start_angle_deg: float | None, direction: str | None) -> float:
    """Give the log-likelihood of a reading, with an even attenuation inside the body that it shows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        projections = read_interfile(source, start_angle_deg=start_angle_deg, direction=direction)
        peak = photopeak_counts(projections)
    plain = prepare_reconstruction(projections, peak, None, None, iterations=2).image(peak)
    array = np.asarray(plain.array, np.float64)
    smooth = gaussian_filter(array, 2)
    body = np.stack([binary_fill_holes(part) for part in smooth > 0.12 * float(np.percentile(array, 99.5))])
    mu = Image((0.12 * body).astype(np.float32), plain.geometry, "1/cm")
    model = prepare_reconstruction(projections, peak, mu, None, iterations=2)
    return log_likelihood(model, model.image(peak), peak)


def test_the_reading_taken_of_interfile_explains_the_counts_better(real_data: Path) -> None:
    source = real_data / "spect_monte_carlo" / "input.hs"
    taken = _likelihood(source, None, None)
    assert taken > _likelihood(source, None, "cc") + 10_000
    # A circular orbit over a whole turn looks alike from any start: the image turns, the likelihood cannot tell.
    assert _likelihood(source, 90.0, None) == pytest.approx(taken, rel=1e-6)


def test_inspect_tells_what_is_in_the_nm_folder(real_data: Path) -> None:
    said = leukospect("inspect", real_data / "nm", "--json")
    assert said.code == 0
    found = json.loads(said.stdout)["acquisitions"]
    assert sorted(one["kind"] for one in found) == ["RECON TOMO", "STATIC", "STATIC", "STATIC"]
    [recon] = [one for one in found if one["kind"] == "RECON TOMO"]
    assert (recon["slices"], recon["matrix"], recon["spacing_mm"]) == (45, [128, 128], [4.13, 4.13, 4.13])
    assert {tuple(one["matrix"]) for one in found if one["kind"] == "STATIC"} == {(256, 256), (512, 512)}


def test_inspect_tells_what_is_in_the_ct_pet_folder(real_data: Path) -> None:
    said = leukospect("inspect", real_data / "ct_pet", "--json")
    assert said.code == 0
    by_kind = {one["kind"]: one for one in json.loads(said.stdout)["acquisitions"]}
    assert sorted(by_kind) == ["CT", "PET"]
    assert (by_kind["CT"]["slices"], by_kind["PET"]["slices"]) == (59, 59)
    assert by_kind["CT"]["spacing_mm"] == pytest.approx([3.27, 0.9766, 0.9766], rel=1e-3)
    assert by_kind["PET"]["spacing_mm"] == pytest.approx([3.27, 4.6875, 4.6875], rel=1e-3)
    assert by_kind["PET"]["nuclide"] == "F-18"


def test_a_reconstruction_made_by_others_is_no_projections(real_data: Path, tmp_path: Path) -> None:
    said = leukospect("recon", real_data / "nm" / "mediso_jaszczak_recon_tomo.dcm", "-o", tmp_path / "out")
    assert (said.code, said.stderr.count("\n")) == (3, 1)
    assert not (tmp_path / "out").exists()
