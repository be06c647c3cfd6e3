"""How much a file may claim and unpack to: a small file must not fill the memory, nor take long to refuse."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import Dataset

from leukospect.dicom.elements import count, named, number, text
from leukospect.errors import InputError

MEGABYTE = 2**20
LARGEST_ELEMENT = 4 * MEGABYTE  # besides the pixel data; vendors' private blocks that are larger are passed over
MOST_READS = 200_000  # while parsing one header, which has a few hundred elements
LARGEST_HEADER = 128 * MEGABYTE  # of drawn regions: contours, or where many frames lie
MOST_READS_OF_LARGE = 4_000_000  # while parsing one: a few dozen a contour or frame
LARGEST_RATIO = 100  # unpacked to packed; pixel data reach a few tens, zeros a thousand
_SMALL_FILE = 32 * MEGABYTE  # unpacks to this at any ratio
_MOST_FRAMES = 200_000
_LONGEST_SIDE = 16_384
_MOST_PARTS = 1_000
_GREY_BITS = (8, 16, 32, 64)
_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"  # alone may have pixels of one bit
_COUNTED = ("NumberOfEnergyWindows", "NumberOfDetectors", "NumberOfRotations")


def largest_unpacked(packed: int) -> int:
    """Give how many bytes `packed` ones may become before they are taken for a trap."""
    return _SMALL_FILE + LARGEST_RATIO * packed


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """The shape that a header gives to its pixel data: one grey channel of `bits` each."""

    frames: int
    rows: int
    columns: int
    bits: int

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame when decoded."""
        return self.rows * self.columns * self.bits // 8

    @property
    def total_bytes(self) -> int:
        """Bytes of all frames when decoded; those of one bit a pixel follow each other without a gap."""
        return (self.frames * self.rows * self.columns * self.bits + 7) // 8

    def __str__(self) -> str:
        return f"{self.frames} frames of {self.rows} x {self.columns} pixels of {self.bits} bits"


def pixel_layout(dataset: Dataset) -> PixelLayout:
    """Read how the pixel data are laid out, and refuse what no image of a patient can be.

    Raises
    ------
    InputError
        A size is missing, not a positive whole number or beyond reason, the pixels have several channels, or their bits
        contradict each other.
    """
    sides = [_side(dataset, keyword) for keyword in ("Rows", "Columns")]
    frames = count(dataset, "NumberOfFrames")
    if frames > _MOST_FRAMES:
        raise InputError(f"{named('NumberOfFrames')} is {frames:g}; more than {_MOST_FRAMES} cannot be.")
    if count(dataset, "SamplesPerPixel") != 1:
        raise InputError("The pixel data are not in one grey channel.")
    for keyword in _COUNTED:
        if count(dataset, keyword) > _MOST_PARTS:
            raise InputError(f"{named(keyword)} is {count(dataset, keyword)}; more than {_MOST_PARTS} cannot be.")
    return PixelLayout(frames, sides[0], sides[1], _bits(dataset))


def _side(dataset: Dataset, keyword: str) -> int:
    if number(dataset, keyword) is None:
        raise InputError(f"{named(keyword)} is missing, so the size of the image is unknown.")
    side = count(dataset, keyword)
    if side > _LONGEST_SIDE:
        raise InputError(f"{named(keyword)} is {side}; images are read up to {_LONGEST_SIDE}.")
    return side


def _bits(dataset: Dataset) -> int:
    allocated = count(dataset, "BitsAllocated", default=0)
    one_bit = allocated == 1 and text(dataset, "SOPClassUID") == _SEGMENTATION
    if allocated not in _GREY_BITS and not one_bit:
        raise InputError(f"{named('BitsAllocated')} is {allocated or 'missing'}; 8, 16 and 32 are read.")
    stored = count(dataset, "BitsStored", default=allocated)
    high = number(dataset, "HighBit")
    if stored > allocated or (high is not None and high != stored - 1):
        raise InputError(
            f"{named('BitsAllocated')} {allocated}, {named('BitsStored')} {stored} and {named('HighBit')} "
            f"{stored - 1 if high is None else high:g} contradict each other, so the values of the pixels are unknown."
        )
    if number(dataset, "PixelRepresentation") not in (None, 0.0, 1.0):
        raise InputError(f"{named('PixelRepresentation')} is neither 0 nor 1, so the sign of the pixels is unknown.")
    return allocated


def refuse_other_length(layout: PixelLayout, stored_bytes: int) -> None:
    """Refuse uncompressed pixel data that are not as long as their layout says; less than a frame may be padding.

    Raises
    ------
    InputError
    """
    if not layout.total_bytes <= stored_bytes < layout.total_bytes + max(layout.frame_bytes, 2):
        raise InputError(
            f"The pixel data cannot be decoded: they hold {stored_bytes} bytes, but {layout} make "
            f"{layout.total_bytes}; the file is cut off or its header is wrong."
        )


def refuse_bloated(layout: PixelLayout, encoded_bytes: int) -> None:
    """Refuse compressed pixel data that are far too short for what they should decode to.

    Raises
    ------
    InputError
    """
    if layout.total_bytes > largest_unpacked(encoded_bytes):
        raise InputError(
            f"The pixel data cannot be decoded: the {encoded_bytes} compressed bytes are too few for {layout}; the "
            "file is cut off or its header is wrong."
        )
