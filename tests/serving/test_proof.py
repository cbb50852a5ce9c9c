"""The proof of an export, its manifest and model card, and `kerasft verify`."""

import base64
import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from click.testing import CliRunner

import kerasft
from kerasft.cli import main
from kerasft.errors import DamagedFileError, DataError, ProofError, ResourceError, SettingError
from kerasft.formatting import number
from kerasft.runs import sha256, write_record
from kerasft.serving import versions
from kerasft.serving.proof import answer_alone, compare, prove
from kerasft.tasks import Labels
from tests.serving.served import answers
from tests.training.small import fit, image_config, image_recipe

CLASSES = Labels("classification", ("cat", "dog"))


def answered(probabilities, names=CLASSES.names, /, **changes):
    """Returns the outputs of a model with these probabilities of two classes."""
    best = np.argmax(probabilities, axis=1)
    return {
        "prediction": [names[index] for index in best],
        "probability": np.max(probabilities, axis=1).tolist(),
        "probabilities": [list(row) for row in probabilities],
        "classes": [list(names)] * len(best),
        "error": [""] * len(best),
        **changes,
    }


def expected(probabilities):
    outputs = answered(probabilities)
    return {name: outputs[name] for name in ("prediction", "probability", "probabilities")}


SURE = [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]


def test_equal_answers_agree():
    found = compare(CLASSES, expected(SURE), answered(np.array(SURE) + 9e-6), exact=True)
    assert found["agree"]
    assert found["examples"] == 3
    assert found["largest_difference"] == pytest.approx(9e-6)


@pytest.mark.parametrize(
    "outputs",
    [
        answered(np.array(SURE) + 2e-5),
        answered(np.array(SURE)[:, ::-1]),  # the outputs are swapped
        answered(SURE, ("dog", "cat")),  # the names are swapped
        answered(SURE, prediction=["cat", "dog", "dog"]),
        answered(SURE, probabilities=[[0.9, 0.1], [0.2, 0.8], [0.7, float("nan")]]),
        answered(SURE, probabilities=[[0.9], [0.2], [0.7]]),
        answered(SURE, error=["", "", "The file cannot be decoded."]),
        {k: v for k, v in answered(SURE).items() if k != "probability"},
    ],
    ids=["far", "outputs", "names", "prediction", "nan", "shape", "error", "missing"],
)
def test_other_answers_do_not(outputs):
    with pytest.raises(ProofError, match=r"differ from Python's for \d of 3 examples"):
        compare(CLASSES, expected(SURE), outputs, exact=True)


def test_other_number_formats_are_equivalent_within_a_margin():
    rng = np.random.default_rng(0)
    p = rng.uniform(0.05, 0.95, 32)
    python = np.stack([p, 1 - p], axis=1)

    def rounded(size):
        noise = rng.uniform(-size, size, 32)
        return answered(python + np.stack([noise, -noise], axis=1))

    found = compare(CLASSES, expected(python), rounded(0.008), exact=False)
    assert 0.003 < found["mean_difference_limit"] < 0.01
    with pytest.raises(ProofError, match="mean difference"):
        compare(CLASSES, expected(python), rounded(0.04), exact=False)
    with pytest.raises(ProofError):
        compare(CLASSES, expected(python), answered(python[:, ::-1]), exact=False)
    swapped = answered(python, ("dog", "cat"))
    with pytest.raises(ProofError):
        compare(CLASSES, expected(python), swapped, exact=False)


@pytest.mark.parametrize(("origins", "named"), [((), "example 3"), (["a", "b", "c.png"], "c.png")])
def test_the_error_counts_and_names_what_differs(origins, named):
    other = answered(SURE, prediction=["cat", "dog", "dog"])
    with pytest.raises(ProofError) as raised:
        compare(CLASSES, expected(SURE), other, exact=True, origins=origins)
    assert f"for 1 of 3 examples (first: {named})" in str(raised.value)
    assert "other decisions for 1." in str(raised.value)
    unread = answered(SURE, error=["", "", "The file cannot be decoded."])
    with pytest.raises(ProofError, match=rf"first: {named}: The file cannot be decoded\)"):
        compare(CLASSES, expected(SURE), unread, exact=True, origins=origins)


