"""Pretrained backbones: loading, and a cache for repeated loading."""

from __future__ import annotations

import contextlib
import random
from typing import Any

import keras

from kerasft.config import Config
from kerasft.errors import SettingError, first_line
from kerasft.models.backbone_families import functional_graph
from kerasft.models.fast_layers import speed_up
from kerasft.models.freezing import disable_dropout, set_trainable
from kerasft.presets.resolve import Preset, resolve

Cached = dict[tuple[str, str], tuple[keras.Model, list[Any]]]
_cached: Cached | None = None


class BackboneCache:
    """A context in which each pretrained backbone is loaded once and then reused.

    `load_backbone` returns the same object again, with its pretrained weights restored. Only one
    of the models built on it can be trained at a time.

    Example:
        >>> cache = BackboneCache()
        >>> with cache:
        ...     first = load_backbone(preset)
        >>> with cache:
        ...     assert load_backbone(preset) is first
    """

    def __init__(self) -> None:
        self._own: Cached = {}

    def __enter__(self) -> None:
        global _cached
        self._before, _cached = _cached, self._own

    def __exit__(self, *error: object) -> None:
        global _cached
        _cached = self._before


def building(config: Config, cache: BackboneCache) -> contextlib.AbstractContextManager[None]:
    """Return the context in which to build a model that may share a cached backbone.

    Adapters change a backbone permanently, so a model with adapters does not use the cache.

    Args:
        config: Settings; `lora_rank` is used.
        cache: Cache of the backbones that models share.
    """
    return contextlib.nullcontext() if config.lora_rank else cache


def _as_loaded(backbone: keras.Model, values: list[Any]) -> keras.Model:
    """Restore the pretrained weights of a cached backbone and make everything trainable."""
    for variable, value in zip(backbone.weights, values, strict=True):
        variable.assign(value)
    set_trainable(functional_graph(backbone), True)  # also its wrapper layers
    set_trainable(backbone, True)
    disable_dropout(backbone, frozen=False)
    return backbone


def load_backbone(preset: str | Config, *, pretrained: bool = True) -> keras.Model:
    """Load a KerasHub backbone with its pretrained weights.

    Args:
        preset: Name or location of the preset: a KerasHub preset name, a folder in the layout of
            KerasHub, Hugging Face or timm, `hf://ORG/NAME` or `hf://ORG/NAME@REVISION`,
            `package:NAME/FOLDER` for a folder of an installed package, a `.keras` file of a
            Functional model without head, or `applications:NAME` for a model of
            keras.applications that KerasHub lacks. Or a config,
            of which `preset` and `pretrained` are used.
        pretrained: Whether to load the pretrained weights; False initializes them at random.

    Returns:
        A Functional `keras.Model` with everything trainable; call `freeze` next.

    Raises:
        SettingError: The preset does not exist, or cannot be loaded.
        NetworkError: The preset must be downloaded and its host is unreachable.

    Example:
        >>> backbone = load_backbone("package:kerasft/assets/resnet_glyphs")
        >>> backbone.count_params()
        1230784
    """
    if isinstance(preset, Config):
        return load_backbone(preset.preset, pretrained=preset.pretrained)
    found = resolve(preset, pretrained=pretrained)
    policy = keras.config.dtype_policy().name
    key = (found.location, policy)
    if _cached is not None and pretrained and key in _cached:
        return _as_loaded(*_cached[key])
    before = random.getstate()
    try:
        backbone = _read(found, policy, pretrained)
    except (ValueError, KeyError, TypeError, ImportError, OSError) as error:
        raise _unreadable(found, error) from error
    finally:
        # Initializers of weights that the preset then replaces draw seeds. Undo this, so that the
        # head is initialized alike for every backbone, loaded or cached.
        if pretrained:
            random.setstate(before)
    speed_up(backbone)
    if _cached is not None and pretrained:
        _cached[key] = backbone, [variable.numpy() for variable in backbone.weights]
    return backbone


def _read(found: Preset, policy: str, pretrained: bool) -> keras.Model:
    if found.kind == "applications":
        build = getattr(keras.applications, found.location)
        return build(
            include_top=False,
            weights="imagenet" if pretrained else None,
            input_shape=(None, None, 3),
        )
    if found.kind == "file":
        model = keras.saving.load_model(found.location, compile=False)
        _refuse_head(found, model)
        model = _in_policy(model, policy)
        return model if pretrained else keras.models.clone_model(model)
    import keras_hub

    options: dict[str, Any] = {"load_weights": pretrained}
    if policy != "float32":  # a saved preset specifies float32, which would override the policy
        options["dtype"] = policy
    return keras_hub.models.Backbone.from_preset(found.location, **options)


def _refuse_head(found: Preset, model: keras.Model) -> None:
    """Raise SettingError if the model ends in a softmax or sigmoid layer."""
    last = model.layers[-1] if model.layers else None
    activation = getattr(getattr(last, "activation", None), "__name__", "")
    flat = all(len(tensor.shape) == 2 for tensor in getattr(model, "outputs", ()))
    if last is not None and flat and activation in ("softmax", "sigmoid"):
        raise SettingError(
            f"The preset {found.name} ends in its own output layer, {last.name}. Save the model "
            "without it: keras.Model(model.input, LAYER.output).save(FILE)."
        )


def _in_policy(model: keras.Model, policy: str) -> keras.Model:
    """Return a model that was saved in float32 with the dtype policy of its layers replaced."""
    if policy == "float32":
        return model

    def in_policy(operation: Any) -> Any:
        config = operation.get_config()
        # A sum written as `a + b` is an operation without a dtype policy.
        is_layer = isinstance(operation, keras.layers.Layer)
        if is_layer and operation.dtype_policy.name == "float32":
            config["dtype"] = policy
        return type(operation).from_config(config)

    twin = keras.models.clone_model(model, clone_function=in_policy, recursive=True)
    twin.set_weights(model.get_weights())
    return twin


def _unreadable(preset: Preset, error: Exception) -> SettingError:
    return SettingError(f"The preset {preset.name} cannot be loaded: {first_line(error)}.")
