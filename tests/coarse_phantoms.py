"""Phantoms that ship, seen by a coarser camera and CT: fast enough for a test, and the same in all else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from leukospect.phantoms import read_phantom
from leukospect.phantoms.description import Phantom


def write_coarse(
    name: str, folder: Path, *, only: tuple[str, ...] = ("PLANAR", "SPECT", "CT"), without: tuple[str, ...] = ()
) -> Path:
    """Write a phantom file based on one that ships, with some kinds of its scans, each coarser.

    Parameters
    ----------
    name : str
    folder : Path
    only : tuple of str
        The kinds of scans that are kept.
    without : tuple of str
        Time points that are left out.

    Returns
    -------
    Path
        To give to ``phantom make``.
    """
    kept = [s for s in _dumped(read_phantom(name)) if s["kind"] in only and s["time_point"] not in without]
    scans = [_coarser(scan) for scan in kept]
    # Lists of tables must stand on the top level, before any table.
    text = f'based_on = "{name}"\ntitle = "coarse"\nfinest_mm = 4.8\nacquisition = {_toml(scans)}\n'
    path = folder / f"coarse-{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def _dumped(phantom: Phantom) -> list[dict[str, Any]]:
    return [scan.model_dump(mode="json", exclude_none=True) for scan in phantom.acquisition]


def _coarser(scan: dict[str, Any]) -> dict[str, Any]:
    """Keep the field and the counting time; take fewer and larger pixels, and fewer views."""
    if scan["kind"] == "CT":
        axial = scan["slices"] * scan["slice_spacing_mm"]
        made = {"matrix": [128, 128], "pixel_mm": [scan["matrix"][0] * scan["pixel_mm"][0] / 128] * 2, "views": 160}
        return {**scan, **made, "slices": round(axial / 4.8), "slice_spacing_mm": 4.8}
    if scan["kind"] == "PLANAR":
        return {**scan, "matrix": [96, 96], "pixel_mm": [6.4, 6.4]}
    pixel, views = 9.6, 30
    matrix = [round(n * size / pixel) for n, size in zip(scan["matrix"], scan["pixel_mm"], strict=True)]
    longer = scan["stops"] / views * scan["seconds"]
    return {**scan, "matrix": matrix, "pixel_mm": [pixel, pixel], "stops": views, "seconds": longer}


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value)
