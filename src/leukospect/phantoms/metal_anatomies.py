"""Random anatomies with metal, drawn from a seed: for trying metal artefact reduction against digital truth.

Five families, none like another in size, place, tilt, side, fat or material. Seeds below `BENCHMARK_SEEDS_FROM` are for
tuning; the benchmark takes those from there up, so that its anatomy was never tuned on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from leukospect.errors import InputError
from leukospect.phantoms.acquisitions import Camera, CtAcquisition
from leukospect.phantoms.anatomy_drawing import IMPLANT, Drawing
from leukospect.phantoms.anatomy_jaw import draw_filled_teeth
from leukospect.phantoms.anatomy_pelvis import draw_hips
from leukospect.phantoms.anatomy_thighs import draw_nailed_thighs, draw_plated_thighs
from leukospect.phantoms.anatomy_trunk import draw_fused_spine
from leukospect.phantoms.description import Compartment, Injection, Phantom
from leukospect.phantoms.solids import Shape

BENCHMARK_SEEDS_FROM = 1000

_DRAWN: dict[str, Callable[[Drawing], None]] = {
    "nail": draw_nailed_thighs,
    "plate": draw_plated_thighs,
    "hip": draw_hips,
    "spine": draw_fused_spine,
    "dental": draw_filled_teeth,
}
FAMILIES: tuple[str, ...] = tuple(_DRAWN)
# Field of view (mm) and distance between slices (mm): from and to.
_FIELD_MM = {"dental": (240.0, 300.0), "nail": (430.0, 500.0), "plate": (430.0, 500.0)}
_SPACING_MM = {"dental": (2.4, 4.2), "hip": (11.0, 15.0), "nail": (5.0, 8.0), "plate": (4.0, 8.0), "spine": (3.0, 5.5)}


def scanner_settings(drawing: Drawing) -> dict[str, Any]:
    """Draw how the scanner scans: what the benchmark's CT is, all of it."""
    return {
        "kvp": float(drawing.one_of("110", "120", "130")),
        "views": 720,
        "beam": "fan",
        "rays_per_element": 2,
        "slice_thickness_mm": drawing.between(1.0, 3.0),
        "rays_per_slice": 2,
        "scatter_to_primary": drawing.between(0.05, 0.2),
        "scatter_corrected": 0.7,
        "top_hu": 3071.0 if drawing.happens(0.6) else 30710.0,
    }


def metal_phantom(
    family: str,
    seed: int,
    *,
    implants: bool = True,
    slices: int = 6,
    matrix: int = 512,
    scanner: dict[str, Any] | None = None,
) -> Phantom:
    """Draw an anatomy with metal.

    Parameters
    ----------
    family : str
        One of `FAMILIES`: ``nail`` and ``plate`` (two thighs), ``hip`` (uni- or bilateral prosthesis), ``spine``
        (pedicle screws and rods), ``dental``.
    seed : int
        Below 1000 for tuning, from 1000 up for the benchmark.
    implants : bool
        False leaves the metal out and nothing else: the same anatomy, which is then the truth of the other.
    slices : int
        Of the CT, spread over the metal.
    matrix : int
        Rows and columns of the CT; the field of view stays.
    scanner : dict or None
        Fields of `CtAcquisition` that differ from the benchmark's.

    Returns
    -------
    Phantom
        With one CT. Metal of implants is in the compartment ``implant``; metal outside the patient is not.

    Raises
    ------
    InputError
        The family is not known.
    """
    if family not in _DRAWN:
        raise InputError(f"There is no family of metal anatomies '{family}'; they are {', '.join(FAMILIES)}.")
    drawing = Drawing((FAMILIES.index(family), seed))
    _DRAWN[family](drawing)
    shapes = tuple(shape for shape in drawing.shapes if implants or shape.compartment != IMPLANT)
    field = drawing.between(*_FIELD_MM.get(family, (500.0, 500.0)))
    settings: dict[str, Any] = {
        "matrix": (matrix, matrix),
        "pixel_mm": (field / matrix, field / matrix),
        "slices": slices,
        "slice_spacing_mm": drawing.between(*_SPACING_MM[family]),
        "center_z_mm": drawing.between(-2.0, 2.0),
        **scanner_settings(drawing),
        **(scanner or {}),
    }
    scan = CtAcquisition(kind="CT", time_point="early", hours=0.0, **settings)
    return metal_phantom_of(f"{family} {seed}" + ("" if implants else " without metal"), shapes, scan)


def metal_phantom_of(name: str, shapes: Sequence[Shape], scan: CtAcquisition) -> Phantom:
    """Make a phantom of shapes and a CT, with the compartment ``implant`` and nothing to see for a gamma camera."""
    return Phantom(
        name=name,
        title="Random anatomy with metal",
        injection=Injection(nuclide="Tc-99m", compound="none", dose_mbq=1.0, time=datetime(2020, 1, 1, 8, tzinfo=UTC)),
        camera=Camera(collimator="LEHR", hole_mm=1.11, hole_length_mm=24.05, intrinsic_fwhm_mm=3.8,
                      energy_resolution_percent=9.5, sensitivity_cps_per_mbq=90.0),
        compartment={IMPLANT: Compartment(hours=(0.0,), kbq_per_ml=(1.0,))},
        shape=tuple(shapes),
        acquisition=(scan,),
    )  # fmt: skip


def metals_of(phantom: Phantom) -> tuple[str, ...]:
    """Name the materials of a phantom's implants, in alphabetical order."""
    return tuple(sorted({str(shape.material) for shape in phantom.shape if shape.compartment == IMPLANT}))
