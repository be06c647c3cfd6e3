"""Points at known places, written as DICOM in many ways, must be read where the data types say they are."""

from __future__ import annotations

import copy
import itertools
import re
from typing import Any

import numpy as np
import pytest
from pydicom.sequence import Sequence

from leukospect.data import Projections
from leukospect.dicom.read.nm import nm_acquisition
from leukospect.dicom.read.tomo import ToldOrbit, read_tomo
from leukospect.errors import GeometryError, InputError
from tests.dicom.acquisitions import Tomo, nm_dataset

POINT = (31.0, -22.0, 17.0)


def read(tomo: Tomo) -> Projections:
    acquisition = nm_acquisition(tomo.dataset(), [])
    assert isinstance(acquisition, Projections)
    return acquisition


def check_every_view(projections: Projections, point: tuple[float, float, float] = POINT) -> None:
    """The centroid of each view lies where orbit, axis, offset and first row put the point."""
    rows, columns = projections.counts.shape[2:]
    offsets = projections.orbit.centre_offset_mm
    t = np.deg2rad(projections.orbit.angles_deg)
    x, y = point[0] - projections.axis_mm[0], point[1] - projections.axis_mm[1]
    across = -np.cos(t) * x + np.sin(t) * y + (0.0 if offsets is None else offsets)
    expected_column = (columns - 1) / 2 + across / projections.pixel_mm[1]
    expected_row = (projections.first_row_z_mm - point[2]) / projections.pixel_mm[0]
    for window in projections.counts:
        totals = window.sum(axis=(1, 2))
        row = (window.sum(axis=2) @ np.arange(rows)) / totals
        column = (window.sum(axis=1) @ np.arange(columns)) / totals
        np.testing.assert_allclose(row, expected_row, atol=2e-3)
        np.testing.assert_allclose(column, expected_column, atol=2e-3)


@pytest.mark.parametrize("start", [0.0, 72.0, 180.0, 270.0])
@pytest.mark.parametrize("direction", ["CC", "CW"])
@pytest.mark.parametrize("angles_of", ["head", "rotation"])
def test_points_are_read_at_their_place(start: float, direction: str, angles_of: str) -> None:
    projections = read(Tomo(start_angles_deg=(start,), direction=direction, angles_of=angles_of))
    check_every_view(projections)
    sense = 30.0 if direction == "CC" else -30.0
    np.testing.assert_allclose(projections.orbit.angles_deg, (start + sense * np.arange(12)) % 360.0)
    assert projections.header.assumptions == ()
    assert projections.first_row_z_mm == pytest.approx(63.0)


@pytest.mark.parametrize("order", list(itertools.permutations(("window", "head", "view"))))
def test_any_frame_order_gives_the_same_projections(order: tuple[str, ...]) -> None:
    tomo = Tomo(start_angles_deg=(180.0, 0.0), windows=3, views=6, frame_order=order)
    projections = read(tomo)
    assert projections.counts.shape == (3, 12, 24, 40)
    np.testing.assert_array_equal(projections.counts, tomo.counts().reshape(3, 12, 24, 40))
    check_every_view(projections)


def test_frames_in_no_order_at_all_are_found_by_their_vectors() -> None:
    tomo = Tomo(start_angles_deg=(90.0, 270.0), windows=2, views=6)
    dataset = tomo.dataset()
    shuffled = np.random.default_rng(3).permutation(24)
    for keyword in ("EnergyWindowVector", "DetectorVector", "RotationVector", "AngularViewVector"):
        setattr(dataset, keyword, [dataset[keyword].value[frame] for frame in shuffled])
    dataset.PixelData = np.frombuffer(dataset.PixelData, np.uint16).reshape(24, 24, 40)[shuffled].tobytes()
    projections = read_tomo(dataset, [])
    np.testing.assert_array_equal(projections.counts, tomo.counts().reshape(2, 12, 24, 40))


