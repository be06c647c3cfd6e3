"""Drivers of other projects' reconstructions for the speed benchmark.

Each has `reconstruct(case, settings)` and imports its project inside it, so that it is needed by nobody else.
"""
