"""gecatsim 1.6 (XCIST): fan-beam CT of a slice of voxels with and without metal, by its own physics.

It is a second opinion on `leukospect.phantoms.slice_scanner`: another spectrum, bow-tie filter, projector, detector,
noise, beam hardening correction and filtered back-projection. Its files are written to a folder that is deleted.
"""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukospect.errors import InputError

# Density in g/cm3, and mass fractions by atomic number, as the project's own tables have them.
_METALS: dict[str, tuple[float, dict[int, float]]] = {
    "titanium": (4.51, {22: 1.0}),
    "titanium_alloy": (4.43, {22: 0.90, 13: 0.06, 23: 0.04}),
    "steel_316l": (7.98, {26: 0.655, 24: 0.17, 28: 0.12, 42: 0.025, 25: 0.02, 14: 0.01}),
    "cobalt_chrome": (8.29, {27: 0.655, 24: 0.28, 42: 0.06, 14: 0.005}),
}
_CORTICAL_BONE = "ICRU_skeleton_cortical_bone_adult"


@dataclass(frozen=True, slots=True)
class FanScan:
    """How gecatsim scans: lengths in mm; without `noise` neither quanta nor electronics make any."""

    kvp: int = 120
    views: int = 900
    tube_ma: float = 200.0
    source_to_isocentre_mm: float = 595.0
    source_to_detector_mm: float = 1086.0
    element_mm: float = 1.2856
    elements: int = 900
    kernel: str = "standard"
    noise: bool = True


def scan_slice(
    tissue: NDArray[np.float32], metal: NDArray[np.bool_], material: str, pixel_mm: float, scan: FanScan
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scan a slice with metal (and noise), and without either.

    Parameters
    ----------
    tissue : (n, n, 2) array
        Densities of water and of cortical bone, each in units of its own, as `slice_scanner.water_and_bone` gives them.
    metal : (n, n) bool array
    material : str
        What the metal is.
    pixel_mm : float
        Square pixels, as gecatsim makes no others.
    scan : FanScan

    Returns
    -------
    scanned, truth : (n, n) float32 arrays, HU

    Raises
    ------
    InputError
        The slice is not square, or the material is unknown.
    """
    if tissue.shape[0] != tissue.shape[1] or metal.shape != tissue.shape[:2]:
        raise InputError(f"gecatsim reconstructs squares, but the slice is {tissue.shape} with metal {metal.shape}.")
    if material not in _METALS:
        raise InputError(f"The metal '{material}' is not known to this driver; known are {', '.join(_METALS)}.")
    without = [tissue[..., 0], tissue[..., 1]]
    outside = (~metal).astype(np.float32)
    with_metal = [without[0] * outside, without[1] * outside, metal.astype(np.float32)]
    scanned = _scan(with_metal, material, pixel_mm, scan, scan.noise)
    return scanned, _scan(without, material, pixel_mm, scan, False)


def _scan(
    maps: list[NDArray[np.float32]], material: str, pixel_mm: float, scan: FanScan, noise: bool
) -> NDArray[np.float32]:
    import gecatsim
    from gecatsim.reconstruction.pyfiles import recon

    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(io.StringIO()):
        folder = Path(name)
        with contextlib.redirect_stderr(io.StringIO()):
            simulation = gecatsim.CatSim()
            _set_up(simulation, scan, noise, str(folder / "scan"))
            simulation.phantom.filename = str(_write_phantom(folder, maps, material, pixel_mm))
            simulation.recon.fov = pixel_mm * maps[0].shape[0]
            simulation.recon.imageSize = maps[0].shape[0]
            simulation.run_all()
            volume = recon.recon_direct(simulation.get_current_cfg())
    return np.ascontiguousarray(volume[:, :, 0], dtype=np.float32)


def _set_up(simulation: Any, scan: FanScan, noise: bool, results: str) -> None:
    simulation.resultsName = results
    scanner, protocol, physics = simulation.scanner, simulation.protocol, simulation.physics
    scanner.sid, scanner.sdd = scan.source_to_isocentre_mm, scan.source_to_detector_mm
    scanner.detectorColCount, scanner.detectorColSize = scan.elements, scan.element_mm
    scanner.detectorRowCount = scanner.detectorRowsPerMod = 1
    protocol.viewsPerRotation = protocol.viewCount = scan.views
    protocol.stopViewId = scan.views - 1
    protocol.mA = scan.tube_ma
    protocol.spectrumFilename = f"tungsten_tar7.0_{scan.kvp}_filt.dat"
    physics.rowSampleCount = physics.srcYSampleCount = physics.viewSampleCount = 1
    physics.enableQuantumNoise = physics.enableElectronicNoise = int(noise)
    physics.callback_post_log = "Prep_BHC_Accurate"
    physics.EffectiveMu, physics.BHC_poly_order = 0.2, 5
    physics.BHC_max_length_mm, physics.BHC_length_step_mm = 300, 10
    simulation.phantom.projectorNumThreads = 2
    simulation.recon.mu = physics.EffectiveMu / 10.0
    simulation.recon.kernelType = scan.kernel
    simulation.recon.sliceCount = 1


def _write_phantom(folder: Path, maps: list[NDArray[np.float32]], material: str, pixel_mm: float) -> Path:
    density, fractions = _METALS[material]
    parts = "\n".join(f"{number} {share}" for number, share in fractions.items())
    metal_file = folder / "metal"
    metal_file.write_text(f"{len(fractions)}\n{density}\n{parts}\n", encoding="utf-8")
    names = ["water", _CORTICAL_BONE, str(metal_file)][: len(maps)]
    count, size = len(maps), maps[0].shape[0]
    for number, values in enumerate(maps):
        values.astype(np.float32).tofile(folder / f"map{number}.raw")
    described = {
        "n_materials": count,
        "mat_name": names,
        "volumefractionmap_filename": [f"map{number}.raw" for number in range(count)],
        "volumefractionmap_datatype": ["float"] * count,
        "cols": [size] * count,
        "rows": [size] * count,
        "slices": [1] * count,
        "x_size": [pixel_mm] * count,
        "y_size": [pixel_mm] * count,
        "z_size": [40.0] * count,
        "x_offset": [(size + 1) / 2.0] * count,
        "y_offset": [(size + 1) / 2.0] * count,
        "z_offset": [1.0] * count,
    }
    path = folder / "phantom.json"
    path.write_text(json.dumps(described), encoding="utf-8")
    return path