@pytest.mark.parametrize("gantry", ["FFS", "HFP", "FFP"])
@pytest.mark.parametrize("direction", ["CC", "CW"])
@pytest.mark.parametrize("start", [180.0, 65.0])
def test_the_gantrys_angles_are_turned_into_the_patients(gantry: str, direction: str, start: float) -> None:
    tomo = Tomo(gantry=gantry, direction=direction, start_angles_deg=(start, start + 180.0), centre_offset_mm=3.0)
    projections = read(tomo)
    check_every_view(projections)
    assert projections.orbit.angles_deg[0] == pytest.approx(start)
    assert any("gantry's" in sentence for sentence in projections.header.assumptions)


def test_a_gantry_reading_is_refused_where_the_patient_lay_otherwise() -> None:
    with pytest.raises(GeometryError, match="contradicts"):
        nm_acquisition(Tomo(gantry="FFS", elements={"PatientPosition": "HFS"}).dataset(), [])


def test_orientations_that_fit_nothing_are_refused_unless_the_angles_are_told() -> None:
    dataset = Tomo().dataset()
    dataset.DetectorInformationSequence[0].ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    with pytest.raises(GeometryError, match="--start-angle-deg"):
        read_tomo(dataset, [])
    told = read_tomo(dataset, [], (), ToldOrbit((0.0, 0.0), 180.0, "cc"))
    assert told.orbit.angles_deg[1] == pytest.approx(210.0)


@pytest.mark.parametrize(("apart_deg", "said"), [(0.0, False), (0.5, False), (2.0, True), (4.0, True)])
def test_a_start_angle_a_little_off_its_orientation_is_said(apart_deg: float, said: bool) -> None:
    dataset = Tomo().dataset()
    [head] = dataset.DetectorInformationSequence
    head.StartAngle = 180.0 + apart_deg
    sentences: list[str] = []
    assert read_tomo(dataset, sentences).orbit.angles_deg[0] == pytest.approx(180.0 + apart_deg)
    assert any("differ by" in sentence for sentence in sentences) is said


@pytest.mark.parametrize("apart_deg", [6.0, -10.0, 15.0])
def test_a_start_angle_far_off_its_orientation_is_refused(apart_deg: float) -> None:
    dataset = Tomo().dataset()
    dataset.DetectorInformationSequence[0].StartAngle = 180.0 + apart_deg
    with pytest.raises(GeometryError, match="contradicts"):
        read_tomo(dataset, [])


@pytest.mark.parametrize("cosines", [[2, 0, 0, 0, 0, -2], [1, 0, 0, 0.6, 0, -0.8], [1, 0, 0, 0, 0, -0.9]])
def test_an_orientation_that_is_none_is_refused(cosines: list[float]) -> None:
    dataset = Tomo().dataset()
    dataset.DetectorInformationSequence[0].ImageOrientationPatient = cosines
    with pytest.raises(GeometryError, match="length 1"):
        read_tomo(dataset, [])


def test_without_a_duration_rates_are_said_to_be_unknown() -> None:
    dataset = Tomo().dataset()
    assert read_tomo(dataset, []).duration_recorded
    for missing in (0, None):
        dataset.RotationInformationSequence[0].ActualFrameDuration = missing
        said: list[str] = []
        assert not read_tomo(dataset, said).duration_recorded
        assert any("counts per view" in sentence for sentence in said)


@pytest.mark.parametrize(("kind", "words"), [("FANB", "fan beam"), ("PINH", "pinhole"), ("CONE", "cone beam")])
def test_rays_that_are_not_parallel_are_refused(kind: str, words: str) -> None:
    dataset = Tomo().dataset()
    for parallel in ("PARA", "UNKN", None):
        dataset.DetectorInformationSequence[0].CollimatorType = parallel
        assert read_tomo(dataset, []).counts.any()
    dataset.DetectorInformationSequence[-1].CollimatorType = kind
    with pytest.raises(InputError, match=words):
        read_tomo(dataset, [])


@pytest.mark.parametrize(
    ("keyword", "value", "words"),
    [("RadialPosition", 18.0, "in cm"), ("ActualFrameDuration", 72_000_000, "implausibly long")],
)
def test_values_that_look_like_another_unit_are_said(keyword: str, value: float, words: str) -> None:
    tomo = Tomo(angles_of="rotation", positions=False)
    dataset = tomo.dataset()
    setattr(dataset.RotationInformationSequence[0], keyword, value)
    said: list[str] = []
    read_tomo(dataset, said)
    assert any(words in sentence for sentence in said)


