"""Uptake and how it changes: one door to the measurements in SPECT and planar views and their comparison."""

from __future__ import annotations

from leukospect.quantification.comparison import all_changes, all_ratios, change, ratio
from leukospect.quantification.planar import measure_planar, planar_thresholds, project_regions
from leukospect.quantification.spect import SpectSamples, common_thresholds, measure_spect, region_means

__all__ = [
    "SpectSamples",
    "all_changes",
    "all_ratios",
    "change",
    "common_thresholds",
    "measure_planar",
    "measure_spect",
    "planar_thresholds",
    "project_regions",
    "ratio",
    "region_means",
]
