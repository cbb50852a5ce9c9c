"""Find recipes by name or path, and read their descriptions without importing them."""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from kerasft.config import Config
from kerasft.errors import KerasftError, ResumeError, SettingError, did_you_mean
from kerasft.paths import expanded
from kerasft.recipe_errors import lines_in, raised_in
from kerasft.setting_declaration import settings

_PACKAGE = "kerasft.recipes"
_EXECUTED = "__kerasft_source__"  # attribute of a module: the source that was executed


@dataclass(frozen=True)
class Recipe:
    """A recipe, read from its source without importing it.

    Attributes:
        name: Name of the file without `.py`; the folder of its runs.
        path: Path of the file.
        summary: First line of the docstring.
        docstring: The whole docstring.
    """

    name: str
    path: Path
    summary: str
    docstring: str = field(repr=False)


def list_recipes() -> list[Recipe]:
    """Return the recipes of the package `kerasft.recipes`, by name.

    The files are parsed, not imported. A file that cannot be parsed is listed with the reason as
    its summary.

    Example:
        >>> [recipe.name for recipe in list_recipes()]
    """
    paths = sorted(recipes_folder().glob("*.py"))
    return [_read_recipe(path) for path in paths if not path.name.startswith("_")]


def find_recipe(name_or_path: str | Path) -> Recipe:
    """Return one recipe, without importing it.

    Args:
        name_or_path: Name of a recipe of the package, or path of a `.py` file.

    Raises:
        SettingError: The recipe or file was not found.

    Example:
        >>> find_recipe("resnet_digits").summary
    """
    text = str(name_or_path)
    if text.endswith(".py"):
        return _read_recipe(_existing_file(text))
    known = {recipe.name: recipe for recipe in list_recipes()}
    if text in known:
        return known[text]
    if Path(text).name != text:
        raise SettingError(
            f"{text} is neither the name of a recipe nor a .py file. List recipes: kerasft list."
        )
    own = f" Did you mean the file './{text}.py'?" if Path(f"{text}.py").is_file() else ""
    raise SettingError(
        f"Recipe '{text}' not found.{did_you_mean(text, known) or own} "
        "List recipes: kerasft list. For your own recipe, give the path of its .py file."
    )


def load_recipe(name_or_path: str | Path, *, sha256: str | None = None) -> ModuleType:
    """Import a recipe and check that it is complete.

    A file outside of the package is executed again by each call, so that edits take effect.

    Args:
        name_or_path: Name of a recipe of the package, or path of a `.py` file.
        sha256: Expected hash of the file, checked before it is executed; None for any.

    Returns:
        The module, with `Config`, `build_model`, and optionally `load_data` and `search_space`.

    Raises:
        SettingError: The recipe was not found, cannot be imported, or is incomplete.
        ResumeError: The file has another hash.

    Example:
        >>> recipe = load_recipe("resnet_digits")
        >>> recipe.Config(epochs=3).epochs
        3
    """
    recipe = find_recipe(name_or_path)
    content = recipe.path.read_bytes()
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise ResumeError(
            f"{recipe.path} has changed: its SHA-256 is not the recorded {sha256:.12}. Restore the "
            "recorded file, or fit again."
        )
    try:
        module = _import(recipe, content)
    except KerasftError:
        raise
    except SyntaxError as error:
        raise SettingError(
            f"The recipe {error.filename or recipe.path} is not valid Python: {error.msg} in line "
            f"{error.lineno}. Fix that line."
        ) from error
    except (Exception, SystemExit) as error:  # a recipe is a user's program: it can raise anything
        if isinstance(error, SystemExit) and not raised_in(recipe.path, error):
            raise
        lines = lines_in(recipe.path, error.__traceback__)
        where = f" (line {lines[-1]})" if lines else ""
        raise SettingError(
            f"The recipe {recipe.path} cannot be imported: {type(error).__name__}: {error}{where}."
        ) from error
    _check(module, recipe.path)
    return module


def recipe_module(recipe: ModuleType | str | Path) -> ModuleType:
    """Return a recipe as a module, imported by `load_recipe` unless it is one already.

    Args:
        recipe: A recipe module, its name, or the path of its file.
    """
    return recipe if isinstance(recipe, ModuleType) else load_recipe(recipe)


def recipe_defaults(recipe: Recipe) -> dict[str, Any]:
    """Return the defaults in a recipe's Config, read from its source without importing it.

    Only literal values are read; computed and inherited defaults are left out.

    Example:
        >>> recipe_defaults(find_recipe("resnet_digits"))["dataset"]
        'builtin:digits'
    """
    try:
        body = ast.parse(recipe.path.read_bytes()).body
    except (SyntaxError, ValueError):
        return {}
    kinds = [item for item in body if isinstance(item, ast.ClassDef) and item.name == "Config"]
    found: dict[str, Any] = {}
    for statement in (statement for kind in kinds for statement in kind.body):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            value = statement.value
            while isinstance(value, ast.Call) and value.args:  # setting(default), Dataset(source)
                value = value.args[0]
            if isinstance(value, ast.expr) and _is_literal(value):
                found[statement.target.id] = ast.literal_eval(value)
    return found