@pytest.mark.parametrize(("position", "sentences"), [("HFS", 2), ("HFDR", 3), ("", 3)])
def test_how_the_patient_lay_is_said_where_nothing_shows_it(position: str, sentences: int) -> None:
    dataset = Tomo(positions=False).dataset()
    dataset.PatientPosition = position
    said: list[str] = []
    read_tomo(dataset, said)
    assert len(said) == sentences


@pytest.mark.parametrize(("step_deg", "said"), [(30.0, False), (15.0, False), (10.0, True)])
def test_an_arc_of_less_than_half_a_turn_is_said(step_deg: float, said: bool) -> None:
    projections = read(Tomo(step_deg=step_deg, views=12))
    assert any("degrees only" in sentence for sentence in projections.header.assumptions) is said


def test_an_axis_off_the_isocentre_is_found() -> None:
    projections = read(Tomo(axis_mm=(-7.5, 12.25), start_angles_deg=(180.0, 0.0), views=6))
    assert projections.axis_mm == pytest.approx((-7.5, 12.25), abs=1e-4)
    check_every_view(projections)


def test_without_a_radius_the_axis_is_known_across_the_columns_only() -> None:
    projections = read(Tomo(axis_mm=(-7.5, 12.25), radii_mm=None))
    assert projections.axis_mm == pytest.approx((-7.5, 0.0), abs=1e-4)  # seen from the front, u = +x
    assert any("taken as 0 in the other" in sentence for sentence in projections.header.assumptions)
    assert projections.orbit.radii_mm is None


def test_a_table_height_in_y_is_not_taken_for_the_axis() -> None:
    dataset = Tomo(start_angles_deg=(180.0, 0.0), views=6).dataset()
    for head in dataset.DetectorInformationSequence:
        x, y, z = head.ImagePositionPatient
        head.ImagePositionPatient = [x, y - 160, z]
    said: list[str] = []
    assert read_tomo(dataset, said).axis_mm == pytest.approx((0.0, 0.0), abs=1e-4)
    assert any("contradict" in sentence for sentence in said)


def test_missing_positions_are_said() -> None:
    projections = read(Tomo(positions=False))
    assert projections.axis_mm == (0.0, 0.0)
    assert projections.first_row_z_mm == pytest.approx(23 / 2 * 5.0)
    assert len(projections.header.assumptions) == 2


def test_the_user_may_tell_axis_angle_and_direction() -> None:
    tomo = Tomo(start_angles_deg=(180.0, 90.0), views=6)
    projections = read_tomo(tomo.dataset(), [], (), ToldOrbit((1.0, -2.0), 10.0, "cw"))
    assert projections.axis_mm == (1.0, -2.0)
    np.testing.assert_allclose(projections.orbit.angles_deg[[0, 1, 6, 7]], [10.0, 340.0, 280.0, 250.0])


