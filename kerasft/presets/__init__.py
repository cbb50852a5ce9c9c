"""Parts of a preset: its location, tokenizer and pixel scaling.

resolve             name of a preset -> folder, file or handle, without importing KerasHub
tokenizers          text -> token ids (preprocessors: for families without a KerasHub classifier)
sentence_encoders   settings whose `auto` depends on the weights: pair mode, start, vectors
pixel_scaling       pixels 0 to 255 -> the range that a backbone expects
"""

from kerasft.presets.resolve import Preset, resolve, whole_path

__all__ = ["Preset", "resolve", "whole_path"]
