"""What `leukospect bench` runs."""
