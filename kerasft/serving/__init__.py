"""Export of runs as SavedModels or presets, and a server of exported models."""
