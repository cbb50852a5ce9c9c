"""Reference pages that MkDocs generates from the code while it builds the site.

MkDocs loads this file as a hook. The pages for contributors, which are in this folder and not in
`pages/`, become part of the site here too.
"""

from __future__ import annotations

import ast
import inspect
import re
import signal
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click

import kerasft
from kerasft import catalog, common_settings
from kerasft.cli import main
from kerasft.cli.failures import INTERRUPTED, TERMINATED
from kerasft.cli.options import limits
from kerasft.cli.recipe_group import RecipeGroup
from kerasft.config import ImageConfig, TextConfig
from kerasft.errors import KerasftError
from kerasft.formatting import setting_text
from kerasft.modalities import known_settings
from kerasft.setting_declaration import Setting, settings

DOCS = Path(__file__).parent
CONTRIBUTORS = ("architecture", "changelog", "contributing")
# What a browser would load from another host, unlike a link that a reader follows.
_LOADED = re.compile(
    r"<(?:script|img|iframe|link)\b[^>]*?(?:src|href)=[\"']?((?:https?:)?//[^\"'>\s]+)"
)
# The space before a unit or a sign of uncertainty, which is no place to break a line of a cell.
_UNIT_SPACE = re.compile(r"(?<=\d) (?=(?:s|M|MB|GB|points)\b|±)|(?<=±) (?=\d)")
_SHARED = ("json", "quiet", "debug", "help")
# Titles for the homes of public names; another home gets its own name as title.
_TITLES = {
    "kerasft.checks": "Check",
    "kerasft.training": "Fit",
    "kerasft.evaluation": "Evaluate and predict",
    "kerasft.insight": "Diagnose, compare, report",
    "kerasft.tuning": "Search",
    "kerasft.serving.export": "Export",
    "kerasft.runs": "Runs",
    "kerasft.config": "Configs",
    "kerasft.dataset": "Dataset",
    "kerasft.setting_declaration": "Declare a setting",
    "kerasft.setting_conditions": "Conditions of a setting",
    "kerasft.catalog": "Recipes",
    "kerasft.models": "Models",
    "kerasft.modalities": "Models",
    "kerasft.modalities.image_features": "Models",
    "kerasft.modalities.text_features": "Models",
    "kerasft.data": "Data",
    "kerasft.testing": "Test a recipe",
    "kerasft.errors": "Errors",
}
_BESIDES = (("kerasft.setting_conditions", "when"), ("kerasft.setting_conditions", "refuse"),
            ("kerasft.testing", "check_recipe"), ("kerasft.testing", "tiny_preset"))  # fmt: skip


def pages() -> dict[str, Callable[[], str]]:
    """Return the functions that write the generated pages, by path below `pages/`."""
    return {
        "reference/command-line.md": command_line_page,
        "reference/settings.md": settings_page,
        "reference/python.md": python_page,
        "reference/recipes.md": recipes_page,
        "reference/exit-codes.md": exit_codes_page,
    }


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages and those for contributors (an event of MkDocs)."""
    from mkdocs.structure.files import File  # only a build needs MkDocs

    for path, write in pages().items():
        files.append(File.generated(config, path, content=write()))
    for name in CONTRIBUTORS:
        source = str(DOCS / f"{name}.md")
        files.append(File.generated(config, f"project/{name}.md", abs_src_path=source))
    return files


def on_page_content(html: str, page: Any, config: Any, files: Any) -> str:
    """Keep numbers in tables on one line with their unit (an event of MkDocs)."""
    return re.sub(r"<td>.*?</td>", lambda td: _UNIT_SPACE.sub("&nbsp;", td[0]), html)


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Refuse a page that loads something from another host (an event of MkDocs)."""
    from mkdocs.exceptions import PluginError

    found = _LOADED.findall(output)
    if found:
        raise PluginError(f"{page.file.src_uri} loads {found[0]}. Put the file into docs/pages.")
    return output


