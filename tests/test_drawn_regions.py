"""Regions drawn as DICOM reach the grid of the SPECT: in its frame or carried from its CT's, with roles as told."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import FileDataset

from leukospect.data import AcquisitionHeader, Geometry, Image
from leukospect.drawn_regions import DrawnOn, open_regions, regions_on_grid
from leukospect.errors import AssumptionWarning, InputError, MissingInformationError, ProtocolError
from leukospect.quantification.measurements import Region
from tests import vendor_volumes as volumes
from tests.command_line import leukospect
from tests.dicom.drawn import FRAME, SERIES, saved, segmentation, structures
from tests.dicom.written import header

GRID = Geometry.axial((30, 36, 60), (-3.0, 4.0, 3.5), (-100.0, -70.0, 100.0), FRAME)
SPECT = replace(header("RECON TOMO"), series_uid="1.2.3.4")
CT = replace(header("CT"), series_uid=SERIES)
OTHER_FRAME = FRAME + ".2"
LESION, REFERENCE = (-40.0, 10.0, 60.0), (40.0, 6.0, 54.0)
TABLE = """
[[region]]
label = 1
name = "plate"
role = "lesion"
reference = "Background_L"

[[region]]
name = "Background_L"
role = "reference"
"""


def body() -> NDArray[np.bool_]:
    outline = np.zeros(GRID.shape, dtype=bool)
    outline[:, 4:30, 4:54] = True
    return outline


def square(centre: tuple[float, float, float], half_mm: float) -> list[NDArray[np.float64]]:
    """Draw a square on planes 3 mm apart, five of them, longer to the left than it is deep."""
    x, y, z = centre
    corners = [(x - half_mm, y - half_mm / 2), (x + half_mm, y - half_mm / 2), (x + half_mm, y + half_mm / 2),
               (x - half_mm, y + half_mm / 2)]  # fmt: skip
    return [np.array([(*corner, z + 3.0 * k) for corner in corners]) for k in (-2, -1, 0, 1, 2)]


def drawn_file(folder: Path, table: str = TABLE, **names: str) -> Path:
    named = {"ROI": "plate?", "other": "Background_L"} | names
    made = structures({named["ROI"]: square(LESION, 14.0), named["other"]: square(REFERENCE, 10.0)})
    if table:
        (folder / "drawn.toml").write_text(table, encoding="utf-8")
    return saved(made, folder)


def put(path: Path, on: DrawnOn | None = None) -> tuple[Image, tuple[Region, ...]]:
    return regions_on_grid(open_regions(path), GRID, on or DrawnOn(SPECT, body=body))


def test_structures_get_their_roles_from_the_table(tmp_path: Path) -> None:
    labels, (plate, background) = put(drawn_file(tmp_path))
    assert (plate.name, plate.role, plate.reference) == ("plate", "lesion", "Background_L")
    assert (background.name, background.role, background.side) == ("Background_L", "reference", "left")
    assert plate.centroid_mm == pytest.approx(LESION, abs=1.75)
    assert background.centroid_mm == pytest.approx(REFERENCE, abs=1.75)
    assert plate.volume_ml == pytest.approx(28 * 14 * 15 / 1000, rel=0.15)
    assert labels.geometry is GRID


def test_a_table_may_choose_among_many_and_says_what_it_leaves(tmp_path: Path) -> None:
    path = drawn_file(tmp_path, '[[region]]\nname = "plate?"\nrole = "lesion"\n')
    with pytest.warns(AssumptionWarning, match=r"does not name 1 of 2 drawn regions \('Background_L'\)"):
        _, regions = put(path)
    assert [region.name for region in regions] == ["plate?", "mirror of plate?"]


def test_without_a_table_each_is_a_lesion_and_this_is_said(tmp_path: Path) -> None:
    path = drawn_file(tmp_path, table="", ROI="focus 1", other="focus 2")
    with pytest.warns(AssumptionWarning, match="each ROI in it .* is taken as a lesion"):
        opened = open_regions(path)
    _, regions = regions_on_grid(opened, GRID, DrawnOn(SPECT, body=body))
    assert [(region.name, region.role) for region in regions[:2]] == [("focus 1", "lesion"), ("focus 2", "lesion")]
    with pytest.raises(MissingInformationError, match=r"'focus 1' of the region file has no reference"):
        regions_on_grid(opened, GRID, DrawnOn(SPECT))


@pytest.mark.parametrize(
    "name", ["Reference", "BKG", "background_muscle", "Iliac marrow", "contralateral femur", "REF2"]
)
def test_a_name_like_a_reference_is_not_guessed_at(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"'{name}' of the region file is named like a reference"):
        open_regions(drawn_file(tmp_path, table="", other=name))


@pytest.mark.filterwarnings("ignore:No table of roles")
@pytest.mark.parametrize("name", ["Refracture", "bgx", "preference", "abnormal uptake"])
def test_other_names_are_taken_as_they_are(name: str, tmp_path: Path) -> None:
    assert open_regions(drawn_file(tmp_path, table="", other=name)).parts[1].name == name


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("label = 1", "label = 4", "there is no ROI 4"),
        ("label = 1", 'label = "1"', "there is no ROI 1"),
        ('name = "Background_L"\nrole', 'name = "liver"\nrole', "no ROI named 'liver'"),
        ('name = "Background_L"\nrole', 'label = 1\nname = "Background_L"\nrole', "another region is as well"),
        ('reference = "Background_L"', 'reference = "liver"', "'plate' is compared with 'liver'"),
        ('role = "reference"', 'role = "ref"', "role must be lesion or reference"),
        ('role = "reference"', "", "lacks the key 'role'"),
        ('role = "reference"', 'role = "reference"\ncolour = 3', "unknown key 'colour'"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(old: str, new: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match=message):
        open_regions(drawn_file(tmp_path, TABLE.replace(old, new, 1)))


def moved_ct() -> NDArray[np.float64]:
    """SPECT to CT: a turn about the patient's axis and a shift, none of it its own inverse."""
    turn = np.deg2rad(8.0)
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    matrix[:3, 3] = (6.0, -9.0, 12.0)
    return matrix


