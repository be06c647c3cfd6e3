"""Inputs that are wrong in one way each: elements, truncations, absurd sizes, traps, and things that are no files."""

from __future__ import annotations

import gzip
import io
import os
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import UID

from tests.dicom.acquisitions import Tomo, ct_slices, item, nm_dataset

NAME = "Zyxwvut^Quirin"
"""A patient's name that no word of the program's can hold by chance."""

Make = Callable[[Path], Path]


def tomo(**changes: Any) -> FileDataset:
    made = Tomo(**changes).dataset()
    made.PatientName, made.PatientID = NAME, "Zyxwvut"
    return made


def written(dataset: FileDataset) -> bytes:
    """Write a dataset as it is, right or wrong."""
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom has a word for some of it
        dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def put(folder: Path, content: bytes, name: str = "one.dcm") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def raw(tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    """An element in explicit little endian, of whatever length it says."""
    group, element = tag >> 16, tag & 0xFFFF
    size = len(value) if length is None else length
    if vr in (b"OB", b"OW", b"SQ", b"UN", b"UT"):
        return struct.pack("<HH2sHL", group, element, vr, 0, size) + value
    return struct.pack("<HH2sH", group, element, vr, size) + value


def element(**elements: Any) -> Make:
    """A TOMO with elements replaced, or taken out where None."""

    def make(folder: Path) -> Path:
        made = tomo(windows=2, start_angles_deg=(0.0, 180.0))
        _set(made, elements)
        return put(folder, written(made))

    return make


def in_head(**elements: Any) -> Make:
    def make(folder: Path) -> Path:
        made = tomo()
        _set(made.DetectorInformationSequence[0], elements)
        return put(folder, written(made))

    return make


def in_rotation(**elements: Any) -> Make:
    def make(folder: Path) -> Path:
        made = tomo(angles_of="rotation")
        _set(made.RotationInformationSequence[0], elements)
        return put(folder, written(made))

    return make


def in_window(**elements: Any) -> Make:
    def make(folder: Path) -> Path:
        made = tomo()
        _set(made.EnergyWindowInformationSequence[0].EnergyWindowRangeSequence[0], elements)
        return put(folder, written(made))

    return make


def in_injection(**elements: Any) -> Make:
    def make(folder: Path) -> Path:
        made = tomo()
        _set(made.RadiopharmaceuticalInformationSequence[0], elements)
        return put(folder, written(made))

    return make


def _set(dataset: Dataset, elements: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for keyword, value in elements.items():
            if value is None:
                delattr(dataset, keyword)
            else:
                setattr(dataset, keyword, value)


def bad_text(keyword: str, value: bytes, where: str = "") -> Make:
    """A TOMO in which an element holds text that is no value of it."""

    def make(folder: Path) -> Path:
        made = tomo(angles_of="rotation")
        content = written(made)
        holder: Dataset = getattr(made, where)[0] if where else made
        held = holder[keyword]
        old = raw(int(held.tag), str(held.VR).encode(), b"")[:6]
        place = content.index(old)
        length = struct.unpack_from("<H", content, place + 6)[0]
        # Lengths of sequences stay right where the new value is as long as the old one.
        return put(folder, content[: place + 8] + value.ljust(length)[:length] + content[place + 8 + length :])

    return make


def cut(at: float) -> Make:
    """A TOMO cut off after a part of it: of its header below 1, of its pixels above."""

    def make(folder: Path) -> Path:
        content = written(tomo())
        pixels = content.index(struct.pack("<HH2s", 0x7FE0, 0x0010, b"OW"))
        end = int(at * pixels) if at < 1 else int(pixels + (at - 1) * (len(content) - pixels))
        return put(folder, content[:end])

    return make


def cut_in(keyword: str) -> Make:
    """A TOMO cut off within an element."""

    def make(folder: Path) -> Path:
        made = tomo()
        content = written(made)
        tag = int(made[keyword].tag)
        return put(folder, content[: content.index(struct.pack("<HH", tag >> 16, tag & 0xFFFF)) + 30])

    return make


def with_elements(*elements: bytes) -> Make:
    """A TOMO with elements of our own bytes at the end of group 0008."""

    def make(folder: Path) -> Path:
        content = written(tomo())
        place = content.index(struct.pack("<HH", 0x0010, 0x0010))
        return put(folder, content[:place] + b"".join(elements) + content[place:])

    return make


def nested(levels: int) -> bytes:
    """A sequence within a sequence, and so on, none of a defined length."""
    undefined = 0xFFFFFFFF
    begin = raw(0x00081140, b"SQ", b"", undefined) + struct.pack("<HHL", 0xFFFE, 0xE000, undefined)
    return begin * levels


def nested_closed(levels: int) -> bytes:
    """The same with lengths, so that a parser comes upon the depth only when it looks inside."""
    end = struct.pack("<HHL", 0xFFFE, 0xE00D, 0) + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    value = nested(levels) + end * levels
    return raw(0x00540012, b"SQ", struct.pack("<HHL", 0xFFFE, 0xE000, len(value)) + value)


def in_place_of_windows(sequence: bytes) -> Make:
    def make(folder: Path) -> Path:
        made = tomo()
        del made.EnergyWindowInformationSequence
        content = written(made)
        place = content.index(struct.pack("<HH2s", 0x0054, 0x0016, b"SQ"))
        return put(folder, content[:place] + sequence + content[place:])

    return make


def empty_items(tag: int, size: int, undefined: bool = False) -> bytes:
    """A sequence of `size` items that hold nothing."""
    value = struct.pack("<HHL", 0xFFFE, 0xE000, 0) * size
    return raw(tag, b"SQ", value, 0xFFFFFFFF if undefined else None)


META = bytes(128) + b"DICM"


def meta(syntax: str) -> bytes:
    value = syntax.encode()
    return META + raw(0x00020010, b"UI", value + b"\0" * (len(value) % 2))


def deflated(content: bytes, zeros: int = 0) -> bytes:
    """The deflated transfer syntax of a dataset, and many zeros after it."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = [packer.compress(content)]
    step = bytes(2**24)
    for _ in range(zeros // len(step)):
        packed.append(packer.compress(step))
    return meta("1.2.840.10008.1.2.1.99") + b"".join(packed) + packer.flush()


def dataset_bytes(made: FileDataset) -> bytes:
    """A dataset without preamble and file meta information."""
    content = written(made)
    return content[content.index(struct.pack("<HH2s", 0x0008, 0x0008, b"CS")) :]


def deflate_bomb(folder: Path) -> Path:
    """Pixel data of 256 MB of zeros in 256 kB, with a header that announces just that."""
    made = tomo()
    made.Rows = made.Columns = 1024
    made.NumberOfFrames = 128
    content = dataset_bytes(made)
    place = content.index(struct.pack("<HH2s", 0x7FE0, 0x0010, b"OW"))
    return put(folder, deflated(content[:place] + raw(0x7FE00010, b"OW", b"", 2**28), 2**28))


def deflate_bomb_in_the_header(folder: Path) -> Path:
    content = dataset_bytes(tomo())
    place = content.index(struct.pack("<HH2s", 0x0010, 0x0010, b"PN"))
    return put(folder, deflated(content[:place] + raw(0x00091001, b"OB", b"", 2**28 - 8), 2**28))


def deflated_garbage(folder: Path) -> Path:
    return put(folder, meta("1.2.840.10008.1.2.1.99") + bytes(range(256)) * 20)


def compressed(syntax: str, frame: bytes, **elements: Any) -> Make:
    """A TOMO whose frames are all the same compressed bytes."""

    def make(folder: Path) -> Path:
        made = tomo()
        made.file_meta.TransferSyntaxUID = UID(syntax)
        _set(made, elements)
        made.PixelData = encapsulate([frame] * 12)
        made["PixelData"].VR = "OB"
        made["PixelData"].is_undefined_length = True
        return put(folder, written(made))

    return make


RLE, JPEG, JPEG_2000, JPEG_LS = (f"1.2.840.10008.1.2.{n}" for n in ("5", "4.70", "4.90", "4.80"))
RLE_HEADER = struct.pack("<16L", 2, 64, 1000, *[0] * 13)


def jpeg(rows: int, columns: int, precision: int = 16, data: bytes = bytes(range(200)) * 3) -> bytes:
    """A lossless JPEG, noise unless data are given; a precision of 17 bits ends the decoder's process."""
    frame = struct.pack(">HHBHHB3B", 0xFFC3, 11, precision, rows, columns, 1, 1, 0x11, 0)
    huffman = b"\xff\xc4" + struct.pack(">HB", 2 + 17 + 1, 0) + bytes([1] + [0] * 15) + b"\0"
    scan = b"\xff\xda" + struct.pack(">HB2B3B", 8, 1, 1, 0, 1, 0, 0)
    return b"\xff\xd8" + frame + huffman + scan + data


def jpeg_2000(rows: int, columns: int) -> bytes:
    size = struct.pack(">HHHLLLLLLLLHBBB", 0xFF51, 41, 0, columns, rows, 0, 0, columns, rows, 0, 0, 1, 15, 1, 1)
    return b"\xff\x4f" + size + bytes(range(256)) * 2


def announced(rows: int, columns: int, frames: Any, size: int = 100) -> Make:
    def make(folder: Path) -> Path:
        made = tomo()
        made.Rows, made.Columns, made.NumberOfFrames, made.PixelData = rows, columns, frames, bytes(size)
        return put(folder, written(made))

    return make


def repeated(content: bytes, times: int) -> Make:
    """A file that begins as DICOM and goes on with the same bytes many times."""

    def make(folder: Path) -> Path:
        return put(folder, meta("1.2.840.10008.1.2.1") + content * times)

    return make


def sparse(size: int, begin: bytes = b"") -> Make:
    """A file of zeros that takes no room on the disk."""

    def make(folder: Path) -> Path:
        path = put(folder, begin)
        os.truncate(path, size)
        return path

    return make


def plain(content: bytes, name: str = "one.dcm") -> Make:
    return lambda folder: put(folder, content, name)


def fifo(folder: Path) -> Path:
    folder.mkdir()
    os.mkfifo(folder / "pipe.dcm")
    return folder / "pipe.dcm"


def folder_of(*makes: Make) -> Make:
    """A folder with several of them in folders of their own."""

    def make(folder: Path) -> Path:
        for number, one in enumerate(makes):
            one(folder / str(number))
        return folder

    return make


def good(folder: Path) -> Path:
    return put(folder, written(tomo()), "good.dcm")


def the_same_twice(folder: Path) -> Path:
    content = written(tomo())
    put(folder, content, "a.dcm")
    put(folder, content, "b.dcm")
    return folder


def replaced(old: bytes, new: bytes, **elements: Any) -> Make:
    """A TOMO in whose bytes something is replaced."""
    return lambda folder: put(folder, written(tomo(elements=elements)).replace(old, new))


def sparse_pixels(length: int) -> Make:
    """A TOMO whose pixel data are gigabytes of zeros, with the length they say they have."""

    def make(folder: Path) -> Path:
        content = written(tomo())
        place = content.index(struct.pack("<HH2s", 0x7FE0, 0x0010, b"OW"))
        return sparse(5 * 2**30, content[:place] + raw(0x7FE00010, b"OW", b"", length))(folder)

    return make


def links_in_a_circle(folder: Path) -> Path:
    folder.mkdir()
    (folder / "a.dcm").symlink_to("b.dcm")
    (folder / "b.dcm").symlink_to("a.dcm")
    (folder / "up").symlink_to("..")
    (folder / "nothing.dcm").symlink_to("not there")
    return folder


def a_directory_named_as_a_file(folder: Path) -> Path:
    (folder / "one.dcm").mkdir(parents=True)
    return folder / "one.dcm"


def odd_names(folder: Path) -> Path:
    folder.mkdir()
    for number, name in enumerate((b"\xff\xfe.dcm", b"new\nline.dcm", b"Zyxwvut^Quirin\x1b[31m.txt")):
        (folder / os.fsdecode(name)).write_bytes(b"no image" * number)
    return folder


def ct(change: Callable[[list[FileDataset]], None]) -> Make:
    def make(folder: Path) -> Path:
        array = np.arange(5 * 6 * 7, dtype=np.int16).reshape(5, 6, 7) - 500
        slices = ct_slices(array, np.array([[-10.0, -20.0, 3.0 * k - 40.0] for k in range(5)]))
        for one in slices:
            one.PatientName, one.PatientID = NAME, "Zyxwvut"
        change(slices)
        for number, one in enumerate(slices):
            put(folder, written(one), f"{number}.dcm")
        return folder

    return make


def each(**elements: Any) -> Callable[[list[FileDataset]], None]:
    def change(slices: list[FileDataset]) -> None:
        for one in slices:
            _set(one, elements)

    return change


def one_slice(**elements: Any) -> Callable[[list[FileDataset]], None]:
    return lambda slices: _set(slices[2], elements)


def whole_body(**elements: Any) -> Make:
    def make(folder: Path) -> Path:
        made = nm_dataset("WHOLE BODY", np.ones((1, 12, 8), np.uint16), (3.0, 2.0))
        made.PatientName = NAME
        made.NumberOfDetectors, made.ActualFrameDuration, made.ScanVelocity = 1, 300000, 2.0
        made.EnergyWindowVector = made.DetectorVector = [1]
        made.DetectorInformationSequence = Sequence([item(FieldOfViewDimensions=[500.0, 400.0])])
        _set(made, elements)
        return put(folder, written(made))

    return make


def recon_tomo(**elements: Any) -> Make:
    def make(folder: Path) -> Path:
        made = nm_dataset("RECON TOMO", np.ones((4, 5, 6), np.uint16), (3.0, 2.0))
        made.PatientName = NAME
        made.NumberOfSlices, made.SliceVector, made.SpacingBetweenSlices = 4, [1, 2, 3, 4], 4.0
        _set(made, elements)
        return put(folder, written(made))

    return make


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def zip_bomb(folder: Path) -> Path:
    """Three files of 100 MB of zeros."""
    folder.mkdir()
    path = folder / "study.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            with archive.open(f"{number}.dcm", "w") as member:
                for _ in range(100):
                    member.write(bytes(2**20))
    return path


def zip_that_lies(folder: Path) -> Path:
    """A file of a zip that says it is small and unpacks to 128 MB."""
    content = written(tomo())
    place = content.index(struct.pack("<HH2s", 0x0010, 0x0010, b"PN"))
    content = content[:place] + raw(0x00091001, b"OB", bytes(2**27))
    packed = bytearray(zipped({"one.dcm": content}))
    for header, offset in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        struct.pack_into("<L", packed, packed.index(header) + offset, 30_000)
    return put(folder, bytes(packed), "study.zip")


def zip_encrypted(folder: Path) -> Path:
    packed = bytearray(zipped({"one.dcm": written(tomo())}))
    for header, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        place = packed.index(header) + offset
        packed[place] |= 1
    return put(folder, bytes(packed), "study.zip")


def zip_damaged(folder: Path) -> Path:
    packed = bytearray(zipped({"one.dcm": written(tomo())}, zipfile.ZIP_STORED))
    packed[len(packed) // 2] ^= 0xFF
    return put(folder, bytes(packed), "study.zip")


def tar_gz(folder: Path) -> Path:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        inside = tarfile.TarInfo("one.dcm")
        inside.size = 4
        archive.addfile(inside, io.BytesIO(b"DICM"))
    return put(folder, gzip.compress(stream.getvalue()), "study.tar.gz")


def dicomdir(*ids: list[str], undefined: bool = False) -> bytes:
    """A DICOMDIR whose records name these files; offsets lead back to the first record for ever."""
    records = b""
    for parts in ids:
        value = "\\".join(parts).encode()
        record = (
            raw(0x00041400, b"UL", struct.pack("<L", 400))
            + raw(0x00041410, b"US", struct.pack("<H", 0xFFFF))
            + raw(0x00041420, b"UL", struct.pack("<L", 400))
            + raw(0x00041430, b"CS", b"IMAGE ")
            + raw(0x00041500, b"CS", value + b" " * (len(value) % 2))
            + raw(0x00100010, b"PN", NAME.encode())
        )
        records += struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF if undefined else len(record)) + record
        if undefined:
            records += struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
    head = raw(0x00041200, b"UL", struct.pack("<L", 400)) + raw(0x00041202, b"UL", struct.pack("<L", 400))
    file_meta = raw(0x00020002, b"UI", b"1.2.840.10008.1.3.10") + raw(0x00020010, b"UI", b"1.2.840.10008.1.2.1\0")
    if undefined:
        sequence = raw(0x00041220, b"SQ", records + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0), 0xFFFFFFFF)
    else:
        sequence = raw(0x00041220, b"SQ", records)
    return META + file_meta + head + sequence


def directory(content: bytes) -> Make:
    return lambda folder: put(folder, content, "DICOMDIR")


def zip_of(**files: bytes) -> Make:
    return lambda folder: put(folder, zipped(files), "study.zip")


def dicomdir_and_one_file(folder: Path) -> Path:
    """A DICOMDIR in upper case of a file in lower case, of one that is gone and of one outside."""
    put(folder / "img", written(tomo()), "im0001.dcm")
    put(folder, dicomdir(["IMG", "IM0001.DCM"], ["IMG", "GONE"], ["..", "X"], undefined=True), "DICOMDIR")
    return folder / "DICOMDIR"


def other_patient_in_ct(slices: list[FileDataset]) -> None:
    slices[2].PatientID, slices[2].PatientName = "other", "Zyxwvut^Zacharias"