@pytest.mark.parametrize("name", ["prediction", "known", "prediction_set"])
@pytest.mark.parametrize(("changed", "agree"), [(8, True), (32, False)])
def test_few_decisions_may_differ_in_other_number_formats(name, changed, agree):
    wrong = {"prediction": "dog", "known": False, "prediction_set": [False, True]}[name]
    right = {"prediction": "cat", "known": True, "prediction_set": [True, False]}
    python = {**expected(SURE[:1] * 32), **{key: [value] * 32 for key, value in right.items()}}
    given = {**python, name: [wrong] * changed + python[name][changed:]}
    outputs = answered(SURE[:1] * 32, **given)
    if agree:
        assert compare(CLASSES, python, outputs, exact=False)["unequal"] == changed
    else:
        with pytest.raises(ProofError, match=r"other decisions for 32\."):
            compare(CLASSES, python, outputs, exact=False)


def test_an_unanswered_example_fails_in_every_number_format():
    outputs = answered(SURE, error=["", "", "The file cannot be decoded."])
    with pytest.raises(ProofError):
        compare(CLASSES, expected(SURE), outputs, exact=False)


@pytest.mark.parametrize(("score", "agree"), [(-2.0005, True), (-2.005, False)])
def test_scores_of_known_inputs_differ_by_more(score, agree):
    python = {**expected(SURE), "known_score": [-2.0, 0.5, 1.0]}
    outputs = answered(SURE, known_score=[score, 0.5, 1.0])
    if agree:
        assert compare(CLASSES, python, outputs, exact=True)["agree"]
    else:
        with pytest.raises(ProofError):
            compare(CLASSES, python, outputs, exact=True)


@pytest.mark.parametrize(("std", "agree"), [(1.0, False), (1e5, True)])
def test_numbers_differ_in_the_unit_of_the_target(std, agree):
    labels = Labels("regression", (), 0.0, std)
    outputs = {"prediction": [0.5, 3.0001], "error": ["", ""]}
    python = {"prediction": [0.5, 3.0]}
    if agree:
        assert compare(labels, python, outputs, exact=True)["agree"]
    else:
        with pytest.raises(ProofError):
            compare(labels, python, outputs, exact=True)


def test_the_manifest_records_the_run_and_the_proof(artifact, image_run):
    folder = artifact("images")
    manifest = json.loads((folder / "manifest.json").read_text())
    proof = manifest["proof"]
    assert proof["agree"]
    assert proof["largest_difference"] <= 1e-5
    assert proof["examples"] == min(32, image_run.manifest["data"]["examples"]["validation"])
    assert proof["data"] == "validation split"
    assert (manifest["name"], manifest["version"]) == ("photos", 1)
    assert manifest["labels"] == image_run.labels
    assert manifest["metrics"] == image_run.metrics
    assert manifest["data"]["fingerprint"] == image_run.manifest["data"]["fingerprint"]
    assert manifest["preprocessing"]["image_size"] == image_run.config["image_size"]
    for name, record in manifest["files"].items():
        assert record["sha256"] == sha256(folder / name)
    assert {"saved_model.pb", "README.md", "proof.json"} <= set(manifest["files"])
    # No path of this machine leaves it.
    assert str(image_run.path.parent) not in (folder / "manifest.json").read_text()
    assert image_run.manifest["data"]["dataset"] not in (folder / "manifest.json").read_text()


def test_the_proof_is_a_request_with_its_answers(artifact, photos):
    proof = json.loads((artifact("images") / "proof.json").read_text())
    (name, values), *others = proof["inputs"].items()
    assert (name, others) == ("bytes", [])
    assert all(set(value) == {"b64"} for value in values)
    assert len(proof["answers"]["prediction"]) == len(values)


def test_the_model_card_says_how_to_call_the_model(artifact, text_run):
    card = (artifact("texts") / "README.md").read_text()
    assert "import tensorflow as tf, tensorflow_text" in card
    assert "model.serve(tf.constant(['a text']))" in card
    accuracy = text_run.metrics["test"]["accuracy"]
    assert f"| accuracy | {number(accuracy)} | 0." in card
    recall = text_run.metrics["test"]["recall"]  # of all metrics, as a fit can monitor any
    assert f"| recall | {number(recall)} |" in card
    assert all(f"| {name} |" in card for name in text_run.labels["names"])
    assert "license is not recorded" in card
    assert "Texts are cut at 16 tokens" in card


