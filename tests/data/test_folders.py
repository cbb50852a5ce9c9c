"""Image folders."""

import re
import shutil

import numpy as np
import pytest
from PIL import Image

from kerasft.config import ImageConfig, TextConfig
from kerasft.data import load_data, read_dataset
from kerasft.dataset import Dataset
from kerasft.dataset_check import check_class_folders
from kerasft.errors import DataError, SettingError


def read(path, **settings):
    return read_dataset(ImageConfig(dataset=str(path), **settings))


def test_class_folders_are_the_classes(pets):
    train = read(pets)["train"]
    assert train.origins[:2] == ["cat/0.png", "cat/1.png"]
    assert train.labels == ["cat"] * 10 + ["dog"] * 10


def test_split_folders_are_the_splits(tmp_path, make_images):
    for split, count in (("train", 4), ("val", 2), ("test", 3)):
        for name in ("cat", "dog"):
            make_images(tmp_path / split / name, [f"{i}.jpg" for i in range(count)])
    splits = read(tmp_path)
    assert {split: len(part) for split, part in splits.items()} == {
        "train": 8,
        "validation": 4,
        "test": 6,
    }
    assert splits["validation"].origins[0] == "val/cat/0.jpg"


def test_settings_name_the_split_folders(tmp_path, make_images):
    for split in ("one", "two", "train"):
        for name in ("cat", "dog"):
            make_images(tmp_path / split / name, [f"{split}.png"])
    splits = read(tmp_path, train_split="one", test_split="train")
    assert splits["train"].origins[0] == "one/cat/one.png"
    assert splits["test"].origins[0] == "train/cat/train.png"
    with pytest.raises(DataError, match=r"no folder 'tow' for the train split.*one, train, two"):
        read(tmp_path, train_split="tow")


def test_a_class_may_be_called_train(tmp_path, make_images):
    for name in ("car", "train"):
        make_images(tmp_path / name, ["1.png", "2.png"])
    assert set(read(tmp_path)["train"].labels) == {"car", "train"}


def test_flat_split_folders_are_not_taken_for_classes(tmp_path, make_images):
    for name in ("train", "test"):
        make_images(tmp_path / name, ["1.png", "2.png"])
    with pytest.raises(DataError, match="no class folders"):
        read(tmp_path)


def test_hidden_files_and_dangling_links_are_left_out(pets):
    (pets / "cat" / "._0.png").write_bytes(b"resource fork")
    (pets / "cat" / ".thumbs").mkdir()
    shutil.copy(pets / "cat" / "0.png", pets / "cat" / ".thumbs" / "0.png")
    (pets / "cat" / "gone.png").symlink_to(pets / "nothing.png")
    (pets / "__MACOSX" / "cat").mkdir(parents=True)
    (pets / ".git").mkdir()
    assert len(read(pets)["train"]) == 20


def test_other_files_are_counted_in_a_note(pets):
    (pets / "cat" / "notes.txt").write_text("x")
    (pets / "dog" / "readme.txt").write_text("x")
    data = load_data(ImageConfig(dataset=str(pets), image_size=8))
    assert "Files skipped (not images): 2 .txt." in data.notes


def test_endings_in_capitals_are_read(pets):
    (pets / "cat" / "0.png").rename(pets / "cat" / "0.PNG")
    assert len(read(pets)["train"]) == 20


def test_a_class_without_images_is_named(pets):
    (pets / "cow").mkdir()
    with pytest.raises(DataError, match=r"pets/cow has no images\. Add some, or delete"):
        read(pets)


def test_one_class_alone_is_refused(pets):
    shutil.rmtree(pets / "dog")
    assert set(read(pets)["train"].labels) == {"cat"}  # fine where a run is measured
    with pytest.raises(DataError, match=r"only one class \('cat'\)"):
        load_data(ImageConfig(dataset=str(pets)))


def test_a_folder_without_anything_says_what_is_possible(tmp_path):
    with pytest.raises(DataError, match=r"Give a folder of class folders"):
        read(tmp_path)


