"""Writers: acquisitions and results to DICOM objects."""
