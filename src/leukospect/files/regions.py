"""Region files: TOML with shapes, or a NIfTI label image with an optional table of names and roles beside it.

The same table serves regions that were drawn as DICOM, see `leukospect.files.drawn_parts`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from leukospect.data import Geometry, Image
from leukospect.errors import AssumptionWarning, InputError, MissingInformationError, ProtocolError
from leukospect.files.nifti import read_nifti
from leukospect.files.region_tables import (
    CALLED,
    TABLE,
    check_definitions_of,
    check_names,
    parse_table,
    reference_of,
    refuse_unknown,
    region_tables,
    role_of,
    table_beside,
    text_of,
)
from leukospect.quantification.labels import label_image, region_of_label, resample_labels
from leukospect.quantification.measurements import Region, Role
from leukospect.quantification.mirror import add_mirrors
from leukospect.quantification.regions import RegionDefinition, rasterise
from leukospect.quantification.shapes import Box, Cylinder, Point, Shape, Sphere

_SHAPES: dict[str, tuple[type[Shape], tuple[str, ...]]] = {
    "sphere": (Sphere, ("center_mm", "radius_mm")),
    "cylinder": (Cylinder, ("from_mm", "to_mm", "radius_mm")),
    "box": (Box, ("center_mm", "size_mm")),
}
_NIFTI = (".nii", ".nii.gz")

Body = NDArray[np.bool_] | Callable[[], NDArray[np.bool_]] | None
"""A body's outline, at hand or to be found if somebody asks."""


def read_regions(path: Path, geometry: Geometry, body: Body = None) -> tuple[Image, tuple[Region, ...]]:
    """Read a region file of either kind onto a grid.

    Parameters
    ----------
    path : Path
        ``.toml`` with shapes, or ``.nii``, ``.nii.gz`` with labels.
    geometry : Geometry
        The grid wanted; a label image on another one is resampled by nearest neighbour.
    body : (slices, rows, columns) bool array, a function that gives it, or None
        The body's outline on that grid: lesions without a reference get their contralateral mirror.

    Returns
    -------
    Image, tuple of Region

    Raises
    ------
    InputError, ProtocolError
        The file cannot be read or contradicts itself, or a region lies outside the image.
    MissingInformationError
        A lesion has no reference and the body's outline is not known.
    """
    if path.name.endswith(_NIFTI):
        labels, regions = read_label_image(path, geometry)
    elif path.suffix == ".toml":
        labels, regions = rasterise(read_region_definitions(path), geometry)
    else:
        raise InputError(
            "The region file is neither TOML (.toml), nor a NIfTI label image (.nii.gz), nor a DICOM "
            "Segmentation or RT Structure Set."
        )
    return with_mirrors(labels, regions, body)


def with_mirrors(labels: Image, regions: tuple[Region, ...], body: Body) -> tuple[Image, tuple[Region, ...]]:
    """Give lesions without a reference their contralateral mirror.

    Raises
    ------
    MissingInformationError
        There is such a lesion, and the body's outline is not known.
    """
    alone = [region.name for region in regions if region.role == "lesion" and not region.reference]
    if not alone:
        return labels, regions
    if body is None:
        raise MissingInformationError(
            f"Region '{alone[0]}' of the region file has no reference region, and without the body's outline no mirror "
            "region can be made; name its reference in the region file."
        )
    return add_mirrors(labels, regions, body() if callable(body) else body)


def read_region_definitions(path: Path) -> tuple[RegionDefinition, ...]:
    """Read a TOML region file.

    An array of tables ``[[region]]`` with ``name``, ``role`` (lesion or reference), for lesions ``reference`` (a
    reference region's name; left out, the contralateral mirror), and shapes in LPS mm: ``[[region.sphere]]``
    center_mm, radius_mm; ``[[region.cylinder]]`` from_mm, to_mm, radius_mm; ``[[region.box]]`` center_mm, size_mm.

    Raises
    ------
    InputError
        The file cannot be read.
    ProtocolError
        It is not valid; the message names the region and the key.
    """
    definitions = tuple(
        _definition(CALLED, table) for table in region_tables(CALLED, parse_table(path), "name", "role")
    )
    check_definitions_of(CALLED, definitions)
    return definitions