def header_in(frame: str | None, of: AcquisitionHeader) -> AcquisitionHeader:
    return replace(of, frame_of_reference_uid=frame)


@pytest.mark.parametrize(("spect_frame", "spect_series", "carried"), [
    (OTHER_FRAME, "1.2.3.4", True),  # drawn in the CT's frame, which the SPECT does not share
    (FRAME, "1.2.3.4", True),  # one frame, but drawn on the CT's series, which was found to lie off
    (FRAME, SERIES, False),  # drawn on the SPECT
])  # fmt: skip
def test_what_was_drawn_on_the_ct_is_carried_to_the_spect(
    spect_frame: str, spect_series: str, carried: bool, tmp_path: Path
) -> None:
    spect = replace(header_in(spect_frame, SPECT), series_uid=spect_series)
    on = DrawnOn(spect, replace(CT, series_uid="1.9" if not carried else SERIES), moved_ct(), body)
    _, (plate, _) = put(drawn_file(tmp_path), on)
    back = np.linalg.inv(moved_ct()) @ (*LESION, 1.0)
    assert plate.centroid_mm == pytest.approx(back[:3] if carried else LESION, abs=1.75)


def test_another_frame_of_reference_is_refused(tmp_path: Path) -> None:
    on = DrawnOn(header_in(OTHER_FRAME, SPECT), header_in(OTHER_FRAME, CT), np.eye(4), body)
    with pytest.raises(InputError, match=r"The regions of the region file are drawn in another frame of reference"):
        put(drawn_file(tmp_path), on)
    with pytest.warns(AssumptionWarning, match="record no frame of reference"):
        put(drawn_file(tmp_path), DrawnOn(header_in(None, SPECT), body=body))


def test_overlapping_segments_go_to_the_first_and_this_is_said(tmp_path: Path) -> None:
    mask = np.zeros((12, 8), dtype=bool)
    mask[2:9, 1:7] = True
    frames = [(segment, (-50.0 + 3 * segment, 0.0, 60.0 + 4 * k), mask) for segment in (1, 2) for k in range(4)]
    path = saved(segmentation(frames, {1: "a", 2: "b"}), tmp_path)
    with pytest.warns(AssumptionWarning) as said:
        labels, (first, second, *_) = put(path)
    assert any("'a' and 'b' overlap" in str(one.message) for one in said)
    assert first.volume_ml == pytest.approx(7 * 2 * 6 * 3 * 16 / 1000, rel=0.15)
    assert second.volume_ml < 0.4 * first.volume_ml
    assert labels.array.max() == 4


STILL = ("--set", "registration.enabled=false", "--set", "registration.sensitivity=false", "--set",
         "metal.enabled=false", "--threads", "1")  # fmt: skip


