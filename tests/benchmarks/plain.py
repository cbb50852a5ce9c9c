"""Keras as its guides use it, for the sides that kerasft is measured against."""

from __future__ import annotations

from typing import Any


def stock_keras() -> None:
    """Leaves the layers of backbones as KerasHub makes them; for this process."""
    from kerasft.models import backbones

    backbones.contract_as_matrices = lambda model: None


def compile_stock(model: Any, config: Any, data: Any) -> None:
    """Compiles as `compile_model` does, with the AdamW of Keras."""
    import keras

    from kerasft.training import optimizers
    from kerasft.training.phases import compile_model

    ours, optimizers.FusedAdam = optimizers.FusedAdam, keras.optimizers.AdamW
    try:
        compile_model(model, config, data)
    finally:
        optimizers.FusedAdam = ours


def longest_only(x: Any) -> Any:
    """Returns prepared inputs, texts without the padding that all of them have in common."""
    if not isinstance(x, dict):
        return x
    longest = int(x["padding_mask"].sum(axis=1).max())
    return {name: values[:, :longest] for name, values in x.items()}
