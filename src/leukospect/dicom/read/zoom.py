"""Zoom: what a head's zoomed field says against its pixels (DICOM PS3.3 C.8.4.11.1.3 and .4)."""

from __future__ import annotations

from pydicom.dataset import Dataset

from leukospect.dicom.elements import named, numbers

_ZOOMED = 1.02
_NEAR = 0.05
_OFF_CENTRE_MM = 0.5


def note_zoom(
    heads: tuple[Dataset, ...], shape: tuple[int, int], pixel_mm: tuple[float, float], assumptions: list[str]
) -> None:
    """Say where zoom leaves a doubt: pixels that seem not to be zoomed, or a field zoomed off its centre.

    Pixel Spacing is that of the stored matrix, zoom included; a matrix that is as wide as the whole detector though it
    is zoomed contradicts that.

    Parameters
    ----------
    heads : tuple of Dataset
        Items of the Detector Information Sequence.
    shape : (rows, columns)
    pixel_mm : (between rows, between columns)
    assumptions : list of str
        The doubts are added to it.
    """
    for head in heads:
        zoom, field = numbers(head, "ZoomFactor"), numbers(head, "FieldOfViewDimensions")
        if len(zoom) == 2 and len(field) == 2 and min(zoom) > _ZOOMED and min(field) > 0:
            unzoomed = all(
                abs(size * spacing / whole - 1.0) < _NEAR
                for size, spacing, whole in zip(shape, pixel_mm, field, strict=True)
            )
            if unzoomed:
                assumptions.append(
                    f"A zoom of {zoom[1]:g} is recorded, yet the matrix is as wide as the detector's whole field; "
                    f"{named('PixelSpacing')} is taken as that of the zoomed pixels, as the standard has it."
                )
        if any(abs(value) > _OFF_CENTRE_MM for value in numbers(head, "ZoomCenter")):
            assumptions.append(
                f"{named('ZoomCenter')} puts the zoomed field off the detector's centre; the axis of rotation is taken "
                "from the heads' places or at the matrix's centre, and --axis-mm replaces it."
            )
