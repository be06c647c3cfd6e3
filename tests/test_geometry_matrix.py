"""Asymmetric sources through every way of acquiring that geometry names, found at their places in all that comes out.

Each case is written as DICOM, reconstructed by the command line, and looked for in LPS: in the NIfTI (nibabel), in the
DICOM (pydicom and the standard's formulas), in what SimpleITK reads of it and in what is read back; the DICOM also with
its slices turned round, so that Spacing Between Slices is negative. A selection in which every two levels meet always
runs; ``pytest -m exhaustive`` runs the product of the factors that decide where things lie.
"""

from __future__ import annotations

import itertools
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.sequence import Sequence

from leukospect import jobs
from leukospect.data import ReconstructedSeries
from leukospect.dicom.read.study import read_study
from tests.command_line import Volume, leukospect, volume
from tests.dicom.acquisitions import SYNTAXES, Rotation, Source, Stored, Tomo, save
from tests.finding import Finding, find, volume_by_pydicom, volume_by_simpleitk
from tests.pairwise import Case, pairs_of, pairwise, product

MIDDLE_Z_MM = 37.3
SOURCES = (
    Source((22.0, -12.0, MIDDLE_Z_MM + 17.0), 300.0, 4.5),
    Source((-19.0, 16.0, MIDDLE_Z_MM - 19.0), 200.0, 4.5),
    Source((-8.0, -24.0, MIDDLE_Z_MM + 5.0), 100.0, 4.5),
)
VIEWS = 16  # of all heads together
VOXELS = 0.25  # geometry asks for half a voxel; a shift by half a voxel must not pass

LYING = tuple(f"{position} {whose}" for position in ("HFS", "HFP", "FFS", "FFP") for whose in ("patient's", "gantry's"))
WHERE = {  # what decides where things lie
    "start": ("0", "17.5", "130", "270"),
    "direction": ("CC", "CW"),
    "heads": ("one", "opposite", "right angle"),
    "order": ("blocks", "interleaved"),
    "lying": tuple(one for one in LYING if one != "HFS gantry's"),  # the same as the patient's
    "radii": ("circular", "each view's"),
    "pixels": ("square", "oblong"),
    "matrix": ("20 x 33", "29 x 28"),
    "axis": ("centred", "off"),
}
FACTORS = {
    **WHERE,
    "order": ("blocks", "interleaved", "windows innermost", "none"),
    "places": ("recorded", "told"),
    "recorded by": ("heads", "rotation", "both"),
    "rotations": ("one", "there and back", "unlike"),
    "windows": ("one", "with scatter", "In-111"),
    "offset": ("none", "to apply", "applied"),
    "stored": ("uint8 rescaled", "uint16", "int16 rescaled", "uint32"),
    "syntax": SYNTAXES,
    "resolution": ("no", "yes"),
    "files": ("one", "one a head", "one a window"),
    "gates": ("none", "time slots", "R-R and slots"),
}
UNCOMPRESSED = ("explicit", "implicit", "deflated", "big endian")
WINDOWS = {
    "one": (1, None, (1.0,), "Tc-99m"),
    "with scatter": (3, None, (1.0, 0.06, 0.04), "Tc-99m"),
    "In-111": (
        5,
        (((150.0, 158.0),), ((158.0, 184.0),), ((184.0, 200.0), (210.0, 220.0)), ((221.0, 270.0),), ((275.0, 300.0),)),
        (0.05, 0.9, 0.03, 1.0, 0.02),
        "In-111",
    ),
}
ORDERS = {
    "blocks": ("window", "head", "view"),
    "interleaved": ("window", "view", "head"),
    "windows innermost": ("head", "view", "window"),
    "none": ("window", "head", "view"),
}
STORED = {
    "uint8 rescaled": ("uint8", 4.0, 0.0),
    "uint16": ("uint16", None, None),
    "int16 rescaled": ("int16", 0.5, 100.0),
    "uint32": ("uint32", None, None),
}


