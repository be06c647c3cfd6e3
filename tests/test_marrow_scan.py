"""A marrow scan from the files to the flag: incongruent is positive, congruent negative, and both are told apart."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from leukospect.data import CtSeries, Projections, Study
from leukospect.errors import AssumptionWarning
from leukospect.pipeline import run_study
from leukospect.protocol import load_protocol
from tests.coarse_phantoms import write_coarse
from tests.coarse_studies import FAST, part_of, run, simulated
from tests.command_line import leukospect, volume

LESIONS = ("right neck", "right stem, medial", "right stem, lateral")


@pytest.fixture(scope="module")
def incongruent(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Path]:
    return simulated("hip-prosthesis-marrow", tmp_path_factory.mktemp("hip"), without=("delayed",))


def flags(study: Study, regions: Path, rule: str = "marrow-discordance") -> dict[str, str]:
    flag = run(study, regions, rule).flag
    return {"study": flag.flag, **{lesion.lesion: lesion.flag for lesion in flag.lesions}}


def test_leukocytes_without_colloid_are_positive_and_normal_marrow_is_not(incongruent: tuple[Study, Path]) -> None:
    found = flags(*incongruent)
    assert found["study"] == "positive"
    assert [found[lesion] for lesion in LESIONS] == ["positive"] * 3
    assert found["left trochanter"] == "negative"


def test_displaced_marrow_is_negative(tmp_path: Path) -> None:
    found = flags(*simulated("hip-prosthesis-marrow-congruent", tmp_path, only=("SPECT",), without=("delayed",)))
    assert set(found.values()) == {"negative"}


def test_without_the_marrow_scan_nothing_is_assessed(incongruent: tuple[Study, Path]) -> None:
    study, regions = part_of(incongruent[0], Projections), incongruent[1]
    cells = [one for one in study.acquisitions if "colloid" not in _compound(one)]
    assert set(flags(Study(tuple(cells)), regions).values()) == {"not assessable"}


def _compound(acquisition: object) -> str:
    injected = getattr(getattr(acquisition, "header"), "radiopharmaceutical")  # noqa: B009
    return "" if injected is None else injected.name


def test_a_marrow_scan_without_a_ct_is_measured_all_the_same(incongruent: tuple[Study, Path]) -> None:
    study, regions = incongruent
    assert flags(part_of(study, Projections), regions)["study"] == "positive"


def test_attenuation_that_is_corrected_in_one_of_the_two_only_is_told(incongruent: tuple[Study, Path]) -> None:
    study, regions = incongruent
    frame = study.projections[-1].header.frame_of_reference_uid
    some = [
        one
        for one in study.acquisitions
        if not (isinstance(one, CtSeries) and one.header.frame_of_reference_uid == frame)
    ]
    settings = [*FAST, "uncertainty.replicates=0", "reconstruction.iterations=1", "rule=marrow-discordance"]
    protocol = load_protocol("tc99m-hmpao-spect-ct", settings)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AssumptionWarning)
        run_study(Study(tuple(some)), protocol, regions_file=regions)
    assert any("one of leukocytes and colloid only" in str(one.message) for one in caught)


@pytest.mark.parametrize(
    ("variant", "built"), [("hip-prosthesis-marrow", "positive"), ("hip-prosthesis-marrow-congruent", "negative")]
)
def test_planar_leukocytes_and_planar_colloid_are_compared(variant: str, built: str, tmp_path: Path) -> None:
    result = run(*simulated(variant, tmp_path, only=("PLANAR",)), "marrow-discordance")
    assert result.flag.flag == built
    flags = {lesion.lesion: lesion.flag for lesion in result.flag.lesions}
    assert flags == {**dict.fromkeys(LESIONS, built), "left trochanter": "negative"}
    assert {lesion.modality for lesion in result.flag.lesions} == {"planar anterior"}
    assert result.marrow is not None
    assert {ratio.modality for ratio in result.marrow.ratios} >= {"planar anterior", "planar posterior"}


def test_counted_at_once_from_dicom_to_the_report(tmp_path: Path) -> None:
    path = write_coarse("hip-prosthesis-dual-isotope", tmp_path)
    assert leukospect("phantom", "make", path, "-o", tmp_path / "made").code == 0
    assert {one.name for one in (tmp_path / "made" / "truth").iterdir()} == {
        "01-24.0h-spect-activity.nii.gz".replace("-spect", ""),
        "01-24.0h-colloid-activity.nii.gz",
    }
    settings = [part for text in (*FAST, "rule=marrow-discordance") for part in ("--set", text)]
    out = tmp_path / "run"
    said = leukospect("run", tmp_path / "made" / "study", "-o", out, "--regions", tmp_path / "made" / "regions.toml",
                      "--protocol", "in111-oxine-spect-ct", *settings)  # fmt: skip
    assert said.code == 0, said.stderr
    assert said.stdout.startswith("Flag: positive (rule marrow-discordance")
    assert "In-111 was counted together with Tc-99m" in said.stderr
    document = json.loads((out / "results.json").read_text())
    assert document["rule"]["published_per_cent"] == {"sensitivity": 100.0, "specificity": 91.0, "accuracy": 95.0}
    marrow = document["marrow"]
    assert marrow["nuclide"] == "Tc-99m"
    assert {one["time_point"] for one in document["measurements"]} == {"late"}  # the colloid's are apart
    assert {one["hours"] for one in marrow["measurements"]} == {0.5}
    assert {one["lesion"] for one in marrow["discordance"]} == {*LESIONS, "left trochanter"}
    page = (out / "report.html").read_text()
    assert "<h2>Marrow scan</h2>" in page
    assert page.count("Marrow scan: ") >= 2
    cells, colloid = volume(out / "recon.nii.gz"), volume(out / "marrow" / "recon.nii.gz")
    np.testing.assert_array_equal(cells.affine, colloid.affine)
    stem, trochanter = cells.near((-105.0, 5.0, 80.0), 12.0), cells.near((125.0, 10.0, 100.0), 12.0)
    assert cells.array[stem].mean() > cells.array[trochanter].mean()
    assert colloid.array[stem].mean() < 0.1 * colloid.array[trochanter].mean()