def test_an_export_is_verified(artifact):
    done = CliRunner().invoke(main, ["verify", str(artifact("images").parent), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["agree"]


@pytest.fixture
def copied(artifact, tmp_path):
    return lambda kind: shutil.copytree(artifact(kind), tmp_path / "copy" / "1")


@pytest.mark.parametrize("change", ["changed", "missing", "new"])
def test_a_changed_file_is_named(copied, change):
    folder = copied("images")
    path = folder / "variables" / "variables.index"
    if change == "changed":
        path.write_bytes(path.read_bytes() + b"\0")
    elif change == "missing":
        path.unlink()
    else:
        path = folder / "assets.extra"
        path.write_text("?")
    done = CliRunner().invoke(main, ["verify", str(folder)])
    assert done.exit_code == DamagedFileError.exit_code == 5
    assert path.name in done.output
    assert change in done.output


def test_other_answers_are_found(copied):
    folder = copied("images")
    proof = json.loads((folder / "proof.json").read_text())
    first = proof["answers"]["probabilities"][0]
    proof["answers"]["probabilities"][0] = first[::-1]
    (folder / "proof.json").write_text(json.dumps(proof))
    manifest = json.loads((folder / "manifest.json").read_text())
    size = (folder / "proof.json").stat().st_size
    manifest["files"]["proof.json"] = {"sha256": sha256(folder / "proof.json"), "bytes": size}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    done = CliRunner().invoke(main, ["verify", str(folder)])
    assert done.exit_code == ProofError.exit_code == 4
    assert "differ from Python's for 1 of" in done.output


@pytest.mark.parametrize("part", ["labels", "calibration", "settings", "metrics"])
def test_an_edited_manifest_is_found(copied, part):
    folder = copied("texts")
    manifest = json.loads((folder / "manifest.json").read_text())
    edit(manifest, part)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    done = CliRunner().invoke(main, ["verify", str(folder)])
    assert done.exit_code == DamagedFileError.exit_code
    assert "manifest.json has changed since the export" in done.output


def edit(manifest, part):
    if part == "labels":
        manifest["labels"]["names"].reverse()
    elif part == "calibration":
        manifest["calibration"]["temperature"] *= 1.01
    elif part == "settings":
        manifest["settings"]["precision"] = "mixed_bfloat16"
    else:
        manifest["metrics"]["test"]["accuracy"] = 1.5


@pytest.mark.slow
@pytest.mark.parametrize("signature", ["features", "outputs", "preprocessed"])
def test_every_signature_is_proved(copied, text_run, signature):
    folder = copied("texts")
    proof = json.loads((folder / "proof.json").read_text())
    first = proof["first"]
    if signature == "preprocessed":
        name, values = next(iter(first["preprocessed"].items()))
        zeros = bytes(len(base64.b64decode(values["b64"])))
        first["preprocessed"][name] = {**values, "b64": base64.b64encode(zeros).decode()}
    else:
        first[signature][0][0] += 0.1
    (folder / "proof.json").write_text(json.dumps(proof))
    with pytest.raises(ProofError, match=f"signature {signature}"):
        prove(folder, Labels.from_dict(text_run.labels), ["tensorflow_text"], exact=True)


def test_what_is_no_export_is_refused(tmp_path):
    with pytest.raises(SettingError, match="has no exported model"):
        kerasft.verify(tmp_path)
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(SettingError, match=r"has no manifest\.json"):
        kerasft.verify(tmp_path)


@pytest.mark.parametrize("module", ["kerasft", pytest.param("keras_hub", marks=pytest.mark.slow)])
def test_the_fresh_process_has_nothing_of_kerasft(artifact, image_run, module):
    labels = Labels.from_dict(image_run.labels)
    with pytest.raises(ProofError, match=f"import of {module} halted"):
        prove(artifact("images"), labels, [module], exact=True)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["labels", "resize"])
def test_a_faulty_graph_is_not_exported(image_run, tmp_path, faulty_graph, fault):
    faulty_graph(fault)
    with pytest.raises(ProofError, match="differ from Python's"):
        kerasft.export(image_run, models_dir=tmp_path / "models", name="faulty")
    assert not list(tmp_path.glob("models/*"))


def test_a_dataset_that_is_gone_needs_other_examples(copied_run, image_run, photos, tmp_path):
    run = copied_run(image_run)
    write_record(run, "config.json", {**run.config, "dataset": str(tmp_path / "gone")})
    with pytest.raises(DataError, match=r"Give other inputs with --proof-data"):
        kerasft.export(run, models_dir=tmp_path / "models")
    assert not (tmp_path / "models").exists()


@pytest.mark.slow
def test_other_examples_can_be_given(text_run, tmp_path):
    data = tmp_path / "public.txt"
    data.write_text("a great film\nan awful one\n")
    path = kerasft.export(text_run, models_dir=tmp_path, name="m", proof_data=data)
    proof = json.loads((path / "proof.json").read_text())
    assert proof["inputs"] == {"text": ["a great film", "an awful one"]}
    assert json.loads((path / "manifest.json").read_text())["proof"]["data"] == "given"


@pytest.mark.slow
def test_a_fit_in_bfloat16_is_exported_in_float32(preset, photos, tmp_path):
    config = image_config(preset, photos, precision="mixed_bfloat16", epochs=1, head_epochs=0)
    run = fit(image_recipe, config, tmp_path)
    path = kerasft.export(run, models_dir=tmp_path, name="m")
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["settings"]["precision"] == "float32"
    assert manifest["proof"]["test"] == "exact"
    assert kerasft.verify(path)["agree"]


@pytest.mark.slow
def test_an_older_export_in_bfloat16_is_proved_by_an_equivalence_test(copied, image_run):
    folder = copied("images")
    record = prove(folder, Labels.from_dict(image_run.labels), [], exact=False)
    assert record["test"] == "equivalence"
    assert record["mean_difference_limit"] <= 0.01


def test_a_folder_that_cannot_be_written_to_is_refused(image_run, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SettingError, match="file is not a folder"):
        kerasft.export(image_run, models_dir=tmp_path / "file" / "models")


@pytest.mark.parametrize("format", ["preset", "saved_model"])
def test_a_full_disk_leaves_nothing(image_run, tmp_path, file_size_limit, format):
    file_size_limit(20_000)
    with pytest.raises(ResourceError, match="disk is full"):
        kerasft.export(image_run, models_dir=tmp_path / "models", name="big", format=format)
    file_size_limit(None)
    assert not (tmp_path / "models").exists()


def test_what_a_killed_export_left_is_removed_by_the_next(tmp_path):
    for name in (".version.killed", ".other", "1"):
        (tmp_path / name / "content").mkdir(parents=True)
        (tmp_path / name / "lock").touch()
    with (
        versions.temporary_folder(tmp_path, "version") as one,
        versions.temporary_folder(tmp_path, "version") as other,
    ):
        present = {path.name for path in tmp_path.iterdir()}
        assert present == {one.parent.name, other.parent.name, ".other", "1"}
    assert {path.name for path in tmp_path.iterdir()} == {".other", "1"}


def test_exports_at_once_do_not_take_each_other_for_killed(tmp_path):
    def export(_):
        for _ in range(20):
            with versions.temporary_folder(tmp_path / "model", "version") as folder:
                folder.mkdir()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(export, range(3)))
    assert not (tmp_path / "model").exists()


