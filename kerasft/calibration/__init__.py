"""What is fitted on the validation split after training, and its application to outputs.

Probabilities, thresholds, prediction sets and the score of known inputs are pure values and
mathematics. What is applied to outputs is written with `keras.ops`, so that `predict` and the graph
of an exported model share it. The tasks import this package, so it needs only the standard library
at import.
"""

from kerasft.calibration.calibration import DEFAULT_THRESHOLD, Calibration
from kerasft.calibration.intervals import Interval
from kerasft.calibration.known import Known
from kerasft.calibration.prediction_sets import PredictionSets

__all__ = ["DEFAULT_THRESHOLD", "Calibration", "Interval", "Known", "PredictionSets"]
