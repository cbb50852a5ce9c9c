"""Outputs of models that are overconfident by a known amount, and their targets."""

import numpy as np
from scipy.special import expit, softmax

TEST = 20_000


def classes(seed, count, sharper=1.0, number=10):
    """Returns probabilities and classes; the true log-probabilities are divided by `sharper`."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(count, number)) * 2.5
    y = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    return softmax(logits * sharper, axis=1).astype("float32"), y


def labels(seed, count, number=6):
    """Returns overconfident probabilities of rare labels, and the labels."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(size=(count, number)) * 2 + np.linspace(-3, 0, number)
    y = (rng.random(odds.shape) < expit(odds)).astype("float32")
    return expit(1.8 * odds + 0.5).astype("float32"), y