def test_a_fresh_process_that_does_not_answer_fails_the_proof(tmp_path, monkeypatch):
    def run(line, timeout, **_):
        raise subprocess.TimeoutExpired(line, timeout)

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(ProofError, match=r"did not answer .* within 600 s"):
        answer_alone("script.py", tmp_path)


PUBLISH = """
import pathlib, runpy, sys
publish = runpy.run_path(sys.argv[1])["publish"]
parent = pathlib.Path(sys.argv[2])
for count in range(10):
    folder = parent / f".{sys.argv[3]}-{count}"
    folder.mkdir()
    (folder / "content").write_text(f"{sys.argv[3]}-{count}")
    print(publish(folder, parent, lambda v: (folder / "version").write_text(str(v))).name)
"""


def test_exports_at_once_get_different_numbers(tmp_path):
    line = [sys.executable, "-c", PUBLISH, versions.__file__, str(tmp_path)]
    processes = [
        subprocess.Popen([*line, name], stdout=subprocess.PIPE, text=True) for name in "abcd"
    ]
    numbers = [n for process in processes for n in process.communicate()[0].split()]
    assert sorted(numbers, key=int) == [str(n) for n in range(1, 41)]
    contents = set()
    for version in range(1, 41):
        folder = tmp_path / str(version)
        assert (folder / "version").read_text() == str(version)
        contents.add((folder / "content").read_text())
    assert len(contents) == 40  # none was replaced


def test_a_fresh_load_answers_as_the_manifest_says(artifact):
    proof = json.loads((artifact("texts") / "proof.json").read_text())
    found = answers(artifact("texts"), **proof["inputs"])
    assert found["prediction"] == proof["answers"]["prediction"]
