"""Export with preprocessing in the graph."""

from kerasft.serving.export import export, serving_function

__all__ = ["export", "serving_function"]