def test_radii_belong_to_their_views() -> None:
    radii = tuple(200.0 + 3.0 * view for view in range(12))
    two = (0.0, 180.0)
    for tomo in (
        Tomo(radii_mm=radii),
        Tomo(radii_mm=radii, angles_of="rotation"),
        Tomo(radii_mm=radii, start_angles_deg=two),
    ):
        found = read(tomo).orbit.radii_mm
        assert found is not None
        np.testing.assert_allclose(found.reshape(-1, 12), [radii] * (found.size // 12))


def test_times_windows_and_header_are_read() -> None:
    projections = read(Tomo(start_angles_deg=(180.0, 0.0), windows=2, views=6))
    np.testing.assert_allclose(projections.view_start_s, list(15.0 * np.arange(6)) * 2)
    np.testing.assert_allclose(projections.view_duration_s, 15.0)
    assert projections.energy_windows[1].ranges_kev == ((119.0, 126.0),)
    header = projections.header
    assert header.hours_after_injection == pytest.approx(4.0)
    assert header.radiopharmaceutical is not None
    assert (header.radiopharmaceutical.nuclide, header.radiopharmaceutical.dose_mbq) == ("Tc-99m", 400.0)
    assert (header.collimator, header.patient_position) == ("LEHR", "HFS")


def test_an_offset_that_the_camera_corrected_is_not_applied_again() -> None:
    assert read(Tomo(centre_offset_mm=3.0)).orbit.centre_offset_mm is not None
    assert read(Tomo(centre_offset_mm=3.0, elements={"CorrectedImage": ["UNIF", "COR"]})).orbit.centre_offset_mm is None


def test_several_rotations_follow_each_other() -> None:
    dataset = Tomo(views=6).dataset()
    rotations = [dataset.RotationInformationSequence[0], copy.deepcopy(dataset.RotationInformationSequence[0])]
    for number, rotation in enumerate(rotations):
        rotation.NumberOfFramesInRotation, rotation.ScanArc = 3, 90.0
        rotation.StartAngle = 180.0 + 90.0 * number
    dataset.RotationInformationSequence, dataset.NumberOfRotations = Sequence(rotations), 2
    dataset.RotationVector, dataset.AngularViewVector = [1, 1, 1, 2, 2, 2], [1, 2, 3, 1, 2, 3]
    projections = read_tomo(dataset, [])
    check_every_view(projections)
    np.testing.assert_allclose(projections.view_start_s, 15.0 * np.arange(6))


def broken(**changes: Any) -> Any:
    tomo = Tomo(**{"start_angles_deg": (180.0, 0.0), "views": 6, **changes.pop("tomo", {})})
    dataset = tomo.dataset()
    for keyword, value in changes.items():
        holder = dataset if keyword in dataset else dataset.RotationInformationSequence[0]
        if value is None:
            delattr(holder, keyword)
        else:
            setattr(holder, keyword, value)
    return dataset


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"AngularViewVector": None}, "Angular View Vector (0054,0090) is missing"),
        ({"DetectorVector": None}, "Detector Vector (0054,0020) is missing"),
        ({"DetectorVector": [1, 2]}, "has 2 values for 12 frames"),
        ({"DetectorVector": [1] * 6 + [3] * 6}, "runs from 1 to 3"),
        ({"DetectorVector": [1] * 7 + [2] * 5}, "never, and as many frames twice"),
        ({"NumberOfFramesInRotation": 5}, "is 5, but Angular View Vector"),
        ({"NumberOfFramesInRotation": 7}, "is 7, but Angular View Vector"),
        ({"AngularStep": 20.0}, "6 views 20 degrees apart do not make the arc of 180"),
        ({"RotationDirection": "LEFT"}, "neither CC nor CW"),
        ({"RotationDirection": None}, "missing; tell the direction"),
        ({"tomo": {"angles_of": "rotation", "positions": False}}, "look from the same angles"),
        ({"tomo": {"radii_mm": (250.0, 260.0)}}, "2 values for 6 views"),
        ({"PixelSpacing": None}, "Pixel Spacing (0028,0030) is missing"),
        ({"PixelSpacing": [520.0, 440.0]}, "520 mm cannot be"),
        ({"RescaleIntercept": None, "tomo": {"elements": {"RescaleIntercept": -5, "RescaleSlope": 1}}}, None),
        ({"tomo": {"elements": {"RescaleIntercept": -5, "RescaleSlope": 1}}}, "negative"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "TOMO", "TRANSMISSION"]}, "transmission"),
        ({"PixelData": b"\0" * 100}, "cannot be decoded"),
        ({"NumberOfEnergyWindows": 2}, "but 1 windows are described"),
        ({"tomo": {"elements": {"TimeSlotVector": [1] * 6 + [2] * 6}}}, "gates or time frames"),
    ],
)
def test_contradictions_are_refused_in_a_sentence(changes: dict[str, Any], sentence: str | None) -> None:
    dataset = broken(**changes)
    if sentence is None:
        read_tomo(dataset, [])
        return
    with pytest.raises((InputError, GeometryError), match=re.escape(sentence)):
        read_tomo(dataset, [])


