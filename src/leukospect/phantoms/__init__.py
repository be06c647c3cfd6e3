"""Digital phantoms: their description, and the simulation of their scans."""
