"""Parts of a preset: its location, tokenizer and pixel scaling.

resolve            name of a preset -> folder, file or handle, without importing KerasHub
tokenizers         text -> token ids (preprocessors: for families without a KerasHub classifier)
sentence_encoder   whether the weights were trained so that the cosine compares two texts
pair_mode          pairs of texts in one input, or in two towers
pixel_scaling      pixels 0 to 255 -> the range that a backbone expects
"""

from kerasft.presets.resolve import Preset, resolve, whole_path

__all__ = ["Preset", "resolve", "whole_path"]
