"""The pages in docs/ say what is in the source tree."""

import re
import subprocess

import click
import pytest
import yaml

import kerasft
from kerasft import catalog
from kerasft.cli import main
from kerasft.distribution.ranks import find_ranks
from kerasft.errors import KerasftError
from kerasft.modalities import known_settings
from tests.docs_pages import DOCS, PAGES, load_script, written_pages
from tests.test_import_order import ORDER, rooms

TABLE = (DOCS / "architecture.md").read_text(encoding="utf-8")
ROWS = [
    name.removesuffix(".py").rstrip("/")
    for name in re.findall(r"^\| `([\w/]+(?:\.py)?)` \|", TABLE, re.MULTILINE)
]


def test_every_room_has_one_row():
    assert len(ROWS) == len(set(ROWS))
    assert set(rooms()) <= set(ROWS)


def test_the_rows_have_the_order_of_the_imports():
    assert [row for row in ROWS if row in ORDER] == list(ORDER)


def test_every_row_is_a_room():
    missing = [row for row in ROWS if row not in rooms()]
    assert not missing, f"rooms in docs/architecture.md that are not in kerasft/: {missing}"


def test_the_slow_tier_is_listed_by_file():
    page = (DOCS / "contributing.md").read_text(encoding="utf-8")
    root = DOCS.parent
    paths = (root / "tests").rglob("test_*.py")
    slow = {
        str(path.relative_to(root))
        for path in paths
        if "mark" + ".slow" in path.read_text(encoding="utf-8")
    }
    assert slow == set(re.findall(r"^\| `(tests/[\w/]+\.py)`", page, re.MULTILINE))


@pytest.mark.parametrize("name", ["fit-slurm.sh", "search-slurm.sh"])
def test_the_jobs_of_slurm_have_valid_syntax(name):
    subprocess.run(["bash", "-n", PAGES / "how-to" / name], check=True)


def test_the_pods_of_a_fit_find_each_other():
    text = (PAGES / "how-to" / "fit-kubernetes.yaml").read_text(encoding="utf-8")
    service, claim, job = yaml.safe_load_all(text)
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    assert service["spec"]["selector"] == spec["template"]["metadata"]["labels"]
    (container,) = pod["containers"]
    variables = {variable["name"]: variable["value"] for variable in container["env"]}
    ranks = find_ranks({**variables, "JOB_COMPLETION_INDEX": "3"})
    assert (ranks.rank, ranks.number) == (3, spec["completions"]) == (3, spec["parallelism"])
    host = f"{job['metadata']['name']}-0.{service['metadata']['name']}"
    assert ranks.coordinator.startswith(f"{host}:")
    assert pod["subdomain"] == service["metadata"]["name"]
    (volume,) = pod["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]


def test_the_manifests_of_kubernetes_belong_together():
    text = (PAGES / "how-to" / "search-kubernetes.yaml").read_text(encoding="utf-8")
    found = {(part["kind"], part["metadata"]["name"]): part for part in yaml.safe_load_all(text)}
    for kind, name in sorted(found):
        if kind == "Deployment":
            spec = found[kind, name]["spec"]
            assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
    scheduler = found["Deployment", "kerasft-scheduler"]["spec"]["template"]
    service = found["Service", "kerasft-scheduler"]["spec"]
    assert service["selector"] == scheduler["metadata"]["labels"]
    search = found["Job", "kerasft-search"]["spec"]["template"]["spec"]
    (volume,) = search["volumes"]
    assert ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) in found
    for part in (found["Deployment", "kerasft-worker"]["spec"]["template"]["spec"], search):
        words = " ".join(part["containers"][0]["command"])
        assert f"tcp://kerasft-scheduler:{service['ports'][0]['port']}" in words


@pytest.fixture(scope="module")
def generated():
    return {name: write() for name, write in load_script("generate_reference").pages().items()}


def commands(group, prefix=""):
    for name, command in group.commands.items():
        yield f"{prefix}{name}"
        if isinstance(command, click.Group) and command.commands:
            yield from commands(command, f"{prefix}{name} ")


def kinds(base):
    return {base} | {kind for child in base.__subclasses__() for kind in kinds(child)}


def test_every_command_is_generated(generated):
    titles = re.findall(r"^## kerasft (.*)$", generated["reference/command-line.md"], re.MULTILINE)
    assert sorted(titles) == sorted(commands(main))


def test_every_setting_is_generated(generated):
    rows = re.findall(r"^\| `--([\w-]+)`", generated["reference/settings.md"], re.MULTILINE)
    assert sorted(name.replace("-", "_") for name in rows) == sorted(known_settings())


def test_every_recipe_is_generated_and_in_the_table(generated):
    names = [recipe.name for recipe in catalog.list_recipes()]
    assert re.findall(r"^## (\w+)$", generated["reference/recipes.md"], re.MULTILINE) == names
    choice = written_pages()["get-started/choose.md"]
    assert sorted(re.findall(r"^\| [^|]*\| `(\w+)` \|", choice, re.MULTILINE)) == names


def test_every_public_name_is_generated(generated):
    names = re.findall(r"heading: kerasft\.(\w+)$", generated["reference/python.md"], re.MULTILINE)
    assert {*names, "__version__"} == set(kerasft.__all__)


def test_every_exit_code_is_generated(generated):
    codes = re.findall(r"^\| (\d+) \|", generated["reference/exit-codes.md"], re.MULTILINE)
    assert {"0", "130", "143"} | {str(kind.exit_code) for kind in kinds(KerasftError)} == set(codes)


def without_programs(text):
    """Return a page without the lines of its blocks that call another program."""
    lines, block = [], False
    for line in text.replace("\\\n", " ").splitlines():
        block ^= line.startswith("```")
        if not block or "kerasft " in line:
            lines.append(line)
    return "\n".join(lines)


def test_every_option_in_the_text_exists():
    known = {name.replace("_", "-") for name in known_settings()}

    def options(command):
        own = list(command.params)
        own += command.make_options() if hasattr(command, "make_options") else []
        for parameter in own:
            yield from (option.removeprefix("--") for option in parameter.opts)
        if isinstance(command, click.Group):
            for child in command.commands.values():
                yield from options(child)

    known |= set(options(main)) | {"help"}
    for name, text in written_pages().items():
        if not name.startswith(("project/", "benchmarks/")):
            named = set(re.findall(r"(?:^|[\s`])--([a-z][a-z0-9-]+)", without_programs(text)))
            others = {"no-compile", "no-deps", "dist"}  # of pip and pytest
            unknown = {one for one in named if one.removeprefix("no-") not in known} - others
            assert not unknown, f"{name}: {sorted(unknown)}"


def test_every_figure_is_made_with_valid_settings_and_shown():
    script = load_script("figures")
    made = sorted(path.stem for path in script.FOLDER.iterdir())
    shown = re.findall(r"figures/([\w-]+)\.svg", written_pages()["concepts/settings.md"])
    assert made == sorted(script.FIGURES) == sorted(shown)
    for fits in script.FIGURES.values():
        for changes in fits.values():
            script.recipe.Config(**{**script.SHORT, **changes})
