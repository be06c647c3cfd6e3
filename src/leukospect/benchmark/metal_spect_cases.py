"""The implants in which SPECT beside metal is looked at: phantoms, what they are made of, and how the CT scans them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from leukospect.errors import ProtocolError
from leukospect.phantoms import Phantom, read_phantom
from leukospect.phantoms.acquisitions import CtAcquisition, SpectAcquisition

EXTENDED_HU = 30710.0
_SATURATED_HU = 3071.0
_SCANNER: Mapping[str, object] = {
    "beam": "fan",
    "views": 720,
    "filtration_mm_al": 9.0,
    "photons_per_ray": 5e5,
    "rays_per_element": 2,
    "rays_per_slice": 2,
    "scatter_to_primary": 0.3,
    "scatter_corrected": 0.8,
}
"""A fan beam, edges that fill elements and slices in part, and the scatter that a scanner's own correction leaves."""


@dataclass(frozen=True, slots=True)
class SpectCase:
    """An implant and its CT.

    Parameters
    ----------
    phantom : str
    metal_material : str
        What somebody who knows the implant tells the program (`attenuation.metal_material`).
    materials : dict of str to str
        Metals of the phantom that are another one here.
    top_hu : float
        Where the CT's scale ends.
    coarsening : int
        Pixels are so many times larger, stops and views so many times fewer: for a quick look.
    """

    phantom: str
    metal_material: str = "titanium_alloy"
    materials: Mapping[str, str] = field(default_factory=dict)
    top_hu: float = _SATURATED_HU
    coarsening: int = 1

    @property
    def name(self) -> str:
        """Say what it is in a few words."""
        words = [self.phantom]
        words += [f"all {metal.replace('_', ' ')}" for metal in dict.fromkeys(self.materials.values())]
        words += [] if self.top_hu == _SATURATED_HU else ["extended scale"]
        return ", ".join(words)

    def drawn(self) -> Phantom:
        """Read the phantom, make it of its metals, and keep its last SPECT and its last CT by the case's scanner.

        Raises
        ------
        ProtocolError
            The phantom has no SPECT or no CT.
        """
        phantom = read_phantom(self.phantom)
        shapes = tuple(
            shape.model_copy(update={"material": self.materials.get(shape.material or "", shape.material)})
            for shape in phantom.shape
        )
        phantom = phantom.model_copy(update={"shape": shapes})
        return late_scans(phantom, self.coarsening, {**_SCANNER, "top_hu": self.top_hu})


CASES: tuple[SpectCase, ...] = (
    SpectCase("femoral-nail"),
    SpectCase("femoral-nail", "steel_316l", {"titanium_alloy": "steel_316l"}),
    SpectCase("hip-prosthesis"),
    SpectCase("hip-prosthesis", top_hu=EXTENDED_HU),
    SpectCase("hip-prosthesis", "cobalt_chrome", {"titanium_alloy": "cobalt_chrome"}),
)
QUICK_CASES: tuple[SpectCase, ...] = (
    SpectCase("femoral-nail-small"),
    SpectCase("hip-prosthesis", coarsening=2),
)


def late_scans(phantom: Phantom, coarsening: int = 1, scanner: Mapping[str, object] | None = None) -> Phantom:
    """Keep the last SPECT and the last CT of a phantom, pixels so many times as large and views as many times fewer.

    Parameters
    ----------
    phantom : Phantom
    coarsening : int
    scanner : mapping or None
        Fields of the CT that are other ones here, those of `CtAcquisition`.

    Raises
    ------
    ProtocolError
        The phantom has no SPECT or no CT.
    """
    spect = [scan for scan in phantom.acquisition if isinstance(scan, SpectAcquisition)]
    ct = [scan for scan in phantom.acquisition if isinstance(scan, CtAcquisition)]
    if not spect or not ct:
        raise ProtocolError(f"Phantom '{phantom.name}' needs a SPECT and a CT to show what metal does to uptake.")

    def coarse(matrix: tuple[int, int], pixel_mm: tuple[float, float]) -> dict[str, object]:
        rows, columns = (n // coarsening for n in matrix)
        return {"matrix": (rows, columns), "pixel_mm": tuple(pixel * coarsening for pixel in pixel_mm)}

    one = CtAcquisition.model_validate(ct[-1].model_dump() | dict(scanner or {}))
    views = one.views // coarsening
    camera = coarse(spect[-1].matrix, spect[-1].pixel_mm) | {"stops": spect[-1].stops // coarsening}
    scans = (
        spect[-1].model_copy(update=camera),
        one.model_copy(update=coarse(one.matrix, one.pixel_mm) | {"views": views - views % 2}),
    )
    return phantom.model_copy(update={"acquisition": scans, "finest_mm": phantom.finest_mm * coarsening})
