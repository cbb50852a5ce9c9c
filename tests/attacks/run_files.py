"""Every file of a run, with every kind of damage, read by every command."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.attacks import damage
from tests.attacks.attack import Attack, Place
from tests.attacks.damage import Damage

OLD = Path(__file__).parent.parent / "golden" / "0.1.0" / "runs" / "minilm_tickets" / "text"
RUN = "runs/minilm_tickets/a"
FILES = (
    "manifest.json", "config.json", "labels.json", "history.json", "metrics.json", "worst.json",
    "confusions.json", "calibration.json", "calibration.npz", "predictions.npz",
    "weights.safetensors", "recipe.py", "run.log",
)  # fmt: skip
# Commands that take little time, and the files that each reads besides the manifest.
_FACTS = {"config.json", "labels.json", "history.json", "metrics.json"}
QUICK = {"show": _FACTS, "diagnose": _FACTS | {"calibration.json"}}
_MODEL = {
    "config.json", "labels.json", "weights.safetensors", "calibration.json", "calibration.npz",
}  # fmt: skip
OTHERS = {
    "report": {"predictions.npz", "worst.json", "confusions.json", "calibration.json"},
    "predict": _MODEL,
    "evaluate": _MODEL,
    "calibrate": {"labels.json", "metrics.json", "predictions.npz", "worst.json"},
}
MODEL_DAMAGES = ("one bit flipped", "missing", "a link to itself", "null", "another digit")


def _attack(name: str, what: str, spoil: Damage, command: str, *, read: bool) -> Attack:
    """Return an attack on one file: of a manifest, which has no checksum, some damage is harmless.

    A file that the command does not read must not change what it prints.
    """
    manifest = name == "manifest.json"
    texts = ["a good film"] if command == "predict" else []

    def arrange(place: Place) -> None:
        spoil(place.copy("text run", RUN) / name)

    def repair(place: Place) -> None:
        shutil.rmtree(place.path / RUN)
        place.copy("text run", RUN)

    return Attack(
        "run files",
        f"{command}, {name}: {what}",
        [command, RUN, *texts],
        (0, 2, 5) if manifest else 5 if read else 0,
        ["a"] if manifest else [name] if read else [],
        arrange,
        repair=None if manifest or read else repair,
    )


def _today() -> Iterator[Attack]:
    for name in FILES:
        kinds = damage.ANY | (damage.JSON if name.endswith(".json") else {})
        for command, read in QUICK.items():
            for what, spoil in kinds.items():
                yield _attack(name, what, spoil, command, read=name in read)
        for command, read in OTHERS.items():
            for what in (what for what in MODEL_DAMAGES if what in kinds and name in read):
                yield _attack(name, what, kinds[what], command, read=True)


# Files of 0.1.0, which has no checksums, that each command reads.
OLD_READ = {
    "show": {"manifest.json", *QUICK["show"]},
    "diagnose": {"manifest.json", *QUICK["show"]},
}
OLD_READ["report"] = OLD_READ["diagnose"] | {"predictions.npz", "worst.json"}
# Of the right form: without a checksum nothing shows that it is not the content.
PLAUSIBLE = {
    ("metrics.json", "an empty object"),
    ("config.json", "an empty object"),
    ("history.json", "a list of other objects"),
}


def _old() -> Iterator[Attack]:
    for name in sorted(path.name for path in OLD.iterdir()):
        for what, content in damage.CONTENTS.items():

            def arrange(place: Place, name: str = name, content: bytes = content) -> None:
                damage.copied(OLD, place.path / "old")
                place.write(f"old/{name}", content)

            for command, read in OLD_READ.items():
                sure = name in read and (name, what) not in PLAUSIBLE
                yield Attack(
                    "run files", f"{command}, {name} of 0.1.0: {what}", [command, "old"],
                    5 if sure else (0, 5), [name], arrange, changes=("old",),
                )  # fmt: skip


def _several() -> Iterator[Attack]:
    """Yield attacks in which one of two runs is damaged."""
    for what, spoil in (damage.ANY | damage.JSON).items():

        def arrange(place: Place, spoil: Damage = spoil) -> None:
            place.copy("text run", "runs/minilm_tickets/healthy")
            spoil(place.copy("text run", RUN) / "manifest.json")

        yield Attack(
            "run files", f"the list of runs, a manifest: {what}", ["runs"], 0,
            ["minilm_tickets/healthy"], arrange,
        )  # fmt: skip
        yield Attack(
            "run files", f"compare runs, a manifest: {what}",
            ["runs", "compare", "runs/minilm_tickets/healthy", RUN], (0, 2, 5), ["a"], arrange,
        )  # fmt: skip


HOSTILE: dict[str, tuple[str, Callable[[dict[str, Any]], Any], int, str]] = {
    "a recipe of the folder": (
        "manifest.json", lambda m: m["recipe"].update(source="evil.py"), 4, "evil.py",
    ),
    "a recipe outside": (
        "manifest.json", lambda m: m["recipe"].update(source="/tmp/no/evil.py"), 4, "evil.py",
    ),
    "a recipe without a hash": (
        "manifest.json", lambda m: m["recipe"].update(source="evil.py", sha256=None), 4, "a",
    ),
    "a recipe that is a list": (
        "manifest.json", lambda m: m.update(recipe=[]), 5, "`recipe`",
    ),
    "no recipe": ("manifest.json", lambda m: m["recipe"].clear(), 5, "`recipe.name`"),
    "no weights": ("manifest.json", lambda m: m.pop("weights"), 5, "manifest.json"),
    "checksums that are no object": ("manifest.json", lambda m: m.update(files=[1]), 5, "manifest"),
    "a recipe that is no object": ("manifest.json", lambda m: m.update(recipe=1), 5, "manifest"),
    "swapped class names": ("labels.json", lambda m: m["names"].reverse(), 5, "labels.json"),
    "another preset": ("config.json", lambda m: m.update(preset="x"), 5, "config.json"),
}  # fmt: skip


def _hostile() -> Iterator[Attack]:
    """Yield records that are valid JSON and lie; nothing of them is executed or believed."""
    for what, (name, change, code, culprit) in HOSTILE.items():

        def arrange(place: Place, name: str = name, change: Any = change) -> None:
            run = place.copy("text run", RUN)
            record = json.loads((run / name).read_text())
            change(record)
            (run / name).write_text(json.dumps(record))
            place.write("evil.py", 'open("hacked", "w")\n')
            shutil.copy(place.path / "evil.py", run / "evil.py")

        yield Attack(
            "run files", f"predict, {what}", ["predict", RUN, "a film"], code, [culprit], arrange
        )
    for what, spoil in damage.ANY.items():

        def arrange(place: Place, spoil: Damage = spoil) -> None:
            spoil(place.copy("text run", RUN) / "fingerprints.npz")
            place.write("more.csv", "text,label\na good film,good\na bad film,bad\n")

        yield Attack(
            "run files", f"evaluate, fingerprints.npz: {what}",
            ["evaluate", RUN, "--dataset", "more.csv"], (0, 5), ["fingerprints.npz"], arrange,
        )  # fmt: skip


def _locks() -> Iterator[Attack]:
    """Yield runs of a killed fit whose lock is damaged: whatever it is, no process holds it."""
    for what, spoil in damage.ANY.items():

        def arrange(place: Place, spoil: Damage = spoil) -> None:
            run = place.copy("text run", RUN)
            manifest = json.loads((run / "manifest.json").read_text())
            (run / "manifest.json").write_text(json.dumps({**manifest, "state": "running"}))
            spoil(place.write(f"{RUN}/fit.lock", "process 1"))

        for command in (["runs"], ["show", RUN]):
            yield Attack(
                "run files", f"{command[0]}, fit.lock: {what}", command, 0, ["interrupted"], arrange
            )


FIELDS = (
    "recipe", "state", "created", "versions", "modality", "data", "given", "usual", "weights",
    "blocks", "files", "speed", "seconds",
)  # fmt: skip


def _fields() -> Iterator[Attack]:
    """Yield manifests in which one field is of another kind."""
    for field in FIELDS:
        for value in (None, True, 17, "x", [1], {"a": 1}):

            def arrange(place: Place, field: str = field, value: Any = value) -> None:
                path = place.copy("text run", RUN) / "manifest.json"
                path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))

            for command in ("show", "diagnose"):
                yield Attack(
                    "run files", f"{command}, `{field}` of manifest.json: {value}", [command, RUN],
                    (0, 5), [f"`{field}"], arrange,
                )  # fmt: skip


def attacks() -> Iterator[Attack]:
    """Yield the attacks of this group."""
    yield from _today()
    yield from _old()
    yield from _several()
    yield from _locks()
    yield from _fields()
    yield from _hostile()