def sphere(centre: NDArray[np.float64], radius_mm: float) -> list[NDArray[np.float64]]:
    """Draw a sphere on planes 2.5 mm apart."""
    t = np.linspace(0.0, 2 * np.pi, 60, endpoint=False)
    made = []
    for z in np.arange(-radius_mm + 0.5, radius_mm, 2.5):
        r = np.sqrt(radius_mm**2 - z**2)
        made.append(
            np.stack((centre[0] + r * np.cos(t), centre[1] + r * np.sin(t), np.full_like(t, centre[2] + z)), -1)
        )
    return made


def vendor_study(folder: Path) -> tuple[Path, FileDataset]:
    """Write two times as a camera reconstructed them, of one patient in one frame of reference."""
    volumes.make_study(folder, "recon tomo")
    return folder, dcmread(next(folder.rglob("*.dcm")))


def of_patient(made: FileDataset, scan: FileDataset) -> FileDataset:
    made.PatientID, made.PatientName = scan.get("PatientID", ""), scan.get("PatientName", "")
    for structure in made.get("StructureSetROISequence", []):
        structure.ReferencedFrameOfReferenceUID = volumes.FRAME
    if "FrameOfReferenceUID" in made:
        made.FrameOfReferenceUID = volumes.FRAME
    return made


def test_contours_among_the_images_give_the_ratios_that_are_true(tmp_path: Path) -> None:
    study, scan = vendor_study(tmp_path / "study")
    made = structures({"plate": sphere(volumes.LESION_MM, volumes.RADIUS_MM),
                       "marrow": sphere(volumes.MARROW_MM, volumes.RADIUS_MM)})  # fmt: skip
    path = saved(of_patient(made, scan), study)
    (study / "drawn.toml").write_text(TABLE.replace("Background_L", "marrow"))
    said = leukospect("run", study, "-o", tmp_path / "out", "--regions", path, *STILL)
    assert said.code == 0, said.stderr
    assert "RT Structure Set" not in said.stderr  # it is no unused file
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    for ratio in results["ratios"]:
        hours = min(volumes.RATIO, key=lambda one: abs(one - ratio["hours"]))
        assert ratio["ratio"]["value"] == pytest.approx(volumes.RATIO[hours], rel=0.03)
    assert len(results["ratios"]) == 2
    assert results["regions"][0]["centroid_mm"] == pytest.approx(volumes.LESION_MM.tolist(), abs=1.5)


@pytest.mark.parametrize(("name", "told"), [("left plate", True), ("right plate", False), ("plate left right", False)])
def test_a_name_that_says_the_other_side_is_told(name: str, told: bool, tmp_path: Path) -> None:
    x, y, z = LESION
    text = (
        f'[[region]]\nname = "{name}"\nrole = "lesion"\nsphere = [{{ center_mm = [{x}, {y}, {z}], radius_mm = 12 }}]\n'
    )
    (tmp_path / "regions.toml").write_text(text, encoding="utf-8")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AssumptionWarning)
        regions_on_grid(open_regions(tmp_path / "regions.toml"), GRID, DrawnOn(SPECT, body=body))
    assert any("lies on the patient's right" in str(one.message) for one in caught) == told


def test_files_that_cannot_be_used_end_a_run_with_one_sentence(tmp_path: Path) -> None:
    study, scan = vendor_study(tmp_path / "study")
    mask = np.zeros((12, 8), dtype=bool)
    mask[2:9, 1:7] = True
    frames = [(1, (20.0, 0.0, 180.0 + 4 * k), mask) for k in range(6)]

    def refused(made: FileDataset) -> str:
        said = leukospect("run", study, "-o", tmp_path / "out", "--regions", saved(made, tmp_path), *STILL)
        assert (said.code, said.stderr.splitlines()[-1].startswith("leukospect: ")) == (3, True)
        assert not (tmp_path / "out").exists()
        return said.stderr.splitlines()[-1]

    other = of_patient(segmentation(frames, {1: "focus"}), scan)
    other.PatientID, other.PatientName = "PH-2", "OTHER^PHANTOM"
    assert "2 patients" in refused(other)
    broken = of_patient(segmentation(frames, {1: "focus"}), scan)
    del broken.SegmentSequence
    assert "Segment Sequence" in refused(broken)
    elsewhere = of_patient(segmentation(frames, {1: "focus"}), scan)
    elsewhere.FrameOfReferenceUID = OTHER_FRAME
    assert "another frame of reference" in refused(elsewhere)
    line = of_patient(structures({"focus": [sphere(volumes.LESION_MM, 9.0)[0][:2]]}), scan)
    assert "has 2 points" in refused(line)
