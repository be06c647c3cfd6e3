"""Nuclear medicine and CT files made in memory, of points whose place on every view is known in closed form.

Written from the standard and geometry's formulas alone, with pydicom; nothing of the readers is used.
"""

from __future__ import annotations

from tests.dicom.generator.elements import CT_CLASS, NM_CLASS, file_dataset, item, nm_dataset, save, set_pixels
from tests.dicom.generator.planar import Planar
from tests.dicom.generator.scene import Source, V, n, u
from tests.dicom.generator.storing import SYNTAXES, Stored
from tests.dicom.generator.tomo import Rotation, Tomo
from tests.dicom.generator.tomo_items import VECTORS
from tests.dicom.generator.volume import ReconTomo, ct_slices

__all__ = [
    "CT_CLASS",
    "NM_CLASS",
    "SYNTAXES",
    "VECTORS",
    "Planar",
    "ReconTomo",
    "Rotation",
    "Source",
    "Stored",
    "Tomo",
    "V",
    "ct_slices",
    "file_dataset",
    "item",
    "n",
    "nm_dataset",
    "save",
    "set_pixels",
    "u",
]
