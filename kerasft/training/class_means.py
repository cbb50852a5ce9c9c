"""The start of the output layer: the mean direction of each class.

The cosines of a feature vector with these means, divided by a temperature, are its first logits, as
in prototypical networks (Snell et al. 2017, arXiv 1703.05175) and classifiers with imprinted
weights (Qi et al. 2018, arXiv 1712.07136). With few examples per class, a
linear probe already fits them all before the first step. Class means do not, so training the top
blocks with them moves examples of the same class closer, as a contrastive loss does.
"""

from __future__ import annotations

import numpy as np

from kerasft.training.context import FitContext
from kerasft.training.head_features import Head, HeadFeatures, NoStartError, assign_head
from kerasft.training.untrained import class_directions

TEMPERATURE = 0.07  # of Khosla et al. 2020 (arXiv 2004.11362)


def start_as_class_means(context: FitContext, features: HeadFeatures, *, start_counts: bool) -> str:
    """Set the output layer to the mean direction of each class.

    Args:
        context: Context of a training that has not begun.
        features: Features of its first phase.
        start_counts: Ignored: this start is to be trained, and is not among the epochs.

    Returns:
        The start for the log.

    Raises:
        NoStartError: Features overflow.
    """
    head: Head | None = None
    train, classes = context.data.train, context.data.labels.num_outputs
    assert train is not None  # else there is a reason against
    rows, vectors = features.train

    def compute() -> str:
        nonlocal head
        head = class_means(vectors, train.y[rows], classes)
        return "" if head is None else "computed"

    if not context.devices.agree("class means", compute):
        raise NoStartError("no class means (features overflow)")
    assign_head(context, head)
    line = f"the means of {classes} classes, of {len(rows):,} training examples"
    given, rate = context.config.head_learning_rate, context.phases[0].learning_rate
    if context.phases[0].name == "head" and rate < given:
        line += f"; head phase at {rate:g}, not {given:g}, which would undo them"
    return line


def class_means(features: np.ndarray, y: np.ndarray, classes: int) -> Head | None:
    """Return the kernel and bias of an output layer with the mean directions of the classes.

    Args:
        features: Feature vectors of training examples, shape (n, width).
        y: Their classes, shape (n,).
        classes: Number of classes.

    Returns:
        Kernel, shape (width, classes), and bias, shape (classes,), float32. The outputs are
        cosines divided by the temperature, for features of the mean length. A class without an
        example has the lowest cosine, -1, with every vector. None where a feature is not finite.

    Example:
        >>> kernel, bias = class_means(np.eye(2), np.array([0, 1]), 2)
        >>> round(float(kernel[0, 0]), 2)
        14.29
    """
    length = np.linalg.norm(features, axis=1).mean()
    if not (np.isfinite(length) and length):
        return None
    kernel = class_directions(features, y, classes).T / (TEMPERATURE * length)
    bias = np.where(np.isin(np.arange(classes), y), 0, -1 / TEMPERATURE)
    return kernel.astype("float32"), bias.astype("float32")
