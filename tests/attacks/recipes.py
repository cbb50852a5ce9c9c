"""Recipes that are no Python, incomplete, or fail where they are called."""

from __future__ import annotations

from collections.abc import Iterator

from tests.attacks.attack import Attack

HEAD = '"""A recipe."""\nimport kerasft\n\n'
CONFIG = (
    "class Config(kerasft.ImageConfig):\n    preset: str = 'package:kerasft/assets/resnet_glyphs'\n"
)
CONFIG += (
    "    dataset: kerasft.Dataset = kerasft.Dataset('builtin:digits')\n    image_size: int = 32\n\n"
)
WHOLE = HEAD + CONFIG
BUILD = "def build_model(config, data):\n    {}\n"

# What is wrong, the file, and what must be named besides it.
BROKEN = {
    "empty": ("", "Config"),
    "zero bytes": ("\0" * 99, ""),
    "a text": ("no Python at all\n", "line 1"),
    "no UTF-8": (b"x = '\xff'\n", ""),
    "1,000 brackets": ("(" * 1000, ""),
    "an open string": (f'{HEAD}x = "', "line 4"),
    "no Config": (HEAD + BUILD.format("pass"), "Config"),
    "a Config that is no class": (f"{HEAD}Config = 1\n{BUILD.format('pass')}", "Config"),
    "a Config of another base": (f"{HEAD}class Config: pass\n{BUILD.format('pass')}", "Config"),
    "no build_model": (WHOLE, "build_model"),
    "a build_model that is no function": (f"{WHOLE}build_model = 1\n", "build_model"),
    "a load_data that is no function": (
        f"{WHOLE}{BUILD.format('pass')}load_data = 1\n", "load_data",
    ),
    "an error at import": (f"{HEAD}1 / 0\n", "line 4"),
    "an exit at import": (f"{HEAD}import sys\nsys.exit(0)\n", "line 5"),
    "a missing package": (f"{HEAD}import no_such_package_at_all\n", "no_such_package_at_all"),
    "endless recursion": (f"{HEAD}def f(): f()\nf()\n", "RecursionError"),
    "a message of 9,000 characters": (f"{HEAD}raise ValueError('x' * 9000)\n", "line 4"),
    "a message that commands a terminal": (f"{HEAD}raise ValueError('\\x1b[2J')\n", "line 4"),
    "an unknown annotation": (
        f"{HEAD}class Config(kerasft.ImageConfig):\n    a: set = 1\n{BUILD.format('pass')}", "`a`",
    ),
}  # fmt: skip
# Bodies of build_model and what must be named.
BODIES = {
    "return None": "build_model",
    "return 17": "build_model",
    "raise ValueError('boom here')": "boom here",
    "1 / 0": "build_model",
    "import sys; sys.exit(0)": "build_model",
    "import sys; sys.exit('bye')": "build_model",
    "raise KeyError('x' * 9000)": "build_model",
    "assert config is None": "build_model",
    "config.epochs = 3": "build_model",
    "config.nothing": "nothing",
    "import keras; return keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])": "shape",
}


def attacks() -> Iterator[Attack]:
    """Yield the attacks of this group."""
    for what, (content, culprit) in BROKEN.items():
        for command in ("fit", "show"):
            yield Attack(
                "recipes", f"{command}, {what}", [command, "own.py"], 2, ["own.py", culprit],
                lambda place, content=content: place.write("own.py", content),
            )  # fmt: skip
    for body, culprit in BODIES.items():
        for function in ("build_model", "load_data"):
            arguments = "(config, data)" if function == "build_model" else "(config)"
            content = f"{WHOLE}def {function}{arguments}:\n    {body}\n"
            content += BUILD.format("pass") * (function == "load_data")
            named = culprit.replace("build_model", function)
            named = "load_data" if (named, function) == ("shape", "load_data") else named
            yield Attack(
                "recipes", f"{function}: {body:.40}", ["fit", "own.py", "--epochs", "1"], 2,
                ["own", named], lambda place, content=content: place.write("own.py", content),
            )  # fmt: skip
    for name in ("nothing", "nothing.py", "", " ", "x" * 5000, "\x1b[2J", "../up", "a/b", "{0}"):
        yield Attack(
            "recipes", f"the name {name!a:.20}", ["fit", name], 2, [name[:9].strip("\x1b")]
        )
