"""Fine-tuning, and a run brought back: phases, schedules, callbacks, fit, evaluate, predict."""

from kerasft.training.evaluation import Loaded, evaluate, load_model, measure, predict
from kerasft.training.fit import fit
from kerasft.training.phases import Phase, changing_weights, compile_model, plan_phases

__all__ = [
    "Loaded",
    "Phase",
    "changing_weights",
    "compile_model",
    "evaluate",
    "fit",
    "load_model",
    "measure",
    "plan_phases",
    "predict",
]