NEVER: tuple[dict[str, tuple[str, ...]], ...] = (  # levels that do not meet
    # Without the heads' places nothing tells whose angles they are.
    {"places": ("told",), "lying": tuple(one for one in LYING if "gantry's" in one)},
    {"files": ("one a head",), "heads": ("one",)},
    {"files": ("one a window",), "windows": ("one",)},
    # Two heads of one start angle; their orientation would tell them apart.
    {
        "places": ("told",),
        "recorded by": ("rotation",),
        "heads": ("opposite", "right angle"),
        "files": ("one", "one a window"),
    },
    # A head's own radii are as many as the views of one rotation.
    {"recorded by": ("heads",), "rotations": ("there and back", "unlike"), "radii": ("each view's",)},
    # An intercept is added to every gate, and does not add up to what it was.
    {"gates": ("time slots", "R-R and slots"), "stored": ("int16 rescaled",)},
    # Compressions hold 16 bits; no encoder of 8 bits in JPEG 2000 is at hand.
    {"stored": ("uint32",), "syntax": tuple(one for one in SYNTAXES if one not in UNCOMPRESSED)},
    {"stored": ("uint8 rescaled",), "syntax": ("jpeg 2000",)},
)


def allowed(case: Case) -> bool:
    """Tell whether a camera could have written it so, and a reader could know."""
    return not any(all(case.get(name) in levels for name, levels in rule.items()) for rule in NEVER)


def acquisition(case: Case) -> Tomo:
    """Make the acquisition of a case; factors that it lacks are as plain as can be."""
    rows, columns = (int(size) for size in case["matrix"].split(" x "))
    pixel_mm = (4.4, 4.4) if case["pixels"] == "square" else (4.8, 4.0)
    heads = {"one": (0.0,), "opposite": (0.0, 180.0), "right angle": (0.0, 90.0)}[case["heads"]]
    position, whose = case["lying"].split()
    windows, ranges, scales, nuclide = WINDOWS[case.get("windows", "one")]
    recorded_by = case.get("recorded by", "heads")
    order = case["order"]
    dtype, slope, intercept = STORED[case.get("stored", "uint16")]
    offset = case.get("offset", "none")
    middle_z = MIDDLE_Z_MM if case.get("places", "recorded") == "recorded" else 0.0
    return Tomo(
        sources=SOURCES,
        axis_mm=(7.0, -10.0) if case["axis"] == "off" else (0.0, 0.0),
        first_row_z_mm=MIDDLE_Z_MM + (rows - 1) / 2 * pixel_mm[0],
        shape=(rows, columns),
        pixel_mm=pixel_mm,
        start_angles_deg=tuple(float(case["start"]) + turned for turned in heads),
        rotations=_rotations(case, len(heads)),
        windows=windows,
        window_ranges_kev=ranges,
        window_scales=scales,
        nuclide=nuclide,
        frame_order=ORDERS[order],
        shuffle_seed=5 if order == "none" else None,
        angles_of="rotation" if recorded_by == "rotation" else "head",
        radii_of="rotation" if recorded_by == "both" else None,
        gantry=position,
        angles_are=whose,
        positions=middle_z != 0.0,
        centre_offset_mm=0.0 if offset == "none" else 6.5,
        offset_corrected=offset == "applied",
        time_slots=1 if case.get("gates", "none") == "none" else 2,
        rr_intervals=2 if case.get("gates") == "R-R and slots" else 1,
        stored=Stored(dtype, slope, intercept, case.get("syntax", "explicit")),
    )


