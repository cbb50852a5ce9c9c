"""The seed of Python, NumPy, Keras and its backend."""

from __future__ import annotations

from kerasft.tensorflow_log import quiet_tensorflow


def set_seed(seed: int) -> None:
    """Seed all generators of random numbers, without start-up notices.

    Keras imports TensorFlow for it on every backend.

    Args:
        seed: Seed, at least 0.
    """
    with quiet_tensorflow():
        import keras

        keras.utils.set_random_seed(seed)
