"""Phantoms made in memory for the tests: a few lines of TOML around given shapes and scans."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leukospect.phantoms import Phantom, phantom_from_toml
from leukospect.phantoms.acquisitions import CtAcquisition, PlanarAcquisition, SpectAcquisition
from leukospect.phantoms.gamma_camera import GammaCamera, HeadCounts
from leukospect.phantoms.scene import activity_kbq_per_ml, scene_of

HALF_LIFE_S = 6.0072 * 3600.0
ENERGY_KEV = 140.511

HEAD = """
title = "made for a test"
finest_mm = {finest_mm}
rays_per_cell = {rays}
[injection]
nuclide = "Tc-99m"
compound = "test"
dose_mbq = 100
time = 2020-01-01T08:00:00
[camera]
collimator = "LEHR"
hole_mm = 1.11
hole_length_mm = 24.05
intrinsic_fwhm_mm = 3.8
energy_resolution_percent = 9.5
sensitivity_cps_per_mbq = 90
[compartment]
hot = {{ hours = [0.0], kbq_per_ml = [1000.0] }}
warm = {{ early = 3.0, delayed = 2.0, late = 1.0 }}
"""
WINDOWS = """
[[acquisition.window]]
name = "photopeak"
lower_kev = 126.45
upper_kev = 154.55
[[acquisition.window]]
name = "lower"
lower_kev = 114.45
upper_kev = 126.45
[[acquisition.window]]
name = "upper"
lower_kev = 154.55
upper_kev = 166.55
"""
SPECT = """
[[acquisition]]
kind = "SPECT"
time_point = "delayed"
hours = {hours}
matrix = [40, 56]
pixel_mm = [5.5, 4.5]
stops = 4
heads = {heads}
start_angle_deg = {start}
direction = "{direction}"
seconds = 30
axis_mm = [7.0, -11.0]
center_z_mm = 13.0
radius_mm = 160
"""


def spect_text(heads: int = 2, start: float = 20.0, direction: str = "CC", hours: float = 0.0) -> str:
    """A SPECT scan of rectangular pixels, unequal rows and columns, with its axis off the isocentre."""
    return SPECT.format(heads=heads, start=start, direction=direction, hours=hours) + WINDOWS


def make(shapes: str, scans: str = "", finest_mm: float = 2.4, rays: int = 1) -> Phantom:
    """A phantom of these shapes and scans."""
    return phantom_from_toml(HEAD.format(finest_mm=finest_mm, rays=rays) + shapes + (scans or spect_text()), "made")


def ball(center: tuple[float, float, float], radius: float, compartment: str = "hot", material: str = "") -> str:
    """One sphere as TOML."""
    paint = f'material = "{material}"\n' if material else ""
    return (
        f'[[shape]]\nkind = "sphere"\ncenter_mm = {list(center)}\nradius_mm = {radius}\n'
        f'compartment = "{compartment}"\n{paint}'
    )


def mean_rates(phantom: Phantom, hours: tuple[float, ...] = (0.0,), threads: int = 2) -> HeadCounts:
    """Rates of the phantom's first scan at some times."""
    scan = phantom.acquisition[0]
    assert isinstance(scan, SpectAcquisition | PlanarAcquisition)
    activity = activity_kbq_per_ml(phantom, hours, HALF_LIFE_S)
    return GammaCamera(
        scene_of(phantom), phantom.camera, scan, ENERGY_KEV, activity, phantom.finest_mm, phantom.rays_per_cell
    ).count(threads)


def ct_of(phantom: Phantom) -> CtAcquisition:
    """The phantom's first scan, a CT."""
    scan = phantom.acquisition[0]
    assert isinstance(scan, CtAcquisition)
    return scan


def centroid(image: NDArray[np.float32]) -> tuple[float, float]:
    """Centre of a picture's counts in rows and columns."""
    weights = image.astype(np.float64)
    rows, columns = np.indices(image.shape)
    return float((rows * weights).sum() / weights.sum()), float((columns * weights).sum() / weights.sum())
