"""Inputs larger than memory: prepared in files, once for all fits."""

import dataclasses
import shutil

import numpy as np
import pytest
from PIL import Image

import kerasft
from kerasft.arrays import cache_folder
from kerasft.config import ImageConfig, TextConfig
from kerasft.data import Examples, load_data, prepare_data
from kerasft.errors import DataError, ResourceError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERASFT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def decoded(monkeypatch):
    """Counts the images that are decoded."""
    from kerasft.modalities import image_decoding

    origins, decode = [], image_decoding.decode_image

    def count(source, origin):
        origins.append(origin)
        return decode(source, origin)

    monkeypatch.setattr(image_decoding, "decode_image", count)
    return origins


def leaves(split):
    return list(split.x.values()) if isinstance(split.x, dict) else [split.x]


def same_splits(one, other):
    for name in ("train", "validation", "test"):
        arrays = zip(leaves(getattr(one, name)), leaves(getattr(other, name)), strict=True)
        assert all(np.array_equal(left, right) for left, right in arrays)
        assert getattr(one, name).y.tolist() == getattr(other, name).y.tolist()


def in_files(data):
    return all(isinstance(x, np.memmap) for x in leaves(data.train) + leaves(data.test))


def test_images_above_the_limit_are_mapped_and_decoded_once(photos, decoded):
    config = ImageConfig(dataset=photos, image_size=16)
    expected = load_data(config)
    assert not in_files(expected)
    assert not cache_folder().exists()
    decoded.clear()
    for _ in range(2):
        data = load_data(dataclasses.replace(config, memory_gigabytes=0))
        assert in_files(data)
        same_splits(data, expected)
        assert len(decoded) == 36
        assert data.fingerprint == expected.fingerprint
    (note,) = set(data.notes) - set(expected.notes)
    assert note.startswith("Prepared images of 2.8e-05 GB are mapped from files in ")


def test_other_settings_and_images_are_prepared_anew(photos, decoded, tmp_path):
    first = ImageConfig(dataset=photos, image_size=16, memory_gigabytes=0)
    load_data(first)
    for changes in ({"image_size": 24}, {"resize": "pad"}):
        decoded.clear()
        load_data(dataclasses.replace(first, **changes))
        assert len(decoded) == 36
    decoded.clear()
    load_data(dataclasses.replace(first, batch_size=7, data_workers=1))
    assert not decoded
    changed = shutil.copytree(photos, tmp_path / "photos")
    Image.new("RGB", (16, 16)).save(changed / "red" / "0.png")
    load_data(dataclasses.replace(first, dataset=str(changed)))
    assert "red/0.png" in decoded


@pytest.mark.parametrize("pairs", ["cross", "towers", pytest.param("", marks=pytest.mark.slow)])
def test_texts_above_the_limit_are_mapped_and_tokenized_once(preset, pairs):
    def examples(space=""):
        texts = [f"good{space} film " + "movie " * (n % 9) for n in range(40)]
        inputs = [(text, "bad film") for text in texts] if pairs else texts
        return {"train": Examples(inputs, ["a", "b"] * 20, [f"row {n}" for n in range(40)])}

    paired = {"text_pair_column": "second", "pair_mode": pairs} if pairs else {}
    config = TextConfig(preset=preset("bert"), sequence_length=32, **paired)
    expected = prepare_data(config, examples())
    assert ("token_ids_pair" in expected.train.x) == (pairs == "towers")
    mapped = dataclasses.replace(config, memory_gigabytes=0)
    for _ in range(2):
        data = prepare_data(mapped, examples())
        assert in_files(data)
        same_splits(data, expected)
        assert len(list(cache_folder().iterdir())) == 3
    size = "3.1e-05" if pairs == "towers" else "1.5e-05"
    assert any(note.startswith(f"Prepared texts of {size} GB") for note in data.notes)
    prepare_data(mapped, examples(" "))  # the same hashes of contents
    assert len(list(cache_folder().iterdir())) > 3


def test_inputs_above_both_limits_are_mapped_and_not_kept(photos, decoded):
    config = ImageConfig(dataset=photos, image_size=16, memory_gigabytes=0, disk_gigabytes=2e-5)
    for count in (36, 72):
        assert in_files(load_data(config))
        assert len(decoded) == count
    assert not list(cache_folder().glob("*/*.npy"))


def test_images_that_cannot_be_decoded_are_named_or_dropped(tmp_path, photos):
    for index in range(12):
        for name in ("a", "b"):
            path = tmp_path / "data" / name / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (20, 20), (index * 20, 0, 0)).save(path)
    (tmp_path / "data" / "a" / "3.png").write_bytes(b"no image")
    config = ImageConfig(dataset=str(tmp_path / "data"), image_size=16, memory_gigabytes=0)
    with pytest.raises(DataError, match=r"3\.png is not an image"):
        load_data(config)
    assert not list(cache_folder().glob("*/*.npy"))
    data = load_data(dataclasses.replace(config, drop_bad=True))
    assert in_files(data)
    assert len(data.dropped) == 1


def test_a_full_disk_ends_a_fit_with_one_sentence(photos, monkeypatch, tmp_path):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(ResourceError, match=r"cache.* has no space for .* GB of images") as caught:
        kerasft.fit(
            "resnet_digits", dataset=photos, image_size=16, memory_gigabytes=0,
            runs_dir=tmp_path / "runs", progress=False,
        )  # fmt: skip
    assert caught.value.exit_code == 6
    assert not list(tmp_path.glob("runs/*/*"))
