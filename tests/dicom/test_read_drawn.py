"""Regions drawn as DICOM lie where they were drawn: no axis mirrored, swapped or shifted, frames in any order."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.sequence import Sequence as Items

from leukospect.dicom.read.drawn import is_dicom_file, read_drawn_regions
from leukospect.errors import AssumptionWarning, LeukospectError
from leukospect.quantification.mask_stack import MaskStack
from tests.dicom.drawn import AXIAL, contour, item, saved, segmentation, structures

FIRST = np.array((-31.0, 17.0, 105.0))


def lopsided() -> NDArray[np.bool_]:
    """Draw on 5 slices of 7 x 9 pixels what no turn or reflection takes to itself."""
    drawn = np.zeros((5, 7, 9), dtype=bool)
    drawn[0, 1, 1:8] = True
    drawn[0, 1:4, 1] = True
    drawn[1, 1:3, 2:5] = True
    drawn[2, 2, 2] = True
    drawn[4, 5, 6:8] = True  # slice 3 holds nothing, and has no frame
    return drawn


def placed(drawn: NDArray[np.bool_], orientation: tuple[float, ...] = AXIAL, step: float = 4.0) -> NDArray[np.float64]:
    """Give the LPS places of the pixels drawn: columns 3 mm along the first cosines, rows 2 mm along the second."""
    along, down = np.array(orientation[:3]), np.array(orientation[3:])
    k, j, i = np.argwhere(drawn).T[..., None]
    return np.asarray(FIRST + k * step * np.cross(along, down) + j * 2.0 * down + i * 3.0 * along)


def frames_of(
    drawn: NDArray[np.bool_], orientation: tuple[float, ...] = AXIAL, step: float = 4.0, segment: int = 1
) -> list[tuple[int, tuple[float, float, float], NDArray[np.bool_]]]:
    normal = np.cross(orientation[:3], orientation[3:])
    places = FIRST + np.arange(len(drawn))[:, None] * step * normal
    return [(segment, (x, y, z), mask) for (x, y, z), mask in zip(places, drawn, strict=True) if mask.any()]


def check_places(found: MaskStack, drawn: NDArray[np.bool_], orientation: tuple[float, ...] = AXIAL) -> None:
    """Every pixel centre of the grid is inside exactly if it was drawn."""
    every = placed(np.ones_like(drawn), orientation)
    np.testing.assert_array_equal(found.contains(every), drawn.ravel())
    assert not found.contains(placed(drawn, orientation) * (-1, 1, 1)).all()


OBLIQUE = tuple(np.array([[0.8, 0.48, 0.36], [-0.6, 0.64, 0.48]]).ravel())
CORONAL_TO_THE_FEET = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)


@pytest.mark.parametrize("orientation", [AXIAL, OBLIQUE, CORONAL_TO_THE_FEET], ids=["axial", "oblique", "coronal"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_segment_lies_where_it_was_drawn(orientation: tuple[float, ...], turned: bool, tmp_path: Path) -> None:
    drawn = lopsided()
    frames = frames_of(drawn, orientation)
    made = segmentation(frames[::-1] if turned else [frames[i] for i in (2, 0, 3, 1)], {1: "plate"},
                        orientation=orientation)  # fmt: skip
    (region,) = read_drawn_regions(saved(made, tmp_path)).regions
    assert region.drawn is not None
    assert region.name == "plate"
    check_places(region.drawn, drawn, orientation)
    volume = region.drawn.masks.sum(axis=(1, 2)) @ np.diff(region.drawn.slabs_mm)[:, 0] * 6.0
    assert volume == pytest.approx(drawn.sum() * 2 * 3 * 4)


def test_segments_of_one_place_are_kept_apart_though_they_overlap(tmp_path: Path) -> None:
    one, other = lopsided(), np.roll(lopsided(), 1, axis=2)
    made = segmentation([*frames_of(one), *frames_of(other, segment=5)], {1: "plate", 5: "screw", 7: "nothing"})
    found = read_drawn_regions(saved(made, tmp_path))
    assert [(region.number, region.name) for region in found.regions] == [(1, "plate"), (5, "screw"), (7, "nothing")]
    plate, screw, nothing = (region.drawn for region in found.regions)
    assert plate is not None
    assert screw is not None
    check_places(plate, one)
    check_places(screw, other)
    assert nothing is None


def test_a_label_map_has_a_segment_a_value(tmp_path: Path) -> None:
    one, other = lopsided(), np.roll(lopsided(), 2, axis=1) & ~lopsided()
    frames = [(0, place, mask + 4 * there) for (_, place, mask), there in zip(frames_of(one), other[[0, 1, 2, 4]],
                                                                              strict=True)]  # fmt: skip
    made = segmentation(frames, {0: "background", 1: "plate", 4: "screw"}, sort="LABELMAP")
    plate, screw = read_drawn_regions(saved(made, tmp_path)).regions
    assert plate.drawn is not None
    assert screw.drawn is not None
    check_places(plate.drawn, one)
    check_places(screw.drawn, other)


def test_fractions_count_from_a_half_and_this_is_said(tmp_path: Path) -> None:
    drawn = lopsided()
    frames = [(1, place, np.where(mask, 100, 99)) for _, place, mask in frames_of(drawn)]
    path = saved(segmentation(frames, {1: "plate"}, sort="FRACTIONAL"), tmp_path)
    with pytest.warns(AssumptionWarning, match="fractional; where the probability is at least a half"):
        (region,) = read_drawn_regions(path).regions
    assert region.drawn is not None
    check_places(region.drawn, drawn)


def test_the_thickness_of_sparse_frames_is_the_slices(tmp_path: Path) -> None:
    drawn = lopsided()
    drawn[[1, 3]] = False
    made = segmentation(frames_of(drawn), {1: "plate"}, spacing_mm=None, thickness_mm=4.0)
    (region,) = read_drawn_regions(saved(made, tmp_path)).regions
    assert region.drawn is not None
    check_places(region.drawn, drawn)


def circle(z: float, radius: float = 15.0, centre: tuple[float, float] = (-40.0, 12.0)) -> NDArray[np.float64]:
    t = np.linspace(0.0, 2 * np.pi, 90, endpoint=False)
    return np.stack((centre[0] + radius * np.cos(t), centre[1] + radius * np.sin(t), np.full_like(t, z)), axis=-1)


def volume_ml(found: MaskStack) -> float:
    areas = found.masks.sum(axis=(1, 2)) * found.pixel_mm[0] * found.pixel_mm[1]
    return float(areas @ np.diff(found.slabs_mm)[:, 0]) / 1000.0


def test_contours_enclose_what_they_were_drawn_around(tmp_path: Path) -> None:
    heights = [9.0, 0.0, 3.0, 6.0]
    made = structures({"focus": [circle(z, 10 + z) for z in heights], "other": [circle(0.0, 5.0, (30.0, 0.0))]})
    focus, other = (region.drawn for region in read_drawn_regions(saved(made, tmp_path)).regions)
    assert focus is not None
    assert other is not None
    assert volume_ml(focus) == pytest.approx(sum(np.pi * (10 + z) ** 2 * 3.0 for z in heights) / 1000, rel=0.01)
    inside = [(-40 + 18.5, 12, 9), (-40, 12 - 9.5, -1.4), (-40, 12, 10.4)]
    outside = [(-40 + 18.5, 12, 3), (40, 12, 3), (-40, -12, 3), (-40, 12, -1.6), (-40, 12, 10.6), (-40, 12 + 10.5, 0)]
    assert focus.contains(np.array(inside, dtype=float)).all()
    assert not focus.contains(np.array(outside, dtype=float)).any()
    # One plane by itself is as thick as the others of the file.
    assert np.diff(other.slabs_mm)[:, 0] == pytest.approx([3.0])


def test_a_contour_in_another_is_a_hole_and_one_in_the_hole_an_island(tmp_path: Path) -> None:
    nested = [circle(z, radius) for z in (0.0, 3.0) for radius in (20.0, 12.0, 5.0)]
    path = saved(structures({"ring": nested}), tmp_path)
    with pytest.warns(AssumptionWarning, match="the inner one is taken as a hole"):
        (region,) = read_drawn_regions(path).regions
    assert region.drawn is not None
    assert volume_ml(region.drawn) == pytest.approx(np.pi * (20**2 - 12**2 + 5**2) * 6 / 1000, rel=0.01)
    at = np.array([(-40 + r, 12, 1.0) for r in (2, 8, 16, 22)], dtype=float)
    assert region.drawn.contains(at).tolist() == [True, False, True, False]


def test_a_keyhole_is_a_hole(tmp_path: Path) -> None:
    keyhole = np.concatenate((circle(0.0, 20.0), circle(0.0, 20.0)[:1], circle(0.0, 12.0)[:1], circle(0.0, 12.0)[::-1]))
    upper = keyhole + np.array((0.0, 0.0, 3.0))
    (region,) = read_drawn_regions(saved(structures({"ring": [keyhole, upper]}), tmp_path)).regions
    assert region.drawn is not None
    assert volume_ml(region.drawn) == pytest.approx(np.pi * (20**2 - 12**2) * 6 / 1000, rel=0.01)


def test_planes_left_out_are_left_out_and_told(tmp_path: Path) -> None:
    path = saved(structures({"two parts": [circle(z) for z in (0.0, 3.0, 15.0, 18.0)]}), tmp_path)
    with pytest.warns(AssumptionWarning, match="leave planes out in 1 places"):
        (region,) = read_drawn_regions(path).regions
    assert region.drawn is not None
    at = np.array([(-40, 12, z) for z in (4.4, 6.0, 12.0, 14.0)], dtype=float)
    assert region.drawn.contains(at).tolist() == [True, False, False, True]


def test_contours_of_sagittal_planes_are_read_as_well(tmp_path: Path) -> None:
    turned = [circle(z, 10 + z)[:, [2, 0, 1]] for z in (0.0, 3.0, 6.0)]
    (region,) = read_drawn_regions(saved(structures({"focus": turned}), tmp_path)).regions
    assert region.drawn is not None
    at = np.array([(6.0, -40 + 15.5, 12.0), (0.0, -40 + 15.5, 12.0), (6.0, -40, 12 - 15.5), (3.0, 40, 12)])
    assert region.drawn.contains(at).tolist() == [True, False, True, False]


def test_moved_regions_are_where_their_points_went() -> None:
    turn = np.deg2rad(25.0)
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    matrix[:3, 3] = (5.0, -11.0, 30.0)
    stack = MaskStack(lopsided()[[0]], FIRST[None], np.eye(3)[[2, 1, 0]], (2.0, 3.0), np.array([[103.0, 107.0]]))
    points = placed(np.ones((1, 7, 9), dtype=bool))
    there = points @ matrix[:3, :3].T + matrix[:3, 3]
    np.testing.assert_array_equal(stack.moved(matrix).contains(there), stack.contains(points))
    low, high = stack.moved(matrix).bounds_mm()
    inside = there[stack.contains(points)]
    assert ((inside > low) & (inside < high)).all()


Change = Callable[[FileDataset], object]


def without(keyword: str) -> Change:
    return lambda made: made.__delattr__(keyword)


def in_frame(index: int, keyword: str) -> Change:
    return lambda made: made.PerFrameFunctionalGroupsSequence[index].__delattr__(keyword)


def with_contour(**elements: object) -> Change:
    def change(made: FileDataset) -> None:
        for keyword, value in elements.items():
            setattr(made.ROIContourSequence[0].ContourSequence[1], keyword, value)

    return change


def one_frame_without_spacing(made: FileDataset) -> None:
    made.PerFrameFunctionalGroupsSequence = made.PerFrameFunctionalGroupsSequence[:1]
    made.NumberOfFrames = 1
    made.PixelData = made.PixelData[:8]
    del made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices


def without_frame_of_reference(made: FileDataset) -> None:
    del made.ReferencedFrameOfReferenceSequence
    del made.StructureSetROISequence[0].ReferencedFrameOfReferenceUID


BROKEN_SEGMENTS: dict[str, tuple[Change, str]] = {
    "no segments": (without("SegmentSequence"), "Segment Sequence"),
    "empty segments": (lambda made: setattr(made, "SegmentSequence", Items([])), "Segment Sequence"),
    "no frame of reference": (without("FrameOfReferenceUID"), "Frame of Reference UID"),
    "no groups": (without("PerFrameFunctionalGroupsSequence"), "describes 0 frames"),
    "no shared groups": (without("SharedFunctionalGroupsSequence"), "Image Orientation"),
    "a group too few": (lambda made: made.PerFrameFunctionalGroupsSequence.pop(), "describes 3 frames"),
    "no position": (in_frame(2, "PlanePositionSequence"), "Frame 3 has no Image Position"),
    "no segment of a frame": (in_frame(1, "SegmentIdentificationSequence"), "Frame 2 has no Referenced Segment Number"),
    "unknown type": (lambda made: setattr(made, "SegmentationType", "SOFT"), "none of BINARY"),
    "undescribed segment": (
        lambda made: setattr(made.SegmentSequence[0], "SegmentNumber", 2), "segment 1, which"),
    "no pixels": (without("PixelData"), "no pixel data"),
    "half the pixels": (lambda made: setattr(made, "PixelData", made.PixelData[:8]), "cannot be decoded"),
    "no rows": (without("Rows"), "Rows"),
    "zero columns": (lambda made: setattr(made, "Columns", 0), "Columns"),
    "frames not parallel": (
        lambda made: setattr(made.PerFrameFunctionalGroupsSequence[0], "PlaneOrientationSequence",
                             Items([item(ImageOrientationPatient=[0.0, 1, 0, 0, 0, 1])])), "not parallel"),
    "no spacing": (one_frame_without_spacing, "thickness"),
    "zero pixel size": (
        lambda made: setattr(made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0], "PixelSpacing",
                             [0.0, 3.0]), "Pixel Spacing"),
    "sheared orientation": (
        lambda made: setattr(made.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0],
                             "ImageOrientationPatient", [1.0, 0, 0, 0.7, 0.7, 0]), "right angle"),
}  # fmt: skip
BROKEN_CONTOURS: dict[str, tuple[Change, str]] = {
    "no structures": (without("StructureSetROISequence"), "Structure Set ROI Sequence"),
    "no contours": (without("ROIContourSequence"), "ROI Contour Sequence"),
    "no frame of reference": (
        without_frame_of_reference, "Frame of Reference UID"),
    "contours of nobody": (
        lambda made: setattr(made.ROIContourSequence[0], "ReferencedROINumber", 9), "Referenced ROI Number"),
    "empty data": (with_contour(ContourData=None), "has 0 numbers"),
    "no data": (lambda made: made.ROIContourSequence[0].ContourSequence[0].__delattr__("ContourData"), "0 numbers"),
    "two points": (with_contour(ContourData=["0", "0", "0", "5", "0", "0"], NumberOfContourPoints=2), "has 2 points"),
    "four numbers": (with_contour(ContourData=["0", "0", "0", "5"], NumberOfContourPoints=1), "has 4 numbers"),
    "another number of points": (with_contour(NumberOfContourPoints=91), "is 91"),
    "a point off the plane": (
        lambda made: made.ROIContourSequence[0].ContourSequence[0].ContourData.__setitem__(2, "7.0"), "off a plane"),
    "a line": (
        with_contour(ContourData=["0", "0", "0", "5", "0", "0", "9", "0", "0"], NumberOfContourPoints=3), "on a line"),
    "planes not parallel": (
        with_contour(ContourData=["0", "0", "0", "5", "0", "0", "0", "0", "5"], NumberOfContourPoints=3), "parallel"),
    "unknown sort": (with_contour(ContourGeometricType="SPLINE"), "Contour Geometric Type"),
    "an offset": (with_contour(ContourOffsetVector=["0", "0", "1"]), "Contour Offset Vector"),
    "one plane": (lambda made: made.ROIContourSequence[0].ContourSequence.pop(), "one plane"),
}  # fmt: skip


def refusal(path: Path) -> str:
    with pytest.raises(LeukospectError) as refused:
        read_drawn_regions(path)
    said = str(refused.value)
    assert said.startswith("The region file cannot be used: ")
    assert "PHANTOM" not in said
    assert "\n" not in said
    return said


@pytest.mark.parametrize(("change", "said"), BROKEN_SEGMENTS.values(), ids=BROKEN_SEGMENTS)
def test_a_broken_segmentation_is_refused_in_a_sentence(change: Change, said: str, tmp_path: Path) -> None:
    made = segmentation(frames_of(lopsided()), {1: "plate"})
    change(made)
    assert said in refusal(saved(made, tmp_path))


@pytest.mark.parametrize(("change", "said"), BROKEN_CONTOURS.values(), ids=BROKEN_CONTOURS)
def test_a_broken_structure_set_is_refused_in_a_sentence(change: Change, said: str, tmp_path: Path) -> None:
    made = structures({"focus": [circle(0.0), circle(3.0)]})
    change(made)
    assert said in refusal(saved(made, tmp_path))


@pytest.mark.parametrize("word", [b"nan", b"inf", b"1e9x", b"\xff\xfe"])
def test_contours_of_no_numbers_are_refused(word: bytes, tmp_path: Path) -> None:
    path = saved(structures({"focus": [circle(0.0), circle(3.0)]}), tmp_path)
    content = path.read_bytes()
    number = b"-25.000"
    assert number in content
    path.write_bytes(content.replace(number, word.ljust(len(number)), 1))
    assert "not a" in refusal(path)


def test_any_cut_or_changed_byte_gives_regions_or_one_sentence(tmp_path: Path) -> None:
    originals = [
        segmentation(frames_of(lopsided()), {1: "plate"}),
        structures({"focus": [circle(0.0)[::15], circle(3.0)[::15]]}),
    ]
    chance = np.random.default_rng(7)
    for made in originals:
        content = saved(made, tmp_path).read_bytes()
        for _ in range(150):
            broken = bytearray(content)
            for place in chance.integers(132, len(content), size=3):
                broken[place] = int(chance.integers(0, 256))
            cut = len(broken) if chance.random() < 0.6 else int(chance.integers(140, len(content)))
            path = tmp_path / "broken.dcm"
            path.write_bytes(bytes(broken[:cut]))
            with contextlib.suppress(LeukospectError):
                assert read_drawn_regions(path).regions


def test_what_is_no_drawing_is_refused(small_spect: Path, tmp_path: Path) -> None:
    with pytest.raises(LeukospectError, match="is Nuclear Medicine Image Storage; a Segmentation"):
        read_drawn_regions(small_spect)
    (tmp_path / "words.txt").write_text("[[region]]")
    assert not is_dicom_file(tmp_path / "words.txt")
    assert is_dicom_file(small_spect)


def test_points_and_lines_are_not_areas(tmp_path: Path) -> None:
    made = structures({"focus": [circle(0.0), circle(3.0)], "isocentre": []})
    made.ROIContourSequence[1].ContourSequence = Items([contour(np.array([[1.0, 2.0, 3.0]]), "POINT")])
    focus, isocentre = read_drawn_regions(saved(made, tmp_path)).regions
    assert focus.drawn is not None
    assert isocentre.drawn is None