def test_signed_and_wide_pixels_and_a_rescale_are_read() -> None:
    tomo = Tomo(windows=1)
    expected = tomo.counts().reshape(1, 12, 24, 40).astype(np.float32)
    for dtype in (np.int16, np.uint32):
        dataset = tomo.dataset()
        pixels = expected[0].astype(dtype)
        fresh = nm_dataset("TOMO", pixels, tomo.pixel_mm)
        for keyword in ("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData"):
            setattr(dataset, keyword, getattr(fresh, keyword))
        dataset.RescaleSlope, dataset.RescaleIntercept = 0.5, 2
        np.testing.assert_array_equal(read_tomo(dataset, []).counts, expected * 0.5 + 2)


def test_negative_stored_counts_are_refused() -> None:
    dataset = Tomo(windows=1).dataset()
    dataset.PixelRepresentation = 1
    dataset.PixelData = np.full((12, 24, 40), -3, np.int16).tobytes()
    with pytest.raises(InputError, match="negative"):
        read_tomo(dataset, [])


def test_gated_reconstructions_are_refused_by_name() -> None:
    dataset = nm_dataset("RECON GATED TOMO", np.ones((2, 4, 4), np.uint16), (4.0, 4.0))
    with pytest.raises(InputError, match="RECON GATED TOMO, which is not read"):
        nm_acquisition(dataset, [])


def test_frames_counted_over_all_heads_are_understood() -> None:
    said: list[str] = []
    projections = read_tomo(broken(NumberOfFramesInRotation=12), said)
    assert projections.orbit.views == 12
    assert any("counts the views of all heads" in sentence for sentence in said)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.70"])
def test_compressed_files_give_the_same_counts(syntax: str, tmp_path: Any) -> None:
    gdcm = pytest.importorskip("gdcm")
    tomo = Tomo()
    plain, packed = tmp_path / "plain.dcm", tmp_path / "packed.dcm"
    tomo.dataset().save_as(plain, enforce_file_format=True)
    reader = gdcm.ImageReader()
    reader.SetFileName(str(plain))
    assert reader.Read()
    kinds = {
        "1.2.840.10008.1.2.5": gdcm.TransferSyntax.RLELossless,
        "1.2.840.10008.1.2.4.90": gdcm.TransferSyntax.JPEG2000Lossless,
        "1.2.840.10008.1.2.4.70": gdcm.TransferSyntax.JPEGLosslessProcess14_1,
    }
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(kinds[syntax]))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(packed))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    from leukospect.dicom.read.study import read_projections

    projections = read_projections(packed)
    assert str(syntax) in packed.read_bytes().decode("latin-1")
    np.testing.assert_array_equal(projections.counts, tomo.counts().reshape(1, 12, 24, 40))


def test_a_step_that_leaves_half_the_orbit_out_contradicts_the_arc() -> None:
    """Opposed heads with 90 degrees each see two quarters of the turn, not the arc of 180 degrees."""
    made = Tomo(start_angles_deg=(0.0, 180.0), views=30, step_deg=6.0)
    dataset = made.dataset()
    dataset.RotationInformationSequence[0].AngularStep = 3.0
    with pytest.raises(GeometryError, match="do not cover the arc"):
        read_tomo(dataset, [])


def test_heads_at_a_right_angle_may_share_the_arc() -> None:
    made = Tomo(start_angles_deg=(0.0, 90.0), views=30, step_deg=3.0)
    dataset = made.dataset()
    dataset.RotationInformationSequence[0].ScanArc = 180.0
    found = read_tomo(dataset, [])
    np.testing.assert_allclose(np.sort(found.orbit.angles_deg), np.arange(0.0, 180.0, 3.0), atol=1e-6)


@pytest.mark.parametrize(
    ("recorded_ms", "duration_s", "said"),
    [(600_000, 20.0, "that of the whole rotation"), (20, 0.02, "implausibly short"), (60_000, 60.0, "")],
)
def test_a_duration_that_cannot_be_a_views_is_taken_as_the_rotations_or_said(
    recorded_ms: int, duration_s: float, said: str
) -> None:
    dataset = Tomo(views=30, step_deg=12.0).dataset()
    dataset.RotationInformationSequence[0].ActualFrameDuration = recorded_ms
    assumptions: list[str] = []
    found = read_tomo(dataset, assumptions)
    np.testing.assert_allclose(found.view_duration_s, duration_s)
    assert any(said in sentence for sentence in assumptions) if said else not assumptions
