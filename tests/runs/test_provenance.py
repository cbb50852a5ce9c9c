"""A run can be used from anywhere, and says so where something of it is gone."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

import kerasft
from kerasft import catalog
from kerasft.cli import main
from kerasft.errors import ResumeError
from kerasft.recipes import resnet_digits
from kerasft.runs import sha256, write_manifest
from kerasft.runs.provenance import anchored, describe_recipe, recorded_recipe, versions
from kerasft.testing import tiny_preset
from kerasft.tuning.workers import Workers


def test_paths_are_whole_and_names_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("photos", "my_preset", "resnet_18_imagenet"):
        (tmp_path / name).mkdir()
    config = kerasft.ImageConfig(dataset="photos", preset="my_preset")
    found = anchored(config)
    assert (found.dataset.source, found.preset) == (
        str(tmp_path / "photos"),
        str(tmp_path / "my_preset"),
    )
    assert anchored(found) == found
    # KerasHub's own name is meant, whatever folders there are; what is not there stays, too.
    known = kerasft.ImageConfig(dataset="tfds:beans", preset="resnet_18_imagenet")
    assert anchored(known) == known
    missing = kerasft.ImageConfig(dataset="nowhere", preset="package:kerasft/assets/resnet_glyphs")
    assert anchored(missing) == missing


def test_the_version_of_the_running_code_is_recorded():
    assert versions()["kerasft"] == kerasft.__version__


def test_a_run_is_used_from_another_folder(tmp_path, photos, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny_preset("resnet", tmp_path / "own")
    Path("pets").symlink_to(photos)
    config = resnet_digits.Config(
        preset="own", dataset="pets", image_size=16, trainable_blocks=0, head_epochs=0, epochs=1
    )
    run = kerasft.fit(resnet_digits, config, runs_dir="runs", progress=False)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    again = kerasft.load_run(tmp_path / run.path)
    found = kerasft.evaluate(again)
    assert found["loss"] == pytest.approx(again.metrics["test"]["loss"], abs=1e-5)
    (tmp_path / "own").rename(tmp_path / "moved")
    with pytest.raises(ResumeError, match=r"The preset of .* cannot be found: .*own"):
        kerasft.load_model(again)


@pytest.fixture(scope="module")
def own_run(tmp_path_factory, preset, photos):
    """A run of a recipe of one's own, and the recipe's file."""
    folder = tmp_path_factory.mktemp("own")
    path = Path(shutil.copy(catalog.find_recipe("resnet_digits").path, folder / "mine.py"))
    recipe = kerasft.load_recipe(path)
    config = recipe.Config(
        preset=preset("resnet"), dataset=photos, image_size=16, trainable_blocks=0, head_epochs=0,
        epochs=1,
    )  # fmt: skip
    return kerasft.fit(recipe, config, runs_dir=folder / "runs", progress=False), path


@pytest.fixture
def own(own_run, tmp_path):
    """The same in a folder of this test's."""
    run, path = own_run
    copied = kerasft.load_run(shutil.copytree(run.path, tmp_path / "run"))
    mine = Path(shutil.copy(path, tmp_path / "mine.py"))
    write_manifest(copied, recipe={**copied.manifest["recipe"], "source": str(mine)})
    return copied, mine


def marking(marker):
    """A line that leaves a file when it is executed."""
    return f"\nopen({str(marker)!r}, 'w').close()\n"


def assert_refused(run, marker, message):
    """Nothing that reads the run's recipe executes it, and all end with exit code 4."""
    with pytest.raises(ResumeError, match=message):
        kerasft.load_model(run)
    for words in (["evaluate"], ["predict", str(marker.parent)], ["export"]):
        line = [words[0], str(run.path), *words[1:]]
        result = CliRunner().invoke(main, line, prog_name="kerasft")
        assert result.exit_code == 4, (line, result.stderr)
    assert not marker.exists()


def test_an_own_recipe_that_was_edited_is_not_executed(own, tmp_path):
    run, path = own
    assert kerasft.load_model(run).recipe.__name__.endswith(".mine")
    content, marker = path.read_bytes(), tmp_path / "marker"
    path.write_bytes(content + marking(marker).encode())
    assert_refused(run, marker, r"mine\.py has changed: .* Restore the recorded file")
    path.write_bytes(content)
    assert kerasft.evaluate(run)["loss"] == pytest.approx(run.metrics["test"]["loss"], abs=1e-5)
    path.unlink()
    assert_refused(run, marker, r"Recipe file .*mine\.py")


def test_a_record_that_points_at_another_file_does_not_execute_it(own, tmp_path, monkeypatch):
    run, path = own
    recipe, marker = run.manifest["recipe"], tmp_path / "marker"
    other = tmp_path / "other.py"
    other.write_text(path.read_text() + marking(marker))
    monkeypatch.chdir(tmp_path)
    for source in (str(other), "other.py"):
        write_manifest(run, recipe={**recipe, "source": source})
        assert_refused(run, marker, r"other\.py has changed")
    write_manifest(run, versions={**run.manifest["versions"], "kerasft": "0.1.0"})
    assert_refused(run, marker, r"other\.py has changed")  # own files are never excused
    for changes in ({"sha256": None}, {"source": None}):
        write_manifest(run, recipe={**recipe, "source": str(other), **changes})
        assert_refused(run, marker, "does not record the file and the hash")


def test_a_recipe_of_the_package_is_compared_within_one_version(own):
    run, _ = own
    write_manifest(run, recipe={"name": "resnet_digits", "source": "resnet_digits", "sha256": "0"})
    with pytest.raises(ResumeError, match=r"resnet_digits\.py has changed"):
        kerasft.load_model(run)
    write_manifest(run, versions={**run.manifest["versions"], "kerasft": "0.1.0"})
    assert recorded_recipe(run) is resnet_digits
    assert describe_recipe(resnet_digits)["sha256"] == sha256(Path(resnet_digits.__file__))


def test_the_hash_that_is_recorded_is_that_of_the_executed_source(own, tmp_path):
    _, path = own
    before, recipe = sha256(path), kerasft.load_recipe(path)
    path.write_text(path.read_text() + "\n# edited after the import\n")
    assert describe_recipe(recipe)["sha256"] == before != sha256(path)


def test_a_worker_of_a_search_does_not_execute_an_edited_recipe(own, tmp_path):
    _, path = own
    described, marker = describe_recipe(kerasft.load_recipe(path)), tmp_path / "marker"
    path.write_text(path.read_text() + marking(marker))
    workers = Workers(described, None, 0, 2)
    try:
        with pytest.raises(ResumeError, match=r"mine\.py has changed"):
            workers.submit(None).result()
    finally:
        workers.end(now=True)
    assert not marker.exists()
