"""Readers: a DICOM file or folder to acquisitions and studies."""
