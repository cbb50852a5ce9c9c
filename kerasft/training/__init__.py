"""Fine-tuning: phases, schedules, callbacks, fit, baselines, the learning rate finder."""

from kerasft.training.baselines import Step, compare_baselines
from kerasft.training.fit import fit
from kerasft.training.learning_rate_finder import find_learning_rate, find_rates
from kerasft.training.phases import Phase, compile_model, plan_phases
from kerasft.training.soup import average

__all__ = [
    "Phase",
    "Step",
    "average",
    "compare_baselines",
    "compile_model",
    "find_learning_rate",
    "find_rates",
    "fit",
    "plan_phases",
]
