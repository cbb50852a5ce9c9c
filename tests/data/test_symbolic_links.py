"""Links in image folders: none gives a picture a second class, or reads it twice."""

import shutil

import pytest
from PIL import Image

from kerasft.config import ImageConfig
from kerasft.data import load_data, read_inputs
from kerasft.data.sources import read_source
from kerasft.errors import DataError


def read(path, **settings):
    """Returns the origins by split, and the note about links."""
    splits, notes = read_source(ImageConfig(dataset=str(path), **settings))
    found = [note for note in notes if note.startswith("Links skipped")]
    assert len(found) <= 1
    return {name: part.origins for name, part in splits.items()}, "".join(found)


def link(path, target):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


@pytest.fixture
def plain(pets):
    """What the pets hold without a link."""
    return read(pets)[0]["train"]


@pytest.mark.parametrize(
    ("place", "target"),
    [
        ("cat/loop", ".."),  # the root
        ("cat/loop", "../.."),  # above it
        ("cat/deep/loop", "../.."),
        ("cat/loop", "."),  # the class itself
        ("cat/more", "../dog"),
        ("cat/more.png", "../dog/3.png"),
        ("kitty", "cat"),
        ("all", "."),
        ("cat/again", "deep"),
        ("cat/again.png", "deep/0.png"),
        ("cat/gone.png", "nothing.png"),
        ("cat/gone", "nothing"),
        ("bird", "nothing"),
        ("cat/round", "round"),
    ],
)
def test_a_link_to_files_of_another_or_the_same_class_is_left_out(pets, plain, place, target):
    (pets / "cat" / "deep").mkdir()
    (pets / "cat" / "0.png").rename(pets / "cat" / "deep" / "0.png")
    link(pets / place, target)
    found, note = read(pets)
    renamed = {"cat/0.png": "cat/deep/0.png"}
    assert sorted(found["train"]) == sorted(renamed.get(name, name) for name in plain)
    assert note.startswith(f"Links skipped: 1 ({place}). Links are followed only")


def test_the_note_reaches_the_data_and_counts_all_links(pets):
    for count in range(8):
        link(pets / "cat" / f"loop{count}", "..")
    data = load_data(ImageConfig(dataset=str(pets), image_size=8))
    assert sum(len(part.y) for part in (data.train, data.validation, data.test)) == 20
    (note,) = (note for note in data.notes if note.startswith("Links"))
    assert note.startswith("Links skipped: 8 (cat/loop0, cat/loop1, ")
    assert "cat/loop4, 3 more)" in note


def test_links_out_of_the_dataset_are_left_out(tmp_path, pets, plain):
    outside = shutil.copytree(pets, tmp_path / "outside")
    link(pets / "cow", outside / "cat")
    link(pets / "cat" / "out", outside / "cat")
    link(pets / "cat" / "out.png", outside / "cat" / "0.png")
    found, note = read(pets)
    assert found["train"] == plain
    assert note.startswith("Links skipped: 3 (cat/out, cat/out.png, cow).")


@pytest.mark.parametrize("folders", [True, False])
def test_where_nothing_but_links_is_left_the_error_names_them(tmp_path, pets, folders):
    root = tmp_path / "linked"
    for name in ("cat", "dog"):
        place, target = (name, "") if folders else (f"{name}/0.png", "0.png")
        link(root / place, pets / name / target)
    named = "cat, dog" if folders else "cat/0.png, dog/0.png"
    with pytest.raises(DataError, match=rf"links skipped: {named}"):
        read(root)
    (root / "bird").mkdir()
    shutil.copy(pets / "cat" / "0.png", root / "bird")
    if not folders:
        with pytest.raises(DataError, match=r"cat has no images \(links skipped: cat/0\.png\)"):
            read(root)


def test_the_dataset_itself_may_be_a_link(tmp_path, pets, plain):
    link(tmp_path / "link", pets)
    link(pets / "cat" / "loop", tmp_path / "link")
    found, note = read(tmp_path / "link")
    assert found["train"] == plain
    assert note.startswith("Links skipped: 1 (cat/loop).")


def test_links_to_files_of_the_dataset_that_no_class_has_are_followed(pets, make_images):
    store = make_images(pets / ".store" / "cow", ["1.png", "2.png"])
    make_images(pets / ".store" / "more", ["3.png"])
    link(pets / "cow", ".store/cow")
    link(pets / "kine", ".store/cow")  # one class alone gets them
    link(pets / "cat" / "more", "../.store/more")
    link(pets / "dog" / "also.png", store.parent / "more" / "3.png")
    found, note = read(pets)
    more = {"cow/1.png", "cow/2.png", "cat/more/3.png", "dog/also.png"}
    assert more < set(found["train"]) and len(found["train"]) == 24
    assert note.startswith("Links skipped: 1 (kine).")


def test_links_between_splits_are_left_out(tmp_path, make_images):
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            make_images(tmp_path / split / name, [f"{split}{i}.png" for i in range(3)])
    link(tmp_path / "val", "train")
    link(tmp_path / "test" / "cat" / "seen", "../../train/cat")
    link(tmp_path / "test" / "cow", "../train/cat")
    link(tmp_path / "train" / "dog" / "up", "..")
    found, note = read(tmp_path)
    assert len(read_source(ImageConfig(dataset=str(tmp_path)))[1]) == 1  # no other note
    assert {name: len(origins) for name, origins in found.items()} == {"train": 6, "test": 6}
    assert note.startswith("Links skipped: 4 (test/cat/seen, test/cow, train/dog/up, val).")
    with pytest.raises(DataError, match=r"no folder 'val' .*skipped: val\).*test, train\."):
        read(tmp_path, validation_split="val", train_split="train", test_split="test")


def test_splits_may_be_links_into_a_store(tmp_path, make_images):
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            make_images(tmp_path / "store" / split / name, [f"{split}{i}.png" for i in range(3)])
        link(tmp_path / split, f"store/{split}")
    found, note = read(tmp_path)
    assert {name: len(origins) for name, origins in found.items()} == {"train": 6, "test": 6}
    assert not note


def test_a_linked_folder_of_a_table_is_no_second_class(pets, write):
    (pets / "dog").rename(pets.parent / "dog")
    link(pets / "pictures", "cat")
    write("pets/table.csv", "image,label\n" + "".join(f"cat/{i}.png,{i % 2}\n" for i in range(10)))
    found, _ = read(pets)
    assert found["train"][0] == "row 1 of table.csv"


def test_prediction_reads_each_file_once_and_follows_what_was_given(tmp_path, pets):
    config = ImageConfig(image_size=8)
    link(pets / "cat" / "loop", "..")
    link(pets / "cat" / "again", "../dog")
    link(pets / "cat" / "again.png", "0.png")
    found = read_inputs(config, [str(pets)])
    assert len({path.resolve() for path in found.inputs}) == len(found.inputs) == 20
    link(tmp_path / "given", pets / "dog")
    link(tmp_path / "given.png", pets / "dog" / "1.png")
    found = read_inputs(config, [str(tmp_path / "given"), str(tmp_path / "given.png")])
    assert len(found.inputs) == 11
    Image.new("RGB", (8, 8)).save(tmp_path / "outside.png")
    link(pets / "cat" / "out.png", tmp_path / "outside.png")
    assert len(read_inputs(config, [str(pets)]).inputs) == 21
    link(tmp_path / "empty" / "loop", "..")
    with pytest.raises(DataError, match=r"has no images \(links skipped: loop\)"):
        read_inputs(config, [str(tmp_path / "empty")])
