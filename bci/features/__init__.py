"""Features that a person can name: spectra, connectivity, contrast, selection, whole analyses."""
