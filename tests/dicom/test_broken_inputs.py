"""Whatever is wrong with an input, the program ends soon, with one sentence or a note, and quotes no patient."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZIP_LZMA

import numpy as np
import pytest

from leukospect.dicom.read.decoding import decode_frame
from leukospect.errors import InputError
from tests.command_line import Said, leukospect
from tests.dicom import broken
from tests.dicom.broken import (
    JPEG,
    JPEG_2000,
    JPEG_LS,
    META,
    RLE,
    RLE_HEADER,
    Make,
    announced,
    bad_text,
    compressed,
    ct,
    cut,
    cut_in,
    dicomdir,
    directory,
    each,
    element,
    empty_items,
    folder_of,
    in_head,
    in_injection,
    in_place_of_windows,
    in_rotation,
    in_window,
    jpeg,
    jpeg_2000,
    meta,
    nested,
    nested_closed,
    one_slice,
    plain,
    raw,
    recon_tomo,
    replaced,
    sparse,
    sparse_pixels,
    tomo,
    whole_body,
    with_elements,
    written,
    zip_of,
    zipped,
)  # fmt: skip

_LONGEST_S = 10.0
_MOST_BYTES = 200 * 2**20
"""Besides twice the input's size."""
_RECON = ("--iterations", "1", "--subsets", "1", "--no-resolution", "--scatter", "none")