def _rotations(case: Case, heads: int) -> tuple[Rotation, ...]:
    def radii(views: int) -> tuple[float, ...]:
        return (
            (150.0,) if case["radii"] == "circular" else tuple(150.0 + 3.0 * ((5 * view) % 7) for view in range(views))
        )

    direction = case["direction"]
    other, forward = ("CW", 1) if direction == "CC" else ("CC", -1)
    arc = 180.0 if case["heads"] == "opposite" else 360.0
    views = VIEWS // heads
    step = arc / views
    kind = case.get("rotations", "one")
    if kind == "there and back":  # each view twice, the second time the other way round
        last = forward * step * (views - 1)
        return (
            Rotation(0.0, direction, views, step, 10.0, radii(views)),
            Rotation(last, other, views, step, 10.0, radii(views)),
        )
    if kind == "unlike":  # a first part with more and shorter views than the rest
        part = views // 2
        return (
            Rotation(0.0, direction, part, step, 10.0, radii(part)),
            Rotation(forward * step * part, direction, part // 2, 2 * step, 20.0, radii(part // 2)),
        )
    return (Rotation(0.0, direction, views, step, 10.0, radii(views)),)


def reconstruct(case: Case, made: Tomo, folder: Path, *further: object) -> Path:
    """Write the acquisition, run the command line, and give the folder that it wrote."""
    files = case.get("files", "one")
    parts = {"one a head": lambda: made.files("head"), "one a window": lambda: made.files("window")}
    path = save(folder / "written", *parts.get(files, lambda: [made.dataset()])())
    options: list[object] = ["--iterations", 4, "--subsets", 4, "--threads", 1]
    if case.get("resolution", "no") == "no":
        options.append("--no-resolution")
    else:
        options += ["--collimator", "siemens:LEHR"]
    if made.time_slots > 1:
        options.append("--sum-frames")
    if not made.positions:
        options += ["--axis-mm", *made.axis_mm]
    said = leukospect("--quiet", "recon", path, "-o", folder / "out", *options, *further)
    assert said.code == 0, said.stderr
    return folder / "out"


def sources_of(made: Tomo) -> tuple[Source, ...]:
    """Where the sources must be found: along the patient from the middle of the rows where no position is recorded."""
    if made.positions:
        return SOURCES
    return tuple(Source((x, y, z - MIDDLE_Z_MM), s.counts_per_s) for s in SOURCES for x, y, z in [s.place_mm])


def slices_turned_round(path: Path) -> Path:
    """Write a RECON TOMO file again, from the other end: the same volume with a negative Spacing Between Slices."""
    file = pydicom.dcmread(path)
    [head] = file.DetectorInformationSequence
    cosines = np.array(head.ImageOrientationPatient, float)
    step = np.cross(cosines[:3], cosines[3:]) * float(file.SpacingBetweenSlices)
    last = np.array(head.ImagePositionPatient, float) + (file.NumberOfSlices - 1) * step
    head.ImagePositionPatient = [round(float(value), 6) for value in last]
    file.SpacingBetweenSlices = -file.SpacingBetweenSlices
    file.PixelData = file.pixel_array[::-1].tobytes()
    turned = path.with_name("turned.dcm")
    file.save_as(turned, enforce_file_format=True)
    return turned


def read_back(path: Path) -> Volume:
    """Read a reconstruction as a study's."""
    [made] = read_study(path).acquisitions
    assert isinstance(made, ReconstructedSeries)
    affine = made.image.geometry.affine[:, [2, 1, 0, 3]]
    return Volume(np.asarray(made.image.array, np.float64).transpose(2, 1, 0), affine)


def findings(out: Path, sources: tuple[Source, ...]) -> dict[str, Finding]:
    """Look for the sources in all that came out."""
    written = out / "dicom" / "recon.dcm"
    turned = slices_turned_round(written)
    seen = {
        "NIfTI": volume(out / "recon.nii.gz"),
        "DICOM": volume_by_pydicom(written),
        "SimpleITK": volume_by_simpleitk(written),
        "read back": read_back(written),
        "turned round, DICOM": volume_by_pydicom(turned),
        "turned round, SimpleITK": volume_by_simpleitk(turned),
        "turned round, read back": read_back(turned),
    }
    return {where: find(what, sources) for where, what in seen.items()}


def check(case: Case, folder: Path) -> None:
    made = acquisition(case)
    sources = sources_of(made)
    for where, found in findings(reconstruct(case, made, folder), sources).items():
        assert found.problems(sources, VOXELS) == [], (where, case)


@pytest.fixture
def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the report out: it takes four fifths of the time and moves nothing."""
    monkeypatch.setattr(jobs, "write_report", lambda *content: None)


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize("case", pairwise(FACTORS, allowed), ids=lambda case: ", ".join(case.values()))
def test_every_two_levels_together(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)


def test_every_two_levels_meet_unless_they_never_can() -> None:
    met = set().union(*(pairs_of(case) for case in pairwise(FACTORS, allowed)))
    order = list(FACTORS)
    never = set()
    for rule in NEVER:
        if len(rule) == 2:
            (one, levels), (other, more) = sorted(rule.items(), key=lambda factor: order.index(factor[0]))
            never |= {((one, a), (other, b)) for a in levels for b in more}
    for (one, levels), (other, more) in itertools.combinations(FACTORS.items(), 2):
        pairs = {((one, a), (other, b)) for a in levels for b in more}
        assert pairs - met == pairs & never


@pytest.mark.exhaustive
@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize("start", WHERE["start"])
@pytest.mark.parametrize("direction", WHERE["direction"])
@pytest.mark.parametrize("heads", WHERE["heads"])
@pytest.mark.parametrize("lying", WHERE["lying"])
def test_the_product(lying: str, heads: str, direction: str, start: str, tmp_path: Path) -> None:
    given = {"start": start, "direction": direction, "heads": heads, "lying": lying}
    rest = {name: levels for name, levels in WHERE.items() if name not in given}
    for number, further in enumerate(product(rest)):
        case = {**given, **further}
        check(case, tmp_path / str(number))
        shutil.rmtree(tmp_path / str(number))


def _turned_or_mirrored() -> list[tuple[str, NDArray[np.float64]]]:
    """Give every way of swapping and turning round the axes, but the one that changes nothing."""
    ways = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            matrix = np.diag(signs)[:, list(order)]
            if not np.array_equal(matrix, np.eye(3)):
                ways.append((f"{order} {signs}", matrix))
    return ways


@pytest.mark.parametrize(
    ("way", "matrix"), _turned_or_mirrored(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_the_sources_tell_every_mirror_and_turn_apart(way: str, matrix: NDArray[np.float64]) -> None:
    middle = np.array([0.0, 0.0, MIDDLE_Z_MM])
    moved = [matrix @ (np.array(source.place_mm) - middle) + middle for source in SOURCES]
    nearest = [min(np.linalg.norm(place - np.array(source.place_mm)) for place in moved) for source in SOURCES]
    off = [np.linalg.norm(place - np.array(source.place_mm)) for place, source in zip(moved, SOURCES, strict=True)]
    assert max(off) > 10.0, way
    assert max(nearest) > 5.0, way  # not even with the strengths forgotten


PLAIN: Case = {
    **{name: levels[0] for name, levels in WHERE.items()},
    "start": "17.5",
    "axis": "off",
    "pixels": "oblong",
}


def _recorded_wrongly(made: Tomo, keyword: str, value: object, of: str) -> Tomo:
    """Record something else than what was done; the heads' orientation goes, as it would give a wrong angle away."""
    recorded = made.dataset()
    items = list(recorded[f"{of}InformationSequence"].value)
    for one in items:
        setattr(one, keyword, value)
    return replace(made, elements={f"{of}InformationSequence": Sequence(items)})


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize(
    ("of", "keyword", "value"),
    [
        ("Rotation", "RotationDirection", "CW"),
        ("Detector", "StartAngle", 19.5),
        ("Detector", "ImagePositionPatient", [49.6, -120.0, 80.0]),
    ],
)
def test_what_is_recorded_wrongly_is_seen(of: str, keyword: str, value: object, tmp_path: Path) -> None:
    made = _recorded_wrongly(acquisition(PLAIN), keyword, value, of)
    out = reconstruct(PLAIN, made, tmp_path)
    for where, found in findings(out, SOURCES).items():
        assert found.problems(SOURCES, VOXELS), where


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize("option", [("--start-angle-deg", 14), ("--direction", "cw"), ("--axis-mm", 7, -12)])
def test_what_is_told_wrongly_is_seen(option: tuple[object, ...], tmp_path: Path) -> None:
    out = reconstruct(PLAIN, acquisition(PLAIN), tmp_path, *option)
    for where, found in findings(out, SOURCES).items():
        assert found.problems(SOURCES, VOXELS), where
