"""Regions, uptake, ratios and their uncertainty."""