def _is_literal(value: ast.expr) -> bool:
    try:
        ast.literal_eval(value)
    except ValueError:
        return False
    return True


def recipes_folder() -> Path:
    """Return the folder of the package `kerasft.recipes`.

    In a checkout that is not installed it is `recipes/` beside the `kerasft` folder.
    """
    found = importlib.util.find_spec(_PACKAGE)
    if found is not None and found.submodule_search_locations:
        return Path(next(iter(found.submodule_search_locations)))
    return Path(__file__).resolve().parent.parent / "recipes"


def _existing_file(text: str) -> Path:
    path = expanded(text)
    if path.is_file():
        return path
    folder = path.parent
    files = [str(other) for other in folder.glob("*.py")] if folder.is_dir() else []
    raise SettingError(f"Recipe file {path} not found.{did_you_mean(str(path), files)}")


def _read_recipe(path: Path) -> Recipe:
    try:
        docstring = ast.get_docstring(ast.parse(path.read_bytes())) or ""
    except (SyntaxError, ValueError) as error:  # ValueError: null bytes in the source
        line = f" in line {error.lineno}" if isinstance(error, SyntaxError) else ""
        return Recipe(path.stem, path, f"(not valid Python{line})", "")
    summary = docstring.strip().partition("\n")[0]
    return Recipe(path.stem, path, summary, docstring)


def recipe_source(module: ModuleType) -> bytes | None:
    """Return the source of a recipe module: as it was executed, else its file's content.

    None if the module has no file.
    """
    known: bytes | None = vars(module).get(_EXECUTED)
    path = getattr(module, "__file__", None)
    return Path(path).read_bytes() if known is None and path is not None else known


def recipe_sha256(module: ModuleType) -> str | None:
    """Return the SHA-256 of the source of a recipe module, None if it has no file."""
    source = recipe_source(module)
    return None if source is None else hashlib.sha256(source).hexdigest()


def reads_dataset(module: ModuleType) -> bool:
    """Return whether a recipe reads the dataset of its settings, not data of another kind."""
    own = getattr(module, "load_data", None)
    return own is None or {"load_data"} <= _names(own) <= {"kerasft", "load_data"}


def loads_preset(module: ModuleType) -> bool:
    """Return whether a recipe loads the preset of its settings."""
    return "load_backbone" in _names(module.build_model)


def _names(function: Callable[..., Any]) -> set[str]:
    """Return the attributes and global names that a function uses."""
    code = getattr(function, "__code__", None)
    return set(code.co_names) if code else set()


def _import(recipe: Recipe, content: bytes) -> ModuleType:
    # The same module for a file, whether found by name or by path.
    if recipe.path.resolve().parent == recipes_folder().resolve():
        _map_package()
        return importlib.import_module(f"{_PACKAGE}.{recipe.name}")
    path = recipe.path.resolve()
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    return _run_file(f"kerasft_recipe_{digest}.{recipe.name}", path, content)


def _map_package() -> None:
    """Make `kerasft.recipes` importable in a checkout that is not installed."""
    if importlib.util.find_spec(_PACKAGE) is None:
        path = recipes_folder() / "__init__.py"
        module = _run_file(_PACKAGE, path, path.read_bytes())
        setattr(sys.modules["kerasft"], "recipes", module)  # noqa: B010 (mypy rejects the plain assignment)


def _run_file(name: str, path: Path, content: bytes) -> ModuleType:
    package = [str(path.parent)] if path.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=package)
    if spec is None:
        raise SettingError(f"The recipe {path} cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    vars(module)[_EXECUTED] = content
    before = sys.modules.get(name)
    sys.modules[name] = module  # dataclasses look up their module here
    try:
        # No bytecode cache: it misses changes within a second and leaves files behind.
        exec(compile(content, str(path), "exec"), vars(module))
    except BaseException:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
        raise
    return module


def _check(module: ModuleType, path: Path) -> None:
    """Raise SettingError if a part of a recipe is missing or has the wrong type."""
    config = getattr(module, "Config", None)
    if not isinstance(config, type) or not issubclass(config, Config):
        raise SettingError(
            f"The recipe {path} needs a class `Config` that inherits from kerasft.ImageConfig or "
            f"kerasft.TextConfig. Received: {config!r}."
        )
    try:
        settings(config)
    except SettingError as error:
        raise SettingError(f"The recipe {path} is not valid: {error}") from error
    if not callable(getattr(module, "build_model", None)):
        raise SettingError(f"The recipe {path} needs a function `build_model(config, data)`.")
    for name, argument in {"load_data": "config", "search_space": "hp"}.items():
        if not callable(getattr(module, name, print)):
            raise SettingError(f"`{name}` of the recipe {path} must be a function of `{argument}`.")
