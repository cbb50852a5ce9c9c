"""Fine-tuning, and a run brought back: phases, schedules, callbacks, fit, evaluate, predict."""

from kerasft.training.evaluation import Loaded, evaluate, load_model, predict
from kerasft.training.find_rate import find_learning_rate, find_rates
from kerasft.training.fit import fit
from kerasft.training.ladder import Rung, climb_ladder
from kerasft.training.phases import Phase, changing_weights, compile_model, plan_phases
from kerasft.training.scores import measure

__all__ = [
    "Loaded",
    "Phase",
    "Rung",
    "changing_weights",
    "climb_ladder",
    "compile_model",
    "evaluate",
    "find_learning_rate",
    "find_rates",
    "fit",
    "load_model",
    "measure",
    "plan_phases",
    "predict",
]