@pytest.fixture(scope="module", autouse=True)
def _everything_loaded(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Load what the program loads once, which is not the input's doing."""
    assert leukospect("inspect", broken.good(tmp_path_factory.mktemp("good"))).code == 0


def told(said: Said) -> str:
    """One sentence on standard error, whole, and nothing else."""
    lines = said.stderr.strip().splitlines()
    assert len(lines) == 1, said.stderr
    assert lines[0].startswith("leukospect: ")
    assert lines[0].endswith((".", "'"))
    assert "Traceback" not in lines[0]
    assert "defect" not in lines[0]
    return lines[0]


def highest_memory() -> int:
    """The most memory that the process has held since it was last asked to forget, bytes; 0 where nobody tells."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.is_file() else None
    return 1024 * int(found.group(1)) if found else 0


def forget_highest_memory() -> int:
    forget = Path("/proc/self/clear_refs")
    if forget.exists():
        forget.write_text("5")
    return highest_memory()


def bytes_of(path: Path) -> int:
    folder = path if path.is_dir() else path.parent
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file()) if folder.is_dir() else 0


def inspected(path: Path, *options: str) -> Said:
    """Look at an input, within time and memory, and with no word of the patient."""
    before, began = forget_highest_memory(), time.monotonic()
    said = leukospect("inspect", path, *options)
    assert time.monotonic() - began < _LONGEST_S
    assert highest_memory() - before < 2 * bytes_of(path) + _MOST_BYTES
    assert "yxwvut" not in said.stdout + said.stderr
    assert said.code in (0, 3), said.stderr
    return said


@dataclass(frozen=True)
class Refused:
    """An input that is refused by `inspect` and `recon`, and what the sentence must hold."""

    name: str
    make: Make
    sentence: str

    def __str__(self) -> str:
        return self.name


nan = b"nan"
VECTORS = [
    Refused("vector missing", element(DetectorVector=None), "Detector Vector"),
    Refused("vector short", element(AngularViewVector=[1, 2, 3]), "3 values for 48 frames"),
    Refused("vector beyond its range", element(DetectorVector=[1] * 24 + [9] * 24), "from 1 to 9"),
    Refused("vector from zero", element(DetectorVector=[0] * 48), "from 0 to 0"),
    Refused("vector names frames twice", element(EnergyWindowVector=[1] * 48), "48 frames"),
    Refused("number of frames is text", bad_text("NumberOfFrames", b"xy"), "Number of Frames"),
    Refused("number of frames is 0", announced(24, 40, 0), "Number of Frames"),
    Refused("number of frames is negative", announced(24, 40, -1), "Number of Frames"),
]
ROTATIONS = [
    Refused("rotations disagree", element(NumberOfRotations=3), "Number of Rotations"),
    Refused("views disagree", in_rotation(NumberOfFramesInRotation=7), "Number of Frames in Rotation"),
    Refused("direction missing", in_rotation(RotationDirection=None), "--direction"),
    Refused("direction unknown", in_rotation(RotationDirection="LEFT"), "--direction"),
    Refused("step and arc zero", in_rotation(AngularStep=0, ScanArc=0), "Angular Step"),
    Refused("step without end", bad_text("AngularStep", b"1e999", "RotationInformationSequence"), "12 views"),
    Refused("start angle is NaN", bad_text("StartAngle", nan, "RotationInformationSequence"), "finite"),
    Refused("start angle is text", bad_text("StartAngle", b"abc", "RotationInformationSequence"), "not a number"),
    Refused("radius negative", in_head(RadialPosition=[-5.0]), "must be positive"),
    Refused("radius of one view zero", in_head(RadialPosition=[250.0] * 11 + [0.0]), "must be positive"),
    Refused("radii of some views", in_head(RadialPosition=[250.0] * 5), "5 values for 12 views"),
    Refused("radius is NaN", replaced(b"250.0 ", b"nan   "), "Radial Position"),
]
WINDOWS = [
    Refused("limits swapped", in_window(EnergyWindowLowerLimit=154, EnergyWindowUpperLimit=126), "154"),
    Refused("limit negative", in_window(EnergyWindowLowerLimit=-10), "-10"),
    Refused("limits equal", in_window(EnergyWindowLowerLimit=154), "154"),
    Refused("limit is NaN", replaced(b"126.0 ", b"nan   "), "Energy Window Lower Limit"),
    Refused("more windows than described", element(NumberOfEnergyWindows=5), "Number of Energy Windows"),
    Refused(
        "65535 windows", element(NumberOfEnergyWindows=65535, EnergyWindowInformationSequence=None), "more than 1000"
    ),
    Refused("65535 heads", element(NumberOfDetectors=65535, DetectorInformationSequence=None), "more than 1000"),
    Refused("65535 rotations", element(NumberOfRotations=65535), "more than 1000"),
]
PIXELS = [
    Refused("slope is 0", element(RescaleSlope=0), "Rescale Slope"),
    Refused("slope is NaN", replaced(b"1.2345", b"nan   ", RescaleSlope="1.2345"), "Rescale Slope"),
    Refused("slope is infinite", replaced(b"1.2345", b"inf   ", RescaleSlope="1.2345"), "Rescale Slope"),
    Refused("slope beyond all numbers", element(RescaleSlope="1e300"), "not finite"),
    Refused("slope negative", element(RescaleSlope=-1), "negative"),
    Refused("12 bits allocated", element(BitsAllocated=12), "Bits Allocated"),
    Refused("no bits allocated", element(BitsAllocated=0), "Bits Allocated"),
    Refused("8 bits for 16", element(BitsAllocated=8, BitsStored=8, HighBit=7), "make 46080"),
    Refused("32 bits for 16", element(BitsAllocated=32, BitsStored=32, HighBit=31), "make 184320"),
    Refused("17 bits stored in 16", element(BitsStored=17, HighBit=16), "Bits Stored"),
    Refused("high bit low", element(HighBit=11), "High Bit"),
    Refused("sign unknown", element(PixelRepresentation=7), "Pixel Representation"),
    Refused("in colour", element(SamplesPerPixel=3), "grey"),
    Refused("no pixels", element(PixelData=None), "no pixel data"),
    Refused("no rows", element(Rows=None), "Rows"),
    Refused("rows zero", element(Rows=0), "Rows"),
    Refused(
        "rows of one byte", replaced(b"\x28\x00\x10\x00US\x02\x00\x18\x00", b"\x28\x00\x10\x00US\x01\x00\x18"), "Rows"
    ),
    Refused("absurd sizes", announced(65535, 65535, 10000), "65535"),
    Refused("large sizes of few bytes", announced(16384, 16384, 10000), "100 bytes"),
    Refused("2^31 frames", announced(24, 40, 2**31), "Number of Frames"),
    Refused("run-length garbage", compressed(RLE, bytes(range(256))), "decoded"),
    Refused("run-length too short", compressed(RLE, RLE_HEADER + b"\x81\x00" * 400), "decoded"),
    Refused("run-length bomb", compressed(RLE, RLE_HEADER + b"\x81\x00" * 200_000), "another size"),
    Refused("run-length claims", compressed(RLE, RLE_HEADER + bytes(2000), Rows=16000, Columns=16000), "too few"),
    Refused("JPEG garbage", compressed(JPEG, b"garbage " * 20), "damaged"),
    Refused("JPEG of noise", compressed(JPEG, jpeg(24, 40)), "decoded"),
    Refused("JPEG that ends its decoder", compressed(JPEG, jpeg(24, 40, precision=17)), "decoded"),
    Refused("JPEG of another size", compressed(JPEG, jpeg(60000, 60000)), "another size"),
    Refused("JPEG 2000 of noise", compressed(JPEG_2000, jpeg_2000(24, 40)), "decoded"),
    Refused("JPEG 2000 of another size", compressed(JPEG_2000, jpeg_2000(60000, 60000)), "another size"),
    Refused("JPEG-LS cut off", compressed(JPEG_LS, b"\xff\xd8\xff\xf7" + bytes(50)), "another size"),
    Refused("a film", compressed("1.2.840.10008.1.2.4.100", b"garbage " * 20), "pixel data"),
    Refused("an unknown syntax", replaced(b"1.2.840.10008.1.2.1\0", b"1.2.3.4.5.6.7.8.9.10"), "unknown compression"),
    Refused(
        "not compressed but said to be",
        replaced(b"UI\x14\x001.2.840.10008.1.2.1\0", b"UI\x16\x001.2.840.10008.1.2.4.70"),
        "decoded",
    ),
]
GEOMETRY = [
    Refused("pixels negative", element(PixelSpacing=[-4, 4]), "Pixel Spacing"),
    Refused("pixels zero", element(PixelSpacing=[0, 4]), "Pixel Spacing"),
    Refused("pixels huge", element(PixelSpacing=[4e6, 4]), "Pixel Spacing"),
    Refused("pixels tiny", element(PixelSpacing=[1e-12, 1e-12]), "Pixel Spacing"),
    Refused("pixels of one size", element(PixelSpacing=[4]), "Pixel Spacing"),
    Refused("pixels NaN", bad_text("PixelSpacing", b"nan\\4.0"), "Pixel Spacing"),
    Refused("pixels in words", bad_text("PixelSpacing", b"wide"), "Pixel Spacing"),
    Refused("orientation too long", in_head(ImageOrientationPatient=[2, 0, 0, 0, 0, -2]), "Image Orientation"),
    Refused("orientation of five", in_head(ImageOrientationPatient=[1, 0, 0, 0, 0]), "5 values"),
    Refused("orientation of another head", in_head(ImageOrientationPatient=[0, 1, 0, 0, 0, -1]), "--start-angle-deg"),
    Refused("position of two", in_head(ImagePositionPatient=[1, 0]), "2 values"),
]
FILES = [
    Refused("empty", plain(b""), "not a DICOM file"),
    Refused("a text", plain(b"hello, no image\n" * 50), "not a DICOM file"),
    Refused("part of a preamble", plain(META[:100]), "not a DICOM file"),
    Refused("a preamble", plain(META), "cut off or damaged"),
    Refused("begins as if implicit", plain(b"\x08\x00" + b"x" * 500), "not a DICOM file"),
    Refused("noise", plain(META + np.random.default_rng(1).bytes(5000)), "damaged"),
    *(Refused(f"cut at {at}", cut(at), "cut off|not a DICOM") for at in (0.02, 0.1, 0.3, 0.5, 0.8, 0.95, 0.999)),
    *(Refused(f"cut at {at}", cut(at), "cut off") for at in (1.0, 1.0003, 1.001, 1.5, 1.9)),
    Refused("cut in a sequence", cut_in("DetectorInformationSequence"), "cut off"),
    Refused("cut in a vector", cut_in("AngularViewVector"), "cut off"),
    Refused("an element longer than the file", with_elements(raw(0x0008103F, b"UT", b"a", 0x7FFFFFF0)), "damaged"),
    Refused("the same of a private one", with_elements(raw(0x00091001, b"OB", b"a", 0xFFFFFFF0)), "damaged"),
    Refused("sequences nested without end", with_elements(nested(1500)), "damaged"),
    Refused("sequences nested deeply", in_place_of_windows(nested_closed(5000)), "Energy Window Information"),
    Refused("a million empty items", in_place_of_windows(empty_items(0x00540012, 1_000_000)), "damaged"),
    Refused("many empty items", in_place_of_windows(empty_items(0x00540012, 400_000)), "damaged"),
    Refused(
        "empty items without end",
        plain(meta("1.2.840.10008.1.2.1") + empty_items(0x00081140, 1_000_000, undefined=True)),
        "more elements",
    ),
    Refused("zeros without end", sparse(5 * 2**30, META), "more elements"),
    Refused("5 GB of zeros", sparse(5 * 2**30), "not a DICOM file"),
    Refused("5 GB of pixels", sparse_pixels(0xFFFFFFFE), "4294967294 bytes"),
    Refused("5 GB of pixels without an end", sparse_pixels(0xFFFFFFFF), "damaged"),
    Refused("deflated garbage", plain(meta("1.2.840.10008.1.2.1.99") + bytes(range(256)) * 20), "damaged"),
    Refused("deflate bomb", broken.deflate_bomb, "100 times"),
    Refused("deflate bomb in the header", broken.deflate_bomb_in_the_header, "100 times"),
]
PLACES = [
    Refused("nothing there", lambda folder: folder / "nothing", "There is nothing at"),
    Refused("a pipe", broken.fifo, "pipe or a device"),
    Refused("a folder with a pipe", lambda folder: broken.fifo(folder).parent, "is empty"),
    Refused("a device", lambda folder: Path("/dev/zero"), "pipe or a device"),
    Refused("links in a circle", broken.links_in_a_circle, "is empty"),
    Refused("a folder named as a file", broken.a_directory_named_as_a_file, "is empty"),
    Refused("names in no encoding", broken.odd_names, "3 that are not DICOM"),
    Refused("zip bomb", broken.zip_bomb, "would unpack to 300 MB"),
    Refused("zip that lies", broken.zip_that_lies, "damaged"),
    Refused("zip encrypted", broken.zip_encrypted, "encrypted"),
    Refused("zip damaged", broken.zip_damaged, "cut off or damaged"),
    Refused("zip cut off", plain(zipped({"a": written(tomo())})[:-30], "study.zip"), "cut off or damaged"),
    Refused("zip empty", zip_of(), "empty"),
    Refused("zip in a zip", zip_of(inside=zipped({"a": written(tomo())})), "zip archive inside"),
    Refused("zip of another method", plain(zipped({"a": written(tomo())}, ZIP_LZMA), "study.zip"), "method"),
    Refused("tar.gz", broken.tar_gz, "gzip archive"),
    Refused("DICOMDIR that points outside", directory(dicomdir(["..", "x"], ["", "etc"], ["C:", "x"])), "3 outside"),
    Refused("DICOMDIR of itself", directory(dicomdir(["DICOMDIR"])), "names no files"),
    Refused("DICOMDIR of missing files", directory(dicomdir(["A", "B"], ["A", "C"])), "2 missing"),
    Refused("DICOMDIR of nothing", directory(dicomdir()), "names no files"),
    Refused("DICOMDIR cut off", directory(dicomdir(["A", "B"])[:-60]), "cut off"),
    Refused("DICOMDIR without records", directory(meta("1.2.840.10008.1.2.1")), "DICOM directory cannot be read"),
    Refused("DICOMDIR that is a text", directory(b"no DICOM " * 100), "not a DICOM file"),
    Refused(
        "DICOMDIR of empty items", directory(dicomdir()[:-12] + empty_items(0x00041220, 2_000_000)), "cannot be read"
    ),
]


@pytest.mark.parametrize("case", [*VECTORS, *ROTATIONS, *WINDOWS, *PIXELS, *GEOMETRY, *FILES, *PLACES], ids=str)
def test_broken_inputs_are_refused_in_a_sentence(case: Refused, tmp_path: Path) -> None:
    path = case.make(tmp_path / "input")
    said = inspected(path)
    assert said.code == 3
    assert re.search(case.sentence, told(said)), said.stderr
    (tmp_path / "there").mkdir()
    said = leukospect("recon", path, "-o", tmp_path / "there" / "out", *_RECON)
    assert said.code == 3
    assert "yxwvut" not in told(said)
    assert not list((tmp_path / "there").iterdir())


@dataclass(frozen=True)
class Noted:
    """An input that is read, with a note that must hold the sentence."""

    name: str
    make: Make
    sentence: str

    def __str__(self) -> str:
        return self.name


ASSUMED = [
    Noted("step zero", in_rotation(AngularStep=0), "Angular Step"),
    Noted("radius zero", in_head(RadialPosition=[0.0]), "Radial Position"),
    Noted("radius in cm", in_head(RadialPosition=[25.0]), "implausibly near"),
    Noted("window limit missing", in_window(EnergyWindowLowerLimit=None), "limits of energy window 1"),
    Noted("position far away", in_head(ImagePositionPatient=[1e9, 0, 1e9]), "cannot be their place"),
    Noted("position missing", in_head(ImagePositionPatient=None), "axis of rotation"),
    Noted("velocity zero", whole_body(ScanVelocity=0), "Scan Velocity"),
    Noted("velocity negative", whole_body(ScanVelocity=-3), "Scan Velocity"),
    Noted("injection after it", in_injection(RadiopharmaceuticalStartDateTime="20240111080000"), "injection follows"),
    Noted("injection in words", in_injection(RadiopharmaceuticalStartDateTime="yesterday"), "no date and time"),
    Noted("dose beyond reason", in_injection(RadionuclideTotalDose="1e30"), "neither MBq nor Bq"),
    Noted("duration negative", in_rotation(ActualFrameDuration=-3), "Actual Frame Duration"),
    Noted("duration zero", in_rotation(ActualFrameDuration=0), "Actual Frame Duration"),
    Noted("date impossible", element(AcquisitionDate="20241399"), "date and time"),
    Noted("slices without orientation", recon_tomo(), "Image Orientation"),
    Noted("CT slice turned", ct(one_slice(ImageOrientationPatient=[0, 1, 0, 1, 0, 0])), "1 slice is missing"),
    Noted("the same file twice", broken.the_same_twice, "copies"),
    Noted("archives in a folder", folder_of(broken.good, broken.tar_gz), "gzip archive inside"),
    Noted("DICOMDIR with some files", broken.dicomdir_and_one_file, "missing, though the DICOM directory names them"),
    Noted("DICOMDIR with some outside", broken.dicomdir_and_one_file, "outside the DICOM directory"),
    Noted("damaged beside good", folder_of(broken.good, cut(0.3)), "cut off or damaged"),
    Noted("zip with junk", zip_of(a=written(tomo()), b=b"junk"), "not DICOM"),
]


@pytest.mark.parametrize("case", ASSUMED, ids=str)
def test_what_is_assumed_of_an_input_is_noted(case: Noted, tmp_path: Path) -> None:
    said = inspected(case.make(tmp_path / "input"), "--json")
    assert said.code == 0, said.stderr
    found = json.loads(said.stdout)
    notes = [note for one in found["acquisitions"] for note in one["assumptions"]] + found["problems"]
    assert any(case.sentence in note for note in notes), notes


VOLUMES = [
    Refused("CT slope zero", ct(each(RescaleSlope=0)), "Rescale Slope"),
    Refused("CT slice of other size", ct(one_slice(Rows=3)), "missing"),
    Refused("CT pixels zero", ct(each(PixelSpacing=[0, 1])), "Pixel Spacing"),
    Refused("CT slice missing", ct(lambda slices: slices.__delitem__(2)), "missing"),
    Refused("CT position of two", ct(one_slice(ImagePositionPatient=[1, 2])), "Image Position"),
    Refused("CT slices in one place", ct(each(ImagePositionPatient=[1, 2, 3])), "where another one lies"),
    Refused("slices without distance", recon_tomo(SpacingBetweenSlices=0), "Spacing Between Slices"),
    Refused("slices named twice", recon_tomo(SliceVector=[1, 1, 2, 3]), "never"),
    Refused("slices that are not there", recon_tomo(NumberOfSlices=9), "4 frames"),
]


@pytest.mark.parametrize("case", VOLUMES, ids=str)
def test_broken_volumes_are_refused_in_a_sentence(case: Refused, tmp_path: Path) -> None:
    path = case.make(tmp_path / "input")
    said = inspected(path)
    assert said.code == 3
    assert re.search(case.sentence, told(said)), said.stderr
    (tmp_path / "there").mkdir()
    assert leukospect("mar", path, "-o", tmp_path / "there" / "out").code == 3
    assert not list((tmp_path / "there").iterdir())


def test_ct_of_two_patients_is_refused(tmp_path: Path) -> None:
    path = ct(broken.other_patient_in_ct)(tmp_path / "input")
    assert "2 patients" in inspected(path).stdout
    for command in ("mar", "run"):
        assert "2 patients" in told(leukospect(command, path, "-o", tmp_path / "out"))


GARBAGE = {
    "birth date": replaced(b"20000101", b"!!\xff\xfe!!!!", PatientBirthDate="20000101"),
    "unknown character set": element(SpecificCharacterSet="KLINGON"),
    "bytes of no character set": replaced(broken.NAME.encode(), b"Zyxwvut^\xff\xfe\x1b\x24\x42\x80"),
    "private elements": with_elements(raw(0x00091001, b"UN", b"\xff" * 300), raw(0x00091002, b"DS", b"words")),
    "an unknown kind of value": with_elements(raw(0x00091001, b"ZZ", b"\xff" * 30)),
    "a sequence nested deeply": with_elements(nested_closed(5000)),
    "the name everywhere": element(
        SeriesDescription=broken.NAME, StudyDescription=broken.NAME, PatientComments=broken.NAME, RescaleType="Zyxwvut"
    ),
}


@pytest.mark.parametrize("make", GARBAGE.values(), ids=GARBAGE)
def test_garbage_that_nobody_needs_does_no_harm(make: Make, tmp_path: Path) -> None:
    path = make(tmp_path / "input")
    assert inspected(path).code == 0
    said = leukospect("recon", path, "-o", tmp_path / "out", *_RECON)
    assert said.code == 0, said.stderr
    assert "yxwvut" not in said.stdout + said.stderr
    assert (tmp_path / "out" / "dicom" / "recon.dcm").is_file()


def test_decoders_say_nothing_of_their_own(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = compressed(JPEG, jpeg(24, 40))(tmp_path)
    assert leukospect("inspect", path).code == 3
    assert capfd.readouterr() == ("", "")


def test_the_next_image_is_decoded_after_one_that_ended_the_decoder() -> None:
    # A bit 0 for each pixel: it is as the one before it, and the first is half of what 16 bits hold.
    good = jpeg(24, 40, data=bytes(24 * 40 // 8) + b"\xff\xd9")
    elements: dict[str, object] = {
        "Rows": 24,
        "Columns": 40,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 0,
    }
    for _ in range(2):
        with pytest.raises(InputError, match="decoded"):
            decode_frame(jpeg(24, 40, precision=17), JPEG, elements)
        assert decode_frame(good, JPEG, elements).tolist() == [32768] * 960


def test_a_file_that_may_not_be_read_is_said_and_not_taken_for_junk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(broken.good, broken.good)(tmp_path / "input")
    closed = folder / "1" / "good.dcm"
    opened = Path.open

    def refusing(path: Path, *arguments: object, **options: object) -> object:
        if path == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refusing)
    found = json.loads(leukospect("inspect", folder, "--json").stdout)
    assert len(found["acquisitions"]) == 1
    assert "that cannot be opened" in found["problems"][0]


TRAPS = {
    "deflate bomb": broken.deflate_bomb,
    "deflate bomb in the header": broken.deflate_bomb_in_the_header,
    "zip that lies": broken.zip_that_lies,
    "run-length bomb": compressed(RLE, RLE_HEADER + b"\x81\x00" * 200_000),
    "as many items as are looked at": in_place_of_windows(empty_items(0x00540012, 32_000)),
    "absurd sizes": announced(16384, 16384, 10000),
}
_LOOK = """
import re, sys
from pathlib import Path
from leukospect.cli import main
codes = [main(["inspect", path]) for path in sys.argv[1:]]
status = Path("/proc/self/status")
memory = re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text()) if status.is_file() else None
print(codes, int(memory.group(1)) if memory else 0)
"""


def test_traps_take_little_memory_in_all(tmp_path: Path) -> None:
    """The memory of a process that does nothing else, with the program itself in it."""
    paths = [make(tmp_path / str(number)) for number, make in enumerate(TRAPS.values())]
    command = [sys.executable, "-c", _LOOK, *map(str, paths)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    codes, _, kilobytes = ran.stdout.strip().rpartition(" ")
    assert codes == str([3] * len(paths))
    assert len(ran.stderr.splitlines()) == len(paths)
    assert int(kilobytes) * 1024 < _MOST_BYTES + 2 * max(path.stat().st_size for path in paths)


def test_thousands_of_junk_files_are_passed_over_quickly(tmp_path: Path) -> None:
    broken.good(tmp_path)
    for number in range(5000):
        (tmp_path / f"{number}.dat").write_bytes(struct.pack("<L", number) * 100)
    began = time.monotonic()
    said = leukospect("inspect", tmp_path)
    assert said.code == 0
    assert time.monotonic() - began < 5.0
    assert "5000 of 5001 files not used" in said.stdout
