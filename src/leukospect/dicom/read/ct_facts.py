"""What a CT's headers and values tell besides the anatomy: metal reduction, a cut-off scale, padding, what varies."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from leukospect.ct.reduced_before import THIS_PROGRAM
from leukospect.dicom.elements import count, items, named, number, text, texts
from leukospect.errors import InputError

AIR_HU = -1000.0
LOWEST_HU = -1024.0
TOP_HU = 3071.0
_TOPS_HU = (2976.0, 3096.0)  # 4095 with the intercepts in use, about -1024 and -1000
_TWELVE_BITS = 12
_HALF_HU = 0.5
_CORNERS = 3  # that hold one value: fewer may by noise

# As the makers spell them: Siemens, Philips, Canon, GE, Hitachi, GE's spectral CT; then spelt out, and alone.
_BEFORE, _AFTER = "(?<![A-Za-z])", "(?![A-Za-z])"
_SPELT_OUT = re.compile(r"metal\W+art[ei]fact\w*\W+(reduc|correct|suppress)\w*", re.IGNORECASE)
_NAMES = (
    ("iMAR", re.compile(rf"{_BEFORE}i-?MAR{_AFTER}", re.IGNORECASE)),
    ("O-MAR", re.compile(rf"{_BEFORE}O[-_]MAR{_AFTER}", re.IGNORECASE)),
    ("SEMAR", re.compile(rf"{_BEFORE}SEMAR{_AFTER}")),
    ("Smart MAR", re.compile(rf"{_BEFORE}Smart[-_ ]?MAR{_AFTER}", re.IGNORECASE)),
    ("HiMAR", re.compile(rf"{_BEFORE}Hi-?MAR{_AFTER}", re.IGNORECASE)),
    ("MARs", re.compile(rf"{_BEFORE}MARs{_AFTER}")),
    ("metal artefact reduction", _SPELT_OUT),
    ("MAR", re.compile(rf"{_BEFORE}(?<![OoIi][-_])MAR{_AFTER}")),
)
_CODED_NAMES = (("O-MAR", re.compile(rf"{_BEFORE}OMAR{_AFTER}", re.IGNORECASE)),)  # a person's name elsewhere
_NEGATED = re.compile(r"(?<![A-Za-z])(no|non|not|without|w/?o|ohne|sans|sin|off)[-_ ]*$", re.IGNORECASE)
_TURNED_OFF = re.compile(r"^[-_: ]*(off|none|no)(?![A-Za-z])", re.IGNORECASE)
_DAY_BEFORE = re.compile(r"(?<![\d.])\d{1,2}[-_ ./]?$")  # 12 MAR, in the month of March
_YEAR_AFTER = re.compile(r"^[-_ ./]?((19|20)\d\d(?!\d)|\d{1,2}(?![\d.]|\s*mm))")
_DESCRIBED_IN = ("SeriesDescription", "ReconstructionDescription", "DerivationDescription", "FilterType")
_CODED_IN = ("ConvolutionKernel", "ImageType", "ReconstructionAlgorithm")


def metal_reduction(dataset: Dataset) -> str:
    """Tell which metal artefact reduction was done, by the scanner's name for it or ours; empty where none shows.

    No standard element of a CT image says it, so descriptions, kernel and Image Type are searched for the makers'
    names. The protocol is that of the whole examination, reconstructions without it included, so its name counts only
    where the series has no description. This program names itself among the equipment of what it derives.
    """
    if _derived_here(dataset) and any(
        _SPELT_OUT.search(text(dataset, keyword)) for keyword in ("SeriesDescription", "DerivationDescription")
    ):
        return THIS_PROGRAM
    described = [text(dataset, keyword) for keyword in _DESCRIBED_IN]
    coded = [part for keyword in _CODED_IN for part in texts(dataset, keyword)]
    if not text(dataset, "SeriesDescription"):
        described.append(text(dataset, "ProtocolName"))
    for words in (*coded, *described):
        for name, pattern in _NAMES + (_CODED_NAMES if words in coded else ()):
            if any(_is_meant(name, words, match) for match in pattern.finditer(words)):
                return name
    return ""


def _derived_here(dataset: Dataset) -> bool:
    """Tell whether this program derived an image from others."""
    try:
        equipment = items(dataset, "ContributingEquipmentSequence")
        models = [text(one, "ManufacturerModelName") for one in equipment]
    except InputError:  # damaged equipment is no reason to refuse a CT
        return False
    return texts(dataset, "ImageType")[:1] == ("DERIVED",) and THIS_PROGRAM in models


def _is_meant(name: str, words: str, match: re.Match[str]) -> bool:
    before, after = words[: match.start()], words[match.end() :]
    if _NEGATED.search(before) or _TURNED_OFF.search(after):
        return False
    return name != "MAR" or not (_DAY_BEFORE.search(before) or _YEAR_AFTER.search(after))


_SPECTRAL = (
    ("a virtual non-contrast image", re.compile(rf"{_BEFORE}(VNC|VNUE|VUE|virtual[-_ ]?(non|un))", re.IGNORECASE)),
    (
        "a monoenergetic image",
        re.compile(
            rf"{_BEFORE}(mono([-_ ]?e(nergetic)?|energetic\w*)?{_AFTER}|VMI{_AFTER}|VIRTUAL_MONO|\d+ ?keV)",
            re.IGNORECASE,
        ),
    ),
    (
        "a map of a material",
        re.compile(
            rf"{_BEFORE}(iodine|Z[-_ ]?EFF\w*|effective[-_ ]?(Z{_AFTER}|atomic)|EFF_ATOMIC\w*|electron[-_ ]?dens\w*|"
            rf"MAT_\w*|uric[-_ ]?acid)",
            re.IGNORECASE,
        ),
    ),
)
_NO_AGENT = re.compile(r"\W*(no|none|n|without|ohne|sans|keine?s?|not applied|non ?contrast)?\W*", re.IGNORECASE)


def spectral_kind(dataset: Dataset) -> str:
    """Tell what the numbers are where they are not HU of the tube's spectrum; empty where nothing says so.

    Images of a dual-energy CT at one photon energy, without contrast agent or of a material are told by Image Type, and
    by the series' description.
    """
    written = [*texts(dataset, "ImageType"), text(dataset, "SeriesDescription")]
    for kind, pattern in _SPECTRAL:
        if any(pattern.search(words) for words in written):
            return kind
    return ""


def names_contrast_agent(dataset: Dataset) -> bool:
    """Tell whether Contrast/Bolus Agent names one, or its sequence codes one."""
    return bool(items(dataset, "ContrastBolusAgentSequence")) or not _NO_AGENT.fullmatch(
        text(dataset, "ContrastBolusAgent")
    )


def at_the_top(values: NDArray[np.float32], dataset: Dataset) -> tuple[int, bool]:
    """Count a slice's voxels at the top of a 12-bit scale, and tell whether some lie beyond it.

    The top is that of the 12 bits stored, rescaled, where it is about 3071 HU; else 3071 HU.
    """
    top = TOP_HU
    if count(dataset, "BitsStored", default=16) == _TWELVE_BITS:
        largest = 2047.0 if number(dataset, "PixelRepresentation") else 4095.0
        slope, intercept = number(dataset, "RescaleSlope"), number(dataset, "RescaleIntercept")
        rescaled = largest * (1.0 if slope is None else slope) + (intercept or 0.0)
        if _TOPS_HU[0] <= rescaled <= _TOPS_HU[1]:
            top = rescaled
    near = int(np.count_nonzero(values >= top - _HALF_HU))
    return near, near > 0 and bool(values.max() > top + _HALF_HU)


def without_padding(values: NDArray[np.float32], dataset: Dataset) -> list[tuple[float, NDArray[np.bool_]]]:
    """Set what fills a slice outside the field of view to -1024 HU, in place; give its values and where each was.

    Filling is what Pixel Padding Value says, and the value that at least three corners share, where it is below
    -1024 HU: no tissue is, and interpolated with it the rim of the field of view would be less than air.
    """
    corners = [float(value) for value in values[0, [0, 0, -1, -1], [0, -1, 0, -1]]]
    candidates = {value for value in corners if corners.count(value) >= _CORNERS}
    recorded = _recorded_padding_hu(dataset)
    if recorded is not None:
        candidates.add(recorded)
    found = []
    for padding in sorted(value for value in candidates if value < LOWEST_HU):
        mask = values == np.float32(padding)
        if mask.any():
            values[mask] = LOWEST_HU
            found.append((padding, mask[0]))
    return found


def _recorded_padding_hu(dataset: Dataset) -> float | None:
    try:
        padding = number(dataset, "PixelPaddingValue")
    except InputError:  # an element that only marks the outside is no reason to refuse a CT
        return None
    if padding is None:
        return None
    slope, intercept = number(dataset, "RescaleSlope"), number(dataset, "RescaleIntercept")
    return padding * (1.0 if slope is None else slope) + (intercept or 0.0)


def common_number(slices: Sequence[Dataset], keyword: str, assumptions: list[str]) -> float | None:
    """Give an element that all slices should share; where they differ the first slice's, and say so."""
    found = sorted({value for one in slices if (value := number(one, keyword))})
    if len(found) > 1:
        assumptions.append(
            f"{named(keyword)} differs between slices ({found[0]:g} to {found[-1]:g}); the first slice's is taken."
        )
        return number(slices[0], keyword)
    return found[0] if found else None


def common_kernel(slices: Sequence[Dataset], assumptions: list[str]) -> str:
    """Give the kernel; where slices differ in it the first slice's, and say so."""
    found = sorted({text(one, "ConvolutionKernel") for one in slices})
    first = text(slices[0], "ConvolutionKernel")
    if len(found) > 1:
        names = ", ".join(name or "none" for name in found)
        assumptions.append(
            f"{named('ConvolutionKernel')} differs between slices ({names}); the first slice's is taken."
        )
    return first
