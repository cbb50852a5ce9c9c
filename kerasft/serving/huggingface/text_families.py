"""Text families: BERT, DistilBERT and RoBERTa."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kerasft.serving.huggingface.family import Arrays, Family


def _encoder() -> dict[str, str]:
    """Return the names of BERT and RoBERTa."""
    block, name = r"transformer_layer_(\d+)/", "encoder.layer.{0}."
    return {
        r"(?:embeddings/)?token_embedding": "embeddings.word_embeddings",
        r"(?:embeddings/)?position_embedding": "embeddings.position_embeddings",
        "segment_embedding": "embeddings.token_type_embeddings",
        "embeddings_layer_norm": "embeddings.LayerNorm",
        "pooled_dense": "pooler.dense",
        block + "self_attention_layer/(query|key|value)": name + "attention.self.{1}",
        block + "self_attention_layer/attention_output": name + "attention.output.dense",
        block + "self_attention_layer_norm": name + "attention.output.LayerNorm",
        block + "feedforward_intermediate_dense": name + "intermediate.dense",
        block + "feedforward_output_dense": name + "output.dense",
        block + "feedforward_layer_norm": name + "output.LayerNorm",
    }


def _distilbert() -> dict[str, str]:
    block, name = r"transformer_layer_(\d+)/", "transformer.layer.{0}."
    letters = ("query", "key", "value")
    attention = block + "self_attention_layer/"
    return {
        r"token_and_position_embedding/token_embedding": "embeddings.word_embeddings",
        r"token_and_position_embedding/position_embedding": "embeddings.position_embeddings",
        "embeddings_layer_norm": "embeddings.LayerNorm",
        **{attention + word: f"{name}attention.{word[0]}_lin" for word in letters},
        attention + "attention_output": name + "attention.out_lin",
        block + "self_attention_layer_norm": name + "sa_layer_norm",
        block + "feedforward_intermediate_dense": name + "ffn.lin1",
        block + "feedforward_output_dense": name + "ffn.lin2",
        block + "feedforward_layer_norm": name + "output_layer_norm",
    }


def _text_config(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "vocab_size": config["vocabulary_size"],
        "num_hidden_layers": config["num_layers"],
        "num_attention_heads": config["num_heads"],
        "hidden_size": config["hidden_dim"],
        "intermediate_size": config["intermediate_dim"],
        "hidden_dropout_prob": config["dropout"],
        "attention_probs_dropout_prob": config["dropout"],
        "max_position_embeddings": config["max_sequence_length"],
    }


def _bert_config(config: Mapping[str, Any]) -> dict[str, Any]:
    # KerasHub computes GELU of BERT by tanh.
    extra = {"hidden_act": "gelu_new", "layer_norm_eps": 1e-12, "pad_token_id": 0}
    return {**_text_config(config), **extra, "type_vocab_size": config["num_segments"]}


_RESERVED = 2  # positions of RoBERTa before the first


def _roberta_config(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **_text_config(config),
        "max_position_embeddings": config["max_sequence_length"] + _RESERVED,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-5,
        "type_vocab_size": 1,
        "bos_token_id": 0,
        "pad_token_id": 1,
        "eos_token_id": 2,
    }


def _complete_roberta(arrays: Arrays) -> Arrays:
    """Add what KerasHub does not have: reserved positions, the type of tokens, an unused pooler.

    transformers would initialize missing weights at random.
    """
    positions = arrays["embeddings.position_embeddings.weight"]
    width = positions.shape[1]
    return {
        **arrays,
        "embeddings.position_embeddings.weight": np.concatenate(
            [np.zeros((_RESERVED, width), positions.dtype), positions]
        ),
        "embeddings.token_type_embeddings.weight": np.zeros((1, width), positions.dtype),
        "pooler.dense.weight": np.zeros((width, width), positions.dtype),
        "pooler.dense.bias": np.zeros(width, positions.dtype),
    }


def _distilbert_config(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "vocab_size": config["vocabulary_size"],
        "n_layers": config["num_layers"],
        "n_heads": config["num_heads"],
        "dim": config["hidden_dim"],
        "hidden_dim": config["intermediate_dim"],
        "dropout": config["dropout"],
        "attention_dropout": config["dropout"],
        "max_position_embeddings": config["max_sequence_length"],
        "activation": "gelu",
        "sinusoidal_pos_embds": False,
        "pad_token_id": 0,
    }


def _through_relu(weight: np.ndarray, bias: np.ndarray) -> Arrays:
    """Return an output layer behind a dense layer with ReLU: x = relu(x) - relu(-x)."""
    outputs, width = weight.shape
    both = np.zeros((width, width), weight.dtype)
    both[: 2 * outputs] = np.concatenate([weight, -weight])
    identity = np.eye(outputs, dtype=weight.dtype)
    difference = np.zeros((outputs, width), weight.dtype)
    difference[:, : 2 * outputs] = np.concatenate([identity, -identity], axis=1)
    return {
        "pre_classifier.weight": both,
        "pre_classifier.bias": np.zeros(width, weight.dtype),
        "classifier.weight": difference,
        "classifier.bias": bias,
    }


TEXT_FAMILIES = {
    "BertBackbone": Family(
        "bert",
        "BertModel",
        _encoder(),
        _bert_config,
        classifier="BertForSequenceClassification",
        pooling="first",
    ),
    "DistilBertBackbone": Family(
        "distilbert",
        "DistilBertModel",
        _distilbert(),
        _distilbert_config,
        classifier="DistilBertForSequenceClassification",
        pooling="first",
        head=_through_relu,
        width_per_output=2,
    ),
    # RobertaForSequenceClassification has a tanh before its output layer.
    "RobertaBackbone": Family(
        "roberta", "RobertaModel", _encoder(), _roberta_config, _complete_roberta
    ),
}
