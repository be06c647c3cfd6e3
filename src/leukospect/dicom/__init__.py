"""Reading and writing of DICOM; the only place that knows pydicom."""
