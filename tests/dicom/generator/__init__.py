"""A generator of acquisitions: every combination that geometry names, written from the standard alone.

Nothing of the readers or writers is used, so that a mistake made twice cannot hide.
"""
