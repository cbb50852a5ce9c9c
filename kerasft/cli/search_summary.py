"""Summaries of a search: as JSON, and as lines for people."""

from __future__ import annotations

from typing import Any

from kerasft.formatting import counted, settings_text

_FEW = 20  # completed trials below which importances are only indicative


def describe_search(search: Any) -> dict[str, Any]:
    """Return the JSON document of a search."""
    from kerasft.insight import importance

    header, best, trials = search.header, search.best, search.trials
    records = [{"values": trial.values, "score": trial.score} for trial in trials]
    scores = [trial.score for trial in trials if trial.score is not None]
    within_noise = search.noise is not None and max(scores) - min(scores) < search.noise
    states = ["interrupted" if t.state == "running" else t.state for t in trials]
    return {
        "search": search.path,
        "recipe": header["recipe"]["name"],
        "tuner": header["tuner"],
        "objective": header["objective"],
        "trials": {state: states.count(state) for state in dict.fromkeys(states)},
        "best": {"trial": best.number, "score": best.score, "values": best.values},
        "defaults": {"score": search.defaults.score, "values": search.defaults.values},
        "noise": search.noise,
        "chance": search.noise,  # old name
        "validation_examples": header["validation_examples"],
        "importance": {} if within_noise else importance(header["space"], records),
        "fit": search.fit_command,
    }


def search_facts(report: dict[str, Any]) -> dict[str, Any]:
    """Return the lines that are printed for a search, from `describe_search`."""
    objective, best = report["objective"]["name"], report["best"]
    changed = {
        name: value
        for name, value in best["values"].items()
        if value != report["defaults"]["values"].get(name)
    }
    values = settings_text(changed)
    facts: dict[str, Any] = {
        "trials": ", ".join(f"{count} {state}" for state, count in report["trials"].items()),
        "best": f"trial {best['trial']}: {objective} {best['score']:.4g} ({values or 'defaults'})",
    }
    if report["defaults"]["score"] is not None:
        gain = best["score"] - report["defaults"]["score"]
        tie = ", tie broken by val_loss" if not gain and best["trial"] else ""
        facts["defaults"] = f"{objective} {report['defaults']['score']:.4g} (gain {gain:+.2g}{tie})"
        if gain and report["noise"] is not None and abs(gain) < report["noise"]:
            facts["noise"] = (
                f"gains below {report['noise']:.2g} are within noise "
                f"({counted(report['validation_examples'], 'validation example')})"
            )
    shares = report["importance"]
    if shares:
        text = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
        done = report["trials"].get("completed", 0)
        facts["importance"] = text if done >= _FEW else f"{text} ({done} trials: indicative)"
    facts["search"] = f"{report['search']} (trials.csv, objective.png, settings.png)"
    facts["next"] = report["fit"]
    return facts
