"""Runs as models: loading, prediction, evaluation."""

from kerasft.evaluation.calibrate import calibrate
from kerasft.evaluation.evaluate import evaluate
from kerasft.evaluation.load import Loaded, load_model
from kerasft.evaluation.metrics import measure
from kerasft.evaluation.predict import predict, predict_arrays

__all__ = ["Loaded", "calibrate", "evaluate", "load_model", "measure", "predict", "predict_arrays"]
