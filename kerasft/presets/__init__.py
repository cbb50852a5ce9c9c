"""Everything that comes out of a preset: its location, tokenizer and pixel scaling.

resolve         a preset's name to a folder, file or handle, without importing KerasHub
tokenizers      text to token ids (preprocessors: families that KerasHub has none for)
pixel_scaling   pixels 0 to 255 to what a backbone expects
"""

from kerasft.presets.resolve import Preset, resolve, whole_path

__all__ = ["Preset", "resolve", "whole_path"]