# Markdown


def cell(text: str) -> str:
    """Return plain text as the content of a table cell."""
    for plain, escaped in (("|", "\\|"), ("<", "&lt;"), ("*", "\\*"), ("[", "\\[")):
        text = text.replace(plain, escaped)
    return " ".join(text.split())


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table of cells that are Markdown already."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _code(text: Any) -> str:
    return f"`{text}`{{ .name }}" if str(text) else ""  # the style of a name: on one line


def _value(text: str) -> str:
    return f"`{text}`{{ .value }}"  # the style of a value: a long one breaks anywhere


def _prose(text: str) -> str:
    """Return a docstring or a help text of click as Markdown.

    Indented paragraphs, and those after a backspace, are preformatted.
    """
    blocks = []
    for block in inspect.cleandoc(text).split("\n\n"):
        if block.startswith(("\b\n", "    ")):
            plain = inspect.cleandoc(block.removeprefix("\b"))
            blocks.append(f"```text\n{plain}\n```")
        else:
            blocks.append(cell(block))
    return "\n\n".join(blocks)


# The command line


def command_line_page() -> str:
    """Return the page of all commands with their options."""
    context = click.Context(main, info_name="kerasft")
    parts = [
        "# Command line",
        "Generated from the program. `kerasft COMMAND --help` prints the same.",
        _prose(main.help or ""),
        "## Options",
        "`--json`, `--quiet`, `--debug` and `--help` are valid after every command too.",
        _options(main.get_params(context), context),
    ]
    for name in main.list_commands(context):
        parts += _command(main.commands[name], f"kerasft {name}", context)
    return "\n\n".join(parts) + "\n"


def _command(command: click.Command, name: str, parent: click.Context) -> list[str]:
    context = click.Context(command, info_name=name.split()[-1], parent=parent)
    own = [p for p in command.params if p.name not in _SHARED]
    usage = " ".join(command.collect_usage_pieces(context))
    if isinstance(command, RecipeGroup):
        own = list(command.make_options())
        usage = "RECIPE [SETTINGS] [OPTIONS]"
    parts = [f"## {name}", f"```text\n{name} {usage}\n```", _prose(command.help or "")]
    if isinstance(command, RecipeGroup):
        parts.append("Settings of a recipe are options too: [all settings](settings.md).")
    parts.append(_options(own, context))
    if isinstance(command, click.Group) and not isinstance(command, RecipeGroup):
        for sub in command.list_commands(context):
            parts += _command(command.commands[sub], f"{name} {sub}", context)
    return [part for part in parts if part]


def _options(parameters: Iterable[click.Parameter], context: click.Context) -> str:
    records = [p.get_help_record(context) for p in parameters]
    rows = [(_code(record[0]), cell(record[1])) for record in records if record and record[1]]
    return table(("option", "what it does"), rows) if rows else ""


# Settings


def settings_page() -> str:
    """Return the page of all settings that recipes share."""
    groups: dict[str, dict[str, Setting]] = {}
    for name, item in known_settings().items():
        groups.setdefault(item.group, {})[name] = item
    parts = [
        "# Settings",
        "Generated from the declarations. A setting is an option of `kerasft fit`, `check`, "
        "`tune` and `find-lr`, a keyword of `Config`, and a key of `config.json`. Recipes "
        "override defaults: `kerasft show RECIPE` prints those of a recipe.",
        "[Which setting to change next](../concepts/settings.md) says where to begin.",
    ]
    for group, items in groups.items():
        kind: Any = getattr(common_settings, f"{group.capitalize()}Settings")
        rows = [_setting_row(item) for item in items.values()]
        columns = ("setting", "default", "what it does")
        parts += [f"## {group.capitalize()}", str(kind.__doc__), table(columns, rows)]
    return "\n\n".join(parts) + "\n"


