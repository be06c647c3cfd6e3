"""Transforms of points in LPS mm, in ITK's text format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leukospect.errors import GeometryError, InputError
from leukospect.whole_files import whole_file

_FIRST_LINE = "#Insight Transform File V1.0"


def write_transform(matrix_lps: ArrayLike, path: Path, centre: ArrayLike | None = None) -> None:
    """Write a transform that takes SPECT points to CT points as an ITK text file (``AffineTransform_double_3_3``).

    ITK stores y = M (x - c) + c + t; any centre c gives the same transform.

    Parameters
    ----------
    matrix_lps : (4, 4) array
        Takes (x, y, z, 1) in LPS mm to LPS mm.
    path : Path
        Ends in ``.tfm`` or ``.txt``, by which ITK knows the format.
    centre : (3,) array, optional
        Centre to store, LPS mm; the origin by default.

    Raises
    ------
    InputError
        The name ends otherwise.
    GeometryError
        The matrix is not a finite, invertible affine.
    """
    if path.suffix not in {".tfm", ".txt"}:
        raise InputError(f"An ITK transform's name ends in .tfm or .txt; '{path.name}' does not.")
    matrix = _checked(matrix_lps)
    c = np.zeros(3) if centre is None else np.asarray(centre, dtype=np.float64)
    if c.shape != (3,) or not np.all(np.isfinite(c)):
        raise GeometryError("The centre of a transform must be three finite numbers.")
    translation = matrix[:3, 3] - c + matrix[:3, :3] @ c
    parameters = [*matrix[:3, :3].ravel(), *translation]
    lines = [
        _FIRST_LINE,
        "#Transform 0",
        "Transform: AffineTransform_double_3_3",
        f"Parameters: {_numbers(parameters)}",
        f"FixedParameters: {_numbers(list(c))}",
    ]
    with whole_file(path) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="ascii")


def read_transform(path: Path) -> NDArray[np.float64]:
    """Read an ITK text transform: affine, rigid (Euler angles or versor) or translation.

    Parameters
    ----------
    path : Path

    Returns
    -------
    (4, 4) array
        Takes (x, y, z, 1) in LPS mm to LPS mm.

    Raises
    ------
    InputError
        The file is missing, not an ITK text transform, holds several transforms or one that is not linear.
    GeometryError
        Its matrix is not finite or not invertible.
    """
    kind, parameters, fixed = _fields(path)
    linear, translation = _linear_part(kind, parameters, fixed, path)
    centre = fixed[:3] if fixed.size >= 3 else np.zeros(3)
    matrix = np.eye(4)
    matrix[:3, :3] = linear
    matrix[:3, 3] = translation + centre - linear @ centre
    return _checked(matrix)


def _checked(matrix: ArrayLike) -> NDArray[np.float64]:
    affine = np.array(matrix, dtype=np.float64)
    if affine.shape != (4, 4) or not np.all(np.isfinite(affine)) or not np.allclose(affine[3], [0, 0, 0, 1]):
        raise GeometryError("A transform must be a finite 4x4 matrix whose last row is 0 0 0 1.")
    if abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise GeometryError("A transform must be invertible; this one flattens space.")
    return affine


def _numbers(values: list[float]) -> str:
    return " ".join(repr(float(value) + 0.0) for value in values)


def _fields(path: Path) -> tuple[str, NDArray[np.float64], NDArray[np.float64]]:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"'{path.name}' cannot be read as an ITK text transform.") from error
    if not lines or not lines[0].startswith("#Insight Transform File"):
        raise InputError(f"'{path.name}' is not an ITK text transform: its first line is not '{_FIRST_LINE}'.")
    pairs = [line.split(":", 1) for line in lines if ":" in line and not line.startswith("#")]
    fields = {key.strip(): value.strip() for key, value in pairs}
    if [key.strip() for key, _ in pairs].count("Transform") != 1:
        raise InputError(f"'{path.name}' must hold exactly one transform.")
    try:
        parameters = np.array([float(word) for word in fields.get("Parameters", "").split()])
        fixed = np.array([float(word) for word in fields.get("FixedParameters", "").split()])
    except ValueError as error:
        raise InputError(f"'{path.name}' has parameters that are not numbers.") from error
    return fields["Transform"], parameters, fixed


def _linear_part(
    kind: str, parameters: NDArray[np.float64], fixed: NDArray[np.float64], path: Path
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    family = kind.split("_", 1)[0]
    lengths = {
        "AffineTransform": 12,
        "MatrixOffsetTransformBase": 12,
        "Euler3DTransform": 6,
        "VersorRigid3DTransform": 6,
        "TranslationTransform": 3,
    }
    if family not in lengths or not kind.endswith("_3_3"):
        raise InputError(f"'{path.name}' holds a {kind}; only linear transforms in three dimensions are read.")
    if parameters.size != lengths[family]:
        raise InputError(f"'{path.name}' has {parameters.size} parameters; a {kind} has {lengths[family]}.")
    if family == "TranslationTransform":
        return np.eye(3), parameters
    if family == "Euler3DTransform":
        zyx = fixed.size > 3 and fixed[3] != 0
        return _euler(parameters[:3], zyx), parameters[3:]
    if family == "VersorRigid3DTransform":
        return _versor(parameters[:3], path), parameters[3:]
    return parameters[:9].reshape(3, 3), parameters[9:]


def _euler(angles: NDArray[np.float64], zyx: bool) -> NDArray[np.float64]:
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    product = about_z @ about_y @ about_x if zyx else about_z @ about_x @ about_y
    return np.asarray(product, dtype=np.float64)


def _versor(vector: NDArray[np.float64], path: Path) -> NDArray[np.float64]:
    squared = float(vector @ vector)
    if squared > 1.0 + 1e-12:
        raise InputError(f"'{path.name}' has a versor longer than 1.")
    scalar = np.sqrt(max(0.0, 1.0 - squared))
    x, y, z = vector
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + 2 * scalar * cross + 2 * cross @ cross, dtype=np.float64)
