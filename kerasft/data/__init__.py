"""The data pipeline: sources, examples, splits, prepared arrays, batches.

sources       readers of `config.dataset`: builtin, folders, tables (tables, table_files, columns),
              tfds
splits        missing splits, split off the training set
labels        classes and targets
preparation   all steps in order: `load_data` (prepared: inputs in memory or in files)
audit         notes and a summary
inputs        inputs of `predict`
batches       batches and their order in an epoch (ragged: arrays of variable length)
tf_dataset    batches as a `tf.data.Dataset`
"""

from kerasft.arrays import allocate
from kerasft.data.audit import summarize
from kerasft.data.batches import Batches, class_weights, select_rows
from kerasft.data.examples import Data, Examples, Split
from kerasft.data.glyph_batches import load_glyphs
from kerasft.data.label_encoding import encode
from kerasft.data.mixing import make_mix
from kerasft.data.predict_inputs import InputStream, examples_of, read_inputs, read_rows, readable
from kerasft.data.preparation import (
    audit_source,
    encode_examples,
    load_data,
    load_recipe_data,
    prepare_data,
    prepare_inputs,
    read_splits,
)
from kerasft.data.ragged import Ragged
from kerasft.data.sources import column_names, read_dataset, stream_table
from kerasft.data.splits import make_splits
from kerasft.data.tf_dataset import stream
from kerasft.modalities.padding import text_lengths
from kerasft.tasks import Labels

__all__ = [
    "Batches",
    "Data",
    "Examples",
    "InputStream",
    "Labels",
    "Ragged",
    "Split",
    "allocate",
    "audit_source",
    "class_weights",
    "column_names",
    "encode",
    "encode_examples",
    "examples_of",
    "load_data",
    "load_glyphs",
    "load_recipe_data",
    "make_mix",
    "make_splits",
    "prepare_data",
    "prepare_inputs",
    "read_dataset",
    "read_inputs",
    "read_rows",
    "read_splits",
    "readable",
    "select_rows",
    "stream",
    "stream_table",
    "summarize",
    "text_lengths",
]
