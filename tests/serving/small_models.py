"""Tiny SavedModels made by hand: numbers, and the outputs of an export that marks bad items."""

import tensorflow as tf


class Numbers(tf.Module):
    """Sums of two numbers, and how many rows were computed together."""

    @tf.function(input_signature=[tf.TensorSpec((None, 2), tf.float32, "x")])
    def serve(self, x):
        rows = tf.repeat(tf.shape(x)[0], tf.shape(x)[0])
        return {"total": tf.reduce_sum(x, 1), "rows": rows, "echo_bytes": tf.strings.as_string(x)}

    @tf.function(input_signature=[])
    def constant(self):
        return {"total": tf.constant(7)}

    @tf.function(
        input_signature=[tf.TensorSpec((3,), tf.int32, "n"), tf.TensorSpec((), tf.bool, "flag")]
    )
    def fixed(self, n, flag):
        return {"total": tf.reduce_sum(n) * tf.cast(flag, tf.int32)}


class Marking(tf.Module):
    """Answers texts of digits, and marks others as the exports of this project do."""

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, "text")])
    def serve(self, text):
        good = tf.strings.regex_full_match(text, r"\d+")
        number = tf.strings.to_number(tf.where(good, text, "nan"))
        return {
            "prediction": number,
            "error": tf.where(good, "", "The item is no number."),
            "index": tf.range(tf.shape(text)[0]),
        }

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, "text")])
    def strict(self, text):
        return {"prediction": tf.strings.to_number(text)}


class Calibrated(tf.Module):
    """Gives every text the same answer, with all outputs that an export can have."""

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, "text")])
    def serve(self, text):
        n = tf.shape(text)[0]
        return {
            "prediction": tf.repeat(["parcel"], n),
            "probability": tf.repeat([0.7], n),
            "probabilities": tf.repeat([[0.2, 0.7, 0.1]], n, 0),
            "classes": tf.repeat([["invoice", "parcel", "refund"]], n, 0),
            "accepted": tf.repeat([False], n),
            "prediction_set": tf.repeat([[True, True, False]], n, 0),
            "known": tf.repeat([False], n),
            "known_score": tf.repeat([0.25], n),
            "error": tf.repeat([""], n),
            "index": tf.range(n),
        }


class Packed(tf.Module):
    """Unpacks bytes; TensorFlow calls others a loss of data."""

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, "packed_bytes")])
    def serve(self, packed_bytes):
        return {"text": tf.io.decode_compressed(packed_bytes, "ZLIB")}


class Interval(tf.Module):
    """Gives every text the same number, with an interval."""

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, "text")])
    def serve(self, text):
        n = tf.shape(text)[0]
        return {
            "prediction": tf.repeat([1234.5], n),
            "lower": tf.repeat([1100.0], n),
            "upper": tf.repeat([1400.0], n),
        }


def save(folder):
    """Writes the models below a folder, version 1 each."""
    models = {"calibrated": Calibrated(), "interval": Interval(), "packed": Packed()}
    for name, model in models.items():
        signatures = {"serving_default": model.serve}
        tf.saved_model.save(model, str(folder / name / "1"), signatures=signatures)
    numbers, marking = Numbers(), Marking()
    signatures = {
        "serving_default": numbers.serve,
        "fixed": numbers.fixed,
        "constant": numbers.constant,
    }
    tf.saved_model.save(numbers, str(folder / "numbers" / "1"), signatures=signatures)
    signatures = {"serving_default": marking.serve, "strict": marking.strict}
    tf.saved_model.save(marking, str(folder / "marking" / "1"), signatures=signatures)
