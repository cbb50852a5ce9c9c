"""The name of a preset is checked within a second, without TensorFlow."""

import shutil
import socket
import time

import pytest

from kerasft import ImageConfig
from kerasft.errors import NetworkError, SettingError
from kerasft.presets.keras_hub_presets import builtin_presets
from kerasft.presets.resolve import folder_fingerprint, resolve
from kerasft.runs.provenance import describe_weights, weights_changed


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    """Every connection fails as on a machine without a network; caches are empty."""

    def refuse(*_args, **_options):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", refuse)
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kaggle"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


def test_the_embedded_backbone_is_found_by_its_package():
    found = resolve("package:kerasft/assets/resnet_glyphs")
    assert found.kind == "package"
    assert found.fingerprint.startswith("sha256:")


def test_kerashub_names_are_read_without_importing_it():
    presets = builtin_presets()
    assert presets["resnet_50_imagenet"]["kaggle_handle"].startswith("kaggle://keras/")
    assert presets["bert_small_en_uncased"]["params"] > 1e7
    import keras_hub

    assert set(keras_hub.models.BertBackbone.presets) <= set(presets)
    assert set(keras_hub.models.ResNetBackbone.presets) <= set(presets)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("preset", "words"),
    [
        ("resnet_50_imagenet", ["resnet_50_imagenet", "94 MB", "www.kaggle.com", "resnet_glyphs"]),
        ("hf://google/bert", ["hf://google/bert", "huggingface.co"]),
        ("kaggle://keras/a/keras/b/1", ["kaggle://keras/a/keras/b/1", "www.kaggle.com"]),
    ],
)
def test_no_network_is_one_sentence_within_a_second(preset, words):
    began = time.monotonic()
    with pytest.raises(NetworkError) as caught:
        resolve(preset)
    assert time.monotonic() - began < 1
    assert all(word in str(caught.value) for word in words)
    assert caught.value.exit_code == 1


@pytest.mark.usefixtures("no_network")
def test_a_cached_preset_needs_no_network(tmp_path):
    handle = builtin_presets()["resnet_50_imagenet"]["kaggle_handle"]
    folder = tmp_path / "kaggle" / "models" / handle.removeprefix("kaggle://")
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    assert resolve("resnet_50_imagenet", pretrained=False).fingerprint == handle
    with pytest.raises(NetworkError, match="94 MB"):  # `kerasft blocks` needs no weights
        resolve("resnet_50_imagenet")
    (folder / "model.weights.h5").touch()
    assert resolve("resnet_50_imagenet").fingerprint == handle
    versions = folder.parent / "another"
    shutil.copytree(folder, versions / "2")
    assert resolve(f"{handle.rpartition('/')[0]}/another").kind == "kaggle"


def test_changed_files_of_a_download_are_found(tmp_path, monkeypatch):
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
    handle = builtin_presets()["resnet_50_imagenet"]["kaggle_handle"]
    folder = tmp_path / "models" / handle.removeprefix("kaggle://")
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    weights = folder / "model.weights.h5"
    weights.write_bytes(b"as downloaded")
    config = ImageConfig(preset="resnet_50_imagenet")
    recorded = describe_weights(config)
    assert recorded["sha256"] == folder_fingerprint(folder)
    assert not weights_changed(recorded, config)
    weights.write_bytes(b"another one")
    assert weights_changed(recorded, config)
    weights.unlink()  # as after `kerasft blocks` on another machine
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # then no connection is tried
    assert not weights_changed(recorded, config)
    shutil.rmtree(folder)  # as on a machine that has not downloaded it yet
    assert not weights_changed(recorded, config)


def test_older_records_have_no_hash_of_downloads_and_no_fingerprint_of_the_hub(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    config = ImageConfig(preset=str(tmp_path))
    assert not weights_changed({"fingerprint": ""}, config)
    assert weights_changed({"fingerprint": "sha256:another"}, config)


@pytest.mark.parametrize(
    ("preset", "message"),
    [
        ("", "`preset` is empty"),
        ("resnet_50_imagnet", "Did you mean 'resnet_50_imagenet'"),
        ("/no/such/folder", "is not an existing file or folder"),
        ("package:no_such_package/x", "is not installed"),
        ("package:kerasf/assets", "Did you mean 'kerasft'"),
        ("package:kerasft/assets/nothing", "has no folder `assets/nothing`"),
        ("package:kerasft/../numpy", "has no folder"),
        ("hf://onlyaname", "must be hf://ORG/NAME"),
    ],
)
def test_an_unknown_preset_is_one_sentence(preset, message):
    with pytest.raises(SettingError) as caught:
        resolve(preset)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_nothing_unknown_is_named_to_be_installed():
    with pytest.raises(SettingError) as caught:
        resolve("package:no_such_package/x")
    assert "pip install" not in str(caught.value)


def test_a_folder_without_a_config_is_no_preset(tmp_path):
    with pytest.raises(SettingError, match=r"has no config\.json"):
        resolve(str(tmp_path))


def test_the_fingerprint_follows_the_content(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    before = folder_fingerprint(tmp_path)
    assert folder_fingerprint(tmp_path) == before
    (tmp_path / "model.weights.h5").write_bytes(b"1")
    assert folder_fingerprint(tmp_path) != before


def test_a_preset_that_kerashub_cannot_read_is_one_sentence(tmp_path):
    import kerasft

    (tmp_path / "config.json").write_text('{"model_type": "no_such_family"}')
    with pytest.raises(SettingError, match="cannot be loaded") as caught:
        kerasft.load_backbone(str(tmp_path))
    assert "\n" not in str(caught.value)
