"""Options of every command, and the options of a recipe's settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click

from kerasft.cli.completion import complete_path, complete_values
from kerasft.cli.hints import command_hint, listed_options, option_hint
from kerasft.cli.option_names import note_options
from kerasft.cli.setting_sources import file_settings, layered
from kerasft.config import Config
from kerasft.dataset_check import BUILTIN
from kerasft.errors import SettingError
from kerasft.formatting import option_name, setting_text
from kerasft.modalities import known_settings
from kerasft.offline import go_offline
from kerasft.setting_declaration import Setting, settings

_SHARED = {
    "json": (["--json"], "Write one JSON document to standard output"),
    "quiet": (["-q", "--quiet"], "Print only the path or number that a script needs"),
    "debug": (["--debug"], "Show the traceback of an error"),
    "offline": (["--offline"], "Never use the network (also KERASFT_OFFLINE=1)"),
}
HELP_OPTIONS = ("-h", "--help")
Decorated = TypeVar("Decorated", bound=Callable[..., Any])
_METAVARS = {int: "INTEGER", float: "NUMBER", str: "TEXT", bool: ""}


def wants(name: str) -> bool:
    """Return whether `json`, `quiet` or `debug` was given, before or after the command's name."""
    return bool(click.get_current_context().meta.get(f"kerasft.{name}"))


models_dir_option = click.option(
    "--models-dir",
    type=click.Path(file_okay=False),
    default="saved_models",
    show_default=True,
    metavar="DIR",
    help="Folder of exported models",
)


def choice_option(
    flag: str, choices: Sequence[str], default: str, help: str
) -> Callable[[Decorated], Decorated]:
    """Return a decorator that adds an option with a few allowed values."""
    kind = click.Choice(choices)
    return click.option(flag, type=kind, default=default, show_default=True, help=help)


def shared_options() -> list[click.Option]:
    """Return new --json, --quiet, --debug and --offline options, valid before a command and after.

    --offline acts at once, on the whole process.
    """

    def note(context: click.Context, option: click.Parameter, value: bool) -> None:
        if value:
            context.meta[f"kerasft.{option.name}"] = True
        if value and option.name == "offline":
            go_offline()

    silent: dict[str, Any] = {"expose_value": False, "is_eager": True, "callback": note}
    return [
        click.Option([*flags, name], is_flag=True, help=text, **silent)
        for name, (flags, text) in _SHARED.items()
    ]


class SharedOptions(click.Command):
    """A command with the shared options after its own, and hints for mistyped options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += shared_options()

    def get_help_option_names(self, ctx: click.Context) -> list[str]:
        """Return the names of the help option, the same in every context."""
        return list(HELP_OPTIONS)

    def hinted_settings(self) -> dict[str, Setting]:
        """Return the settings whose aliases get a hint."""
        return known_settings()

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the line; an option that does not exist is answered with the one that is meant."""
        note_options(ctx)
        words = [word.partition("=")[0] for word in args]  # the parser empties `args`
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            begun = (word for word in words if word.startswith(error.option_name))
            name = next(begun, error.option_name)  # click says -l for -lr
            hint = option_hint(name, listed_options(ctx), self.hinted_settings())
            message = f"No such option '{name}'.{hint}"
            raise click.NoSuchOption(name, message, ctx=ctx) from None


class SharedGroup(SharedOptions, click.Group):
    """A group with the shared options, and with suggestions for mistyped names."""

    command_class = SharedOptions

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command by its name."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            hint = command_hint(name, self.list_commands(ctx))
            raise click.UsageError(f"Command '{name}' not found.{hint}", ctx)
        return super().resolve_command(ctx, args)


class SettingType(click.ParamType):
    """The value of a setting as text; `Config` validates it."""

    def __init__(self, item: Setting) -> None:
        self.item = item
        self.name = item.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a number if the setting is one and the text can be read as one, else the text."""
        if value == "" and self.item.optional:
            return None
        try:
            return float(value) if self.item.type is float else _whole(value, self.item.type)
        except (TypeError, ValueError):
            return value

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[Any]:
        """Return the allowed words; for other texts, let the shell complete a path."""
        words = [str(word) for word in (*(self.item.choices or ()), *self.item.keywords)]
        if self.item.part == "source" and incomplete:
            words = [f"builtin:{name}" for name in BUILTIN]
        found = complete_values(words, incomplete)
        return found or (complete_path(incomplete) if self.item.type is str else [])


def _whole(value: Any, kind: type) -> Any:
    if kind is not int:
        return value
    try:
        return int(value)
    except ValueError:
        return float(value)  # 1e3 is an integer too


def setting_options(config: type[Config], taken: Iterable[str] = ()) -> list[click.Option]:
    """Return one option for each setting of a Config class.

    The options have no defaults: `Config` has them.

    Args:
        config: The class.
        taken: Names of the command's other parameters.

    Raises:
        SettingError: A setting has the name of another option.
    """
    found = settings(config)
    clash = sorted(set(found) & {*taken, *_SHARED, "help", "help_all"})
    if clash:
        raise SettingError(
            f"`{clash[0]}` cannot be a setting of {config.__module__}.Config: it is an option of "
            "the command line. Give the setting another name."
        )
    return [_setting_option(item) for item in found.values()]


def _setting_option(item: Setting) -> click.Option:
    option = option_name(item.name)
    text = setting_help(item, limits(item))
    if item.type is bool:
        switch = f"{option}/--no-{option.removeprefix('--')}"
        return click.Option([switch, item.name], default=None, help=text)
    return click.Option(
        [option, item.name],
        type=SettingType(item),
        metavar=_METAVARS[item.type],
        help=text,
    )


def setting_help(item: Setting, allowed: str) -> str:
    """Return the help of a setting with its default and the allowed values."""
    default = f"default: {setting_text(item.default)}" if item.default not in (None, "") else ""
    extra = "; ".join(part for part in (default, allowed) if part)
    return f"{item.help}  [{extra}]" if extra else item.help


def limits(item: Setting) -> str:
    """Return the allowed values: `0 <= x < 1`, `one of a, b`, or an empty string."""
    if item.choices:
        return f"one of {', '.join(map(str, item.choices))}"
    low = f"{item.minimum:g} <= " if item.minimum is not None else ""
    high = f" <= {item.maximum:g}" if item.maximum is not None else ""
    high = f" < {item.below:g}" if item.below is not None else high
    if low and not high:
        return f"x >= {item.minimum:g}"
    return f"{low}x{high}" if low or high else ""


def given_settings(context: click.Context, config: type[Config]) -> dict[str, Any]:
    """Return the settings that are passed: those of the file of --config, overridden by options."""
    source = click.core.ParameterSource.COMMANDLINE
    typed = {
        name: context.params[name]
        for name in settings(config)
        if context.get_parameter_source(name) is source
    }
    return layered(config, file_settings(context.params.get("config_file"), config), typed)


def setting_groups(config: type[Config]) -> dict[str, list[str]]:
    """Return the names of settings by their group."""
    found: dict[str, list[str]] = {}
    for item in settings(config).values():
        found.setdefault(item.group, []).append(item.name)
    return found
