"""CT: metal artefact reduction and what the attenuation map needs."""
