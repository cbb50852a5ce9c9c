"""Export of runs as SavedModels, with preprocessing in the graph, or as presets."""

from kerasft.serving.export import export, serving_function

__all__ = ["export", "serving_function"]
