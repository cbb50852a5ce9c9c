"""Hyperparameter search: space, oracles of KerasTuner, trials that can be resumed."""
