"""How counts become bytes: pixel type, rescale and transfer syntax."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gdcm  # type: ignore[import-untyped]
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from tests.dicom.generator.elements import file_dataset, set_pixels

PLAIN = {"implicit": ImplicitVRLittleEndian, "deflated": DeflatedExplicitVRLittleEndian}
BY_GDCM = {
    "jpeg lossless": (gdcm.TransferSyntax.JPEGLosslessProcess14_1, JPEGLosslessSV1),
    "jpeg-ls": (gdcm.TransferSyntax.JPEGLSLossless, JPEGLSLossless),
    "jpeg 2000": (gdcm.TransferSyntax.JPEG2000Lossless, JPEG2000Lossless),
}
MULTI_FRAME_CLASS = "1.2.840.10008.5.1.4.1.1.4.1"  # Enhanced MR, which may be signed
SYNTAXES = ("explicit", *PLAIN, "big endian", "rle", *BY_GDCM)


@dataclass(frozen=True)
class Stored:
    """A pixel type (``uint8``, ``uint16``, ``int16``, ``uint32``), a rescale (None writes none) and a syntax."""

    dtype: str = "uint16"
    slope: float | None = None
    intercept: float | None = None
    syntax: str = "explicit"

    def stored_values(self, counts: NDArray[np.float64]) -> NDArray[Any]:
        """Round counts to what the pixel type holds."""
        limits = np.iinfo(self.dtype)
        values = np.rint((counts - (self.intercept or 0.0)) / (self.slope or 1.0))
        if values.min() < limits.min or values.max() > limits.max:
            raise ValueError(f"{self} cannot hold counts from {counts.min()} to {counts.max()}")
        return values.astype(self.dtype)

    def meant_values(self, stored: NDArray[Any]) -> NDArray[np.float64]:
        """Give the counts that stored values mean."""
        return stored.astype(np.float64) * (self.slope or 1.0) + (self.intercept or 0.0)

    def put(self, dataset: FileDataset, stored: NDArray[Any]) -> None:
        """Write stored frames into a dataset that `save_as` then encodes."""
        set_pixels(dataset, stored)
        if self.slope is not None or self.intercept is not None:
            dataset.RescaleSlope = 1.0 if self.slope is None else self.slope
            dataset.RescaleIntercept = self.intercept or 0.0
        if self.syntax in PLAIN:
            dataset.file_meta.TransferSyntaxUID = PLAIN[self.syntax]
        elif self.syntax == "big endian":
            dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
            dataset.set_original_encoding(False, False)
            swapped = stored.astype(stored.dtype.newbyteorder(">")).tobytes()
            dataset.PixelData = swapped + b"\0" * (len(swapped) % 2)
        elif self.syntax == "rle":
            dataset.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
        elif self.syntax in BY_GDCM:
            _compress(dataset, stored, self.syntax)


def _compress(dataset: FileDataset, stored: NDArray[Any], syntax: str) -> None:
    """Let GDCM encode frames; they go through another class, as it insists on positions in nuclear medicine.

    Its JPEG 2000 encoder fails on images of a few pixels, and writes past its memory where they are of 8 bits.
    """
    if syntax == "jpeg 2000" and (stored.dtype.itemsize == 1 or min(stored.shape[1:]) < 16):
        raise ValueError("GDCM's JPEG 2000 encoder needs 16 bits and 16 pixels")
    number, uid = BY_GDCM[syntax]
    bare = file_dataset(MULTI_FRAME_CLASS)
    set_pixels(bare, stored)
    with tempfile.TemporaryDirectory() as folder:
        plain, encoded = Path(folder) / "plain.dcm", Path(folder) / "encoded.dcm"
        bare.save_as(plain, enforce_file_format=True)
        reader = gdcm.ImageReader()
        reader.SetFileName(str(plain))
        assert reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(number))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer = gdcm.ImageWriter()
        writer.SetFileName(str(encoded))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
        made = pydicom.dcmread(encoded)
    assert made.file_meta.TransferSyntaxUID == uid
    dataset.PixelData = made.PixelData
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = uid
