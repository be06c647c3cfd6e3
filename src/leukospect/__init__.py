"""Labelled-leukocyte SPECT/CT and planar scintigraphy, from raw projections to a quantified answer."""

__version__ = "0.1.0"
