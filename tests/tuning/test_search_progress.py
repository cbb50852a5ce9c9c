"""Progress of a search."""

import pytest

from kerasft.tuning.progress import Expected, SearchProgress
from kerasft.tuning.results import Trial


def test_a_trial_that_continues_trial_0_counts_its_own_epochs(tmp_path):
    objective = {"name": "val_loss", "direction": "min"}
    expected = Expected(trials=2, epochs=None, head_epochs=1)
    progress = SearchProgress(lambda number: tmp_path / str(number), {}, objective, expected)
    outcome = {"seconds": 8.0, "score": 1.0}
    first = Trial(0, {}, 3, state="completed", outcome=outcome)
    progress.ended(first, [first])
    again = Trial(1, {}, 9, continues=0)
    # 8 s for 1 + 3 epochs, so 2 s each, and 6 epochs more from epoch 3 on.
    assert progress.estimate(again) == pytest.approx(12.0)
