"""The importance of the settings of a search."""

from kerasft.insight import importance


def space(**values):
    return [{"name": name, "values": each} for name, each in values.items()]


def trials(**values):
    rows = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    return [{"values": row, "score": row["learning_rate"] * 10} for row in rows]


def test_what_the_score_follows_matters_and_what_was_never_varied_is_left_out():
    rates, flags = [0.1, 0.2, 0.3, 0.1, 0.2, 0.3], [0, 1, 0, 1, 0, 1]
    shares = importance(
        space(learning_rate=[0.1, 0.2, 0.3], dropout=[0, 1], lora_rank=[0, 4]),
        trials(learning_rate=rates, dropout=flags, lora_rank=[0] * 6),
    )
    assert list(shares) == ["learning_rate", "dropout"]
    assert shares["learning_rate"] > 0.8 and abs(sum(shares.values()) - 1) < 1e-9


def test_few_or_equal_scores_tell_nothing():
    made = trials(learning_rate=[0.1] * 6, dropout=[0, 1] * 3)
    assert importance(space(learning_rate=[0.1, 0.2], dropout=[0, 1]), made) == {}
    assert importance(space(learning_rate=[0.1, 0.2]), made[:2]) == {}