def test_a_folder_of_images_without_classes_says_how_to_arrange_or_predict_them(
    tmp_path, make_images
):
    flat = tmp_path / "flat"
    make_images(flat, ["1.png", "2.png"])
    message = re.escape(
        f"{flat} has images, but no class folders. Put the images of each class into a folder of "
        "their own, such as flat/cat/1.jpg; images without labels can be predicted: kerasft "
        f"predict RUN {flat}."
    )
    for check in (read, lambda folder: check_class_folders(Dataset(str(folder)))):
        with pytest.raises(DataError, match=f"^{message}$"):
            check(flat)
    with pytest.raises(DataError, match="this recipe takes texts"):
        read_dataset(TextConfig(dataset=str(flat)))
    (flat / "notes").mkdir()
    (flat / "notes" / "a.txt").touch()
    with pytest.raises(DataError, match=r"notes has no images\. Add some, or delete the folder"):
        read(flat)


def test_class_folders_in_the_only_folder_are_found(tmp_path, make_images):
    for name in ("circle", "cross"):
        make_images(tmp_path / "outer" / "photos" / name, ["1.png", "2.png"])
    outer = str(tmp_path / "outer")
    with pytest.raises(DataError, match=r"seem to be in .*outer/photos: --dataset .*/photos\.$"):
        load_data(ImageConfig(dataset=outer))
    check_class_folders(Dataset(outer, train="photos"))
    (tmp_path / "outer" / "photos").rename(tmp_path / "outer" / "train")
    check_class_folders(Dataset(outer))


def test_class_folders_with_images_in_subfolders_only_have_a_note(tmp_path, make_images):
    for name in ("cat/a", "cat/b", "cow", "cow/a", "dog/c"):
        make_images(tmp_path / name, [f"{i}.png" for i in range(4)])
    data = load_data(ImageConfig(dataset=str(tmp_path)))
    (note,) = (x.text for x in data.findings if x.name == "as_read")
    assert note == (
        "Images only in subfolders of 2 of 3 class folders (cat, dog), such as cat/a/0.png; the "
        "first folder level names the class."
    )
    assert data.labels.names == ("cat", "cow", "dog")


def test_a_class_that_is_not_trained_is_named(tmp_path, make_images):
    for split, names in (("train", ("cat", "dog")), ("test", ("cat", "cow"))):
        for name in names:
            make_images(tmp_path / split / name, ["1.png"])
    with pytest.raises(DataError, match=r"The class .*test/cow has no folder in .*train"):
        read(tmp_path)


@pytest.mark.parametrize("task", ["regression", "multilabel"])
def test_other_tasks_need_a_table(pets, task):
    with pytest.raises(SettingError, match=rf"task={task}\. Give a table"):
        read(pets, task=task)


def test_texts_do_not_come_from_image_folders(pets):
    with pytest.raises(DataError, match="this recipe takes texts"):
        read_dataset(TextConfig(dataset=str(pets)))


def test_a_corrupt_image_stops_with_its_name(pets):
    (pets / "dog" / "3.png").write_bytes(b"\x89PNG broken")
    with pytest.raises(DataError, match=r"dog/3\.png"):
        load_data(ImageConfig(dataset=str(pets), image_size=8))


def test_order_and_splits_do_not_depend_on_the_file_system(tmp_path, pets):
    other = tmp_path / "other"
    for name in ("dog", "cat"):
        (other / name).mkdir(parents=True)
        for file in sorted((pets / name).iterdir(), reverse=True):
            shutil.copy(file, other / name / file.name)
    one, two = (load_data(ImageConfig(dataset=str(p), image_size=8)) for p in (pets, other))
    assert one.fingerprint == two.fingerprint
    assert one.test.examples.origins == two.test.examples.origins
    assert (one.train.x == two.train.x).all()


def test_an_image_that_changes_changes_the_fingerprint(pets):
    config = ImageConfig(dataset=str(pets), image_size=8)
    before = load_data(config).fingerprint
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(pets / "cat" / "0.png")
    assert load_data(config).fingerprint != before


def test_folders_that_are_no_split_have_a_note(tmp_path, make_images):
    for split in ("train", "test", "unlabelled"):
        for name in ("cat", "dog"):
            make_images(tmp_path / split / name, [f"{i}.png" for i in range(9)], seed=len(split))
    data = load_data(ImageConfig(dataset=str(tmp_path), image_size=8))
    assert "Folders skipped (not a split): unlabelled." in data.notes
    assert len(data.test) == 18