def read_label_image(path: Path, geometry: Geometry) -> tuple[Image, tuple[Region, ...]]:
    """Read a NIfTI label image onto a grid, with the names and roles of a table beside it.

    The table has the image's name with ``.toml`` or ``.json`` for its ending and holds ``[[region]]`` tables of label,
    name, role and, for lesions, reference (left out, the contralateral mirror). Every label must be in it. Without a
    table every label is a lesion "region N" without a reference, with a warning.

    Raises
    ------
    InputError
        The image holds something else than labels, or one of them is lost on the grid.
    ProtocolError
        The table is not valid or does not fit the image.
    """
    stored = read_nifti(path, called=CALLED)
    values = np.asarray(stored.array)
    if not np.all(np.isfinite(values)) or np.any(values != np.rint(values)):
        raise InputError("The region file is not a label image: it holds values that are not whole numbers.")
    if values.min() < 0 or values.max() > np.iinfo(np.uint16).max:
        raise InputError("The region file is not a label image: labels must lie between 0 and 65535.")
    found = [int(label) for label in np.unique(values) if label > 0]
    if not found:
        raise InputError("The label image holds no region: all its voxels are 0.")
    names = _names_of_labels(path, found)
    labels = resample_labels(Image(values.astype(np.uint16), stored.geometry, "label"), geometry)
    regions = tuple(
        region_of_label(labels, label, name=name, role=role, reference=reference)
        for label, (name, role, reference) in names.items()
    )
    return label_image(cast("NDArray[np.uint16]", labels.array), geometry), regions


def _names_of_labels(path: Path, found: list[int]) -> dict[int, tuple[str, Role, str]]:
    """Return name, role and reference of each label."""
    beside = table_beside(path, path.name.removesuffix(".gz").removesuffix(".nii"))
    if beside is None:
        warnings.warn(
            "No table of names lies beside the label image; each of its labels is taken as a lesion.",
            AssumptionWarning,
            stacklevel=3,
        )
        return {label: (f"region {label}", "lesion", "") for label in found}
    file = TABLE
    names: dict[int, tuple[str, Role, str]] = {}
    for table in region_tables(file, parse_table(beside), "label", "name", "role"):
        where = f"{file}: region '{table['name']}'"
        refuse_unknown(where, table, ("label", "name", "role", "reference"))
        label = table["label"]
        if not isinstance(label, int) or isinstance(label, bool) or label not in found:
            raise ProtocolError(f"{where} has the label {label}, which the image does not hold.")
        if label in names:
            raise ProtocolError(f"{where} has the label {label}, which another region has as well.")
        names[label] = (text_of(where, table, "name"), role_of(where, table), reference_of(where, table))
    for label in found:
        if label not in names:
            raise ProtocolError(f"{file} says nothing of label {label} of the image; name it there.")
    check_names(file, names.values())
    return names


def _definition(file: str, table: Mapping[str, object]) -> RegionDefinition:
    where = f"{file}: region '{table['name']}'"
    refuse_unknown(where, table, ("name", "role", "reference", *_SHAPES))
    shapes: list[Shape] = []
    for kind in _SHAPES:
        entries = table.get(kind, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise ProtocolError(f"{where}: write every {kind} as a table [[region.{kind}]].")
        shapes += [_shape(where, kind, entry) for entry in entries]
    try:
        return RegionDefinition(
            text_of(where, table, "name"), role_of(where, table), reference_of(where, table), tuple(shapes)
        )
    except InputError as error:
        raise ProtocolError(f"{file}: {error}") from error


def _shape(where: str, kind: str, entry: Mapping[str, object]) -> Shape:
    make, keys = _SHAPES[kind]
    refuse_unknown(f"{where}, {kind}", entry, keys)
    values: dict[str, Point | float] = {}
    for key in keys:
        if key not in entry:
            raise ProtocolError(f"{where}, {kind} lacks the key '{key}'.")
        read = _number if key == "radius_mm" else _point
        values[key] = read(f"{where}, {kind}: {key}", entry[key])
    try:
        return make(**values)  # type: ignore[arg-type]
    except InputError as error:
        raise ProtocolError(f"{where}: {error}") from error


def _number(where: str, value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ProtocolError(f"{where} must be one number.")
    return float(value)


def _point(where: str, value: object) -> Point:
    if not isinstance(value, list) or len(value) != 3:
        raise ProtocolError(f"{where} must be three numbers.")
    x, y, z = (_number(f"{where}, each of its three values,", item) for item in value)
    return x, y, z
