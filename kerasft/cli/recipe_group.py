"""Commands that take a recipe and its settings: `fit RECIPE --epochs 3`."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import click

from kerasft import catalog
from kerasft.cli.completion import complete_recipes
from kerasft.cli.hints import dataset_as_recipe, looks_like_dataset, option_hint, surplus_hint
from kerasft.cli.options import (
    SharedGroup,
    SharedOptions,
    given_settings,
    setting_options,
)
from kerasft.cli.recipe_help import help_all_option, write_recipe_options
from kerasft.cli.run_argument import find_run
from kerasft.cli.setting_sources import (
    config_option,
    layered,
    run_settings,
    with_recipe_of_run,
)
from kerasft.config import Config
from kerasft.errors import KerasftError
from kerasft.formatting import option_name
from kerasft.modalities import MODALITIES, known_settings, modality_of
from kerasft.setting_declaration import Setting, settings
from kerasft.tensorflow_log import quiet_tensorflow

Action = Callable[..., None]


def common_options() -> list[click.Option]:
    """Return new options of every command that takes a recipe."""
    return [config_option(), help_all_option()]


class RecipeCommand(SharedOptions):
    """One recipe under a command, with the settings of its Config as options.

    Args:
        name: Name or path of the recipe, as the user gave it.
        module: The recipe.
        action: Receives the module, a Config made of the given settings, and the values of
            `options`. The option `like`, beside `runs_dir`, names a run whose settings are the
            defaults.
        options: Options of the command itself.
    """

    def __init__(
        self, name: str, module: ModuleType, action: Action, options: list[click.Option]
    ) -> None:
        self.config: type[Config] = module.Config
        self.module, self.action = module, action
        self.own = [str(option.name) for option in options]
        super().__init__(
            name,
            callback=self._run,
            params=[
                *setting_options(self.config, [*self.own, "config_file"]),
                *options,
                *common_options(),
            ],
            help=f"\b\n{(module.__doc__ or '').strip()}",
            context_settings={"max_content_width": 100, "allow_extra_args": True},
        )

    def _run(self, **values: Any) -> None:
        context = click.get_current_context()
        like = values["like"] if "like" in self.own else None
        base = run_settings(find_run(like, values["runs_dir"]), self.config) if like else {}
        given = given_settings(context, self.config)
        config = self.config(**layered(self.config, base, given))
        self.action(self.module, config, **{name: values[name] for name in self.own})

    def hinted_settings(self) -> dict[str, Setting]:
        """Return the settings of the recipe."""
        return settings(self.config)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the line; report a setting of the other kind of recipe, and bare values."""
        try:
            rest = super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            mine = modality_of(self.config)
            name = error.option_name.removeprefix("--").replace("-", "_")
            for other in MODALITIES.values():
                foreign = {*settings(other.config_class)} - {*settings(self.config)}
                if mine.name and name in foreign:
                    raise click.UsageError(
                        f"{error.option_name} is a setting of recipes for {other.name}; "
                        f"{self.name} is a recipe for {mine.name}.",
                        ctx,
                    ) from None
            raise
        if rest and not ctx.resilient_parsing:
            hint = surplus_hint(rest, settings(self.config))
            raise click.UsageError(f"Unexpected argument '{rest[0]}'. {hint}", ctx)
        return rest

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the settings to try first and the names of the others, or all by group."""
        write_recipe_options(ctx, formatter, self.config)


class RecipeGroup(SharedGroup):
    """A command whose subcommands are recipes: those of the package, and any `.py` file.

    Args:
        action: Called with a recipe; see `RecipeCommand`.
        make_options: Returns the options of the command itself.
    """

    def __init__(
        self,
        *args: Any,
        action: Action,
        make_options: Callable[[], list[click.Option]],
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("no_args_is_help", True)
        kwargs.setdefault("subcommand_metavar", "RECIPE [SETTINGS]...")
        super().__init__(*args, **kwargs)
        self.action, self.own_options = action, make_options

    def make_options(self) -> list[click.Option]:
        """Return new options of the command, without settings and shared options."""
        return [*self.own_options(), *common_options()]

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the package's recipes."""
        return [recipe.name for recipe in catalog.list_recipes()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a recipe and make its command.

        Raises:
            UsageError: The name is that of a dataset.
            SettingError: The recipe was not found or is incomplete.
        """
        if not cmd_name.endswith(".py") and looks_like_dataset(cmd_name):
            raise click.UsageError(dataset_as_recipe(ctx.command_path, cmd_name), ctx)
        with quiet_tensorflow():  # a user's recipe may import Keras at its top
            module = catalog.load_recipe(cmd_name)
        return RecipeCommand(cmd_name, module, self.action, self.own_options())

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a recipe by its name; the catalog suggests near names."""
        try:
            return args[0], self.get_command(ctx, args[0]), args[1:]
        except (KerasftError, click.UsageError):
            if not ctx.resilient_parsing:
                raise
            return None, None, args[1:]  # the shell completes an unfinished line

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Return the names of recipes, or options."""
        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        return complete_recipes(ctx, None, incomplete)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the options before the recipe, where settings are not valid.

        Without a recipe, it is that of the run after --like.
        """
        try:
            args = with_recipe_of_run(args)
        except KerasftError:
            if not ctx.resilient_parsing:
                raise
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            found, name = known_settings(), error.option_name
            flags = [option_name(setting) for setting in found]
            hint = "" if name in flags else option_hint(name, flags, found)
            raise click.UsageError(
                f"No such option '{name}'.{hint} Settings go after the recipe: "
                f"{ctx.command_path} RECIPE --epochs 3",
                ctx,
            ) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the recipes with their summaries, without importing them."""
        rows = [(recipe.name, recipe.summary) for recipe in catalog.list_recipes()]
        if rows:
            with formatter.section("Recipes"):
                formatter.write_dl(rows)
        with formatter.section("Settings of a recipe"):
            formatter.write_text(f"{ctx.command_path} RECIPE --help, or --help-all for all")
