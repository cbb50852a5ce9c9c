"""Export of runs as SavedModels, graphs, Hugging Face folders or presets, and a server of them."""