def _setting_row(item: Setting) -> tuple[str, ...]:
    flag = f"--{item.name.replace('_', '-')}"
    homes = {"images": ImageConfig, "texts": TextConfig}
    having = [kind for kind, config in homes.items() if item.name in settings(config)]
    default = setting_text(item.default) if item.default not in (None, "") else ""
    only = "" if len(having) == len(homes) else f"recipes for {having[0]}"
    more = "; ".join(filter(None, (limits(item), only)))
    return _code(flag), _code(default), cell(f"{item.help} [{more}]" if more else item.help)


# Recipes


def recipes_page() -> str:
    """Return the page of the recipes of the package."""
    parts = [
        "# Recipes",
        "Generated from the files in `recipes/`. [Choose a recipe](../get-started/choose.md) "
        "compares them; `kerasft copy RECIPE FILE` makes your own.",
    ]
    for recipe in catalog.list_recipes():
        known = settings(catalog.load_recipe(recipe.name).Config)
        own = [item for item in known.values() if item.default != item.declared_default]
        rows = [(_code(i.name), _value(setting_text(i.default))) for i in own]
        text = _prose(recipe.docstring)
        parts += [f"## {recipe.name}", text, table(("setting of the recipe", "value"), rows)]
    return "\n\n".join(parts) + "\n"


# Python


def python_page() -> str:
    """Return the page of the public names, which mkdocstrings fills from their docstrings."""
    stub = ast.parse((Path(str(kerasft.__file__)).with_suffix(".pyi")).read_bytes())
    names = [
        (str(statement.module), alias.name)
        for statement in stub.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    ]
    homes: dict[str, list[str]] = {title: [] for title in _TITLES.values()}
    for home, name in [*names, *_BESIDES]:
        public = "kerasft" if (home, name) not in _BESIDES else home
        homes.setdefault(_TITLES.get(home, home), []).append(
            _directive(home, name, f"{public}.{name}")
        )
    parts = [
        "# Python API",
        "Generated from the docstrings. Names are imported on first use: `import kerasft` does "
        "not start TensorFlow.",
    ]
    for title, directives in homes.items():
        parts += [f"## {title}", *directives]
    return "\n\n".join(parts) + "\n"


def _directive(home: str, name: str, shown: str) -> str:
    options = f"    options:\n      heading: {shown}\n      toc_label: {name}"
    return f"::: {_definition(home, name)}.{name}\n{options}"


def _definition(home: str, name: str) -> str:
    """Return the module that defines a name, which packages may only import."""
    path = Path(str(kerasft.__file__)).parent.parent.joinpath(*home.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    body = ast.parse(path.read_bytes()).body
    for statement in body:
        if isinstance(statement, ast.ImportFrom) and name in [a.name for a in statement.names]:
            return _definition(str(statement.module), name)
    return home


# Exit codes


def exit_codes_page() -> str:
    """Return the page of the exit codes, from the classes of errors."""
    rows = [
        ("0", "Done.", ""),
        ("1", "Any other error.", _code("kerasft.KerasftError")),
        ("2", "An invalid command line.", ""),
        (str(INTERRUPTED), f"Interrupted by Ctrl-C ({signal.SIGINT.name}).", ""),
        (str(TERMINATED), f"Terminated ({signal.SIGTERM.name}).", ""),
    ]
    pending = KerasftError.__subclasses__()
    while pending:
        kind = pending.pop(0)
        pending += kind.__subclasses__()
        meaning = re.sub(r" \(exit code \d\)", "", str(kind.__doc__).splitlines()[0])
        rows.append((str(kind.exit_code), cell(meaning), _code(f"kerasft.{kind.__name__}")))
    parts = [
        "# Exit codes",
        "Generated from the classes of errors. In Python the same error is raised as an exception. "
        "Any unexpected error ends with code 1; `--debug` shows its traceback.",
        table(("code", "meaning", "exception"), sorted(rows, key=lambda row: int(row[0]))),
    ]
    return "\n\n".join(parts) + "\n"
