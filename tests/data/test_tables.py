"""Tables of texts and of image paths."""

import io
import json
import os
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from kerasft.config import ImageConfig, TextConfig
from kerasft.data import load_data
from kerasft.data.columns import describe_columns
from kerasft.data.label_encoding import make_labels
from kerasft.data.sources import read_dataset
from kerasft.data.table_files import count_rows
from kerasft.data.tables import is_empty, read_table, read_table_parts
from kerasft.dataset import Dataset
from kerasft.errors import DataError
from kerasft.modalities import modality_of
from tests.data.reading import read, rows, train


def test_columns_with_usual_names_are_found(write):
    examples = train(write("a.csv", "id,Title,Sentiment\n7,good,pos\n8,bad,neg\n"))
    assert examples.inputs == ["good", "bad"]
    assert examples.labels == ["pos", "neg"]
    assert examples.origins == ["row 1 of a.csv", "row 2 of a.csv"]


def test_columns_can_be_named(write):
    path = write("a.csv", "text,one,label,two\nx,good,l,pos\ny,bad,m,neg\n")
    examples = train(path, text_column="one", label_column="two")
    assert (examples.inputs, examples.labels) == (["good", "bad"], ["pos", "neg"])


def test_a_missing_label_column_lists_the_columns(write):
    path = write("a.csv", "text,kind\nx,y\n")
    with pytest.raises(DataError) as raised:
        read(path)
    assert str(raised.value) == (
        f"{path} has no label column among its columns: text, kind. Set --label-column to one of "
        "them (usual names: label, labels, class, category, target, intent, topic, sentiment, y, "
        "score, rating, price)."
    )
    with pytest.raises(DataError, match=r"Column 'kin' not found in .*'kind'\?.*--label-column"):
        read(path, label_column="kin")


@pytest.mark.parametrize(
    ("config", "kind"),
    [(ImageConfig, "image"), (TextConfig, "text")],
)
def test_a_table_of_other_inputs_lists_what_is_expected(write, config, kind):
    path = write("a.csv", "id,label\n1,a\n2,b\n")
    names = ", ".join(modality_of(config()).column_names)
    with pytest.raises(DataError) as raised:
        read(path, config)
    assert str(raised.value) == (
        f"{path} has no {kind} column among its columns: id, label. Set --{kind}-column to one of "
        f"them (usual names: {names}), or use a recipe that does not read {kind}s."
    )


def test_a_label_missing_in_row_17_is_named(write):
    lines = rows(20).splitlines()
    lines[17] = "text number 16,"
    with pytest.raises(DataError, match=r"Row 17 of a\.csv has no label in column 'label'"):
        read(write("a.csv", "\n".join(lines)))


def test_an_empty_text_is_named(write):
    with pytest.raises(DataError, match=r"Row 2 of a\.csv has no text in column 'text'"):
        read(write("a.csv", 'text,label\nx,a\n" ",b\n'))


def test_csv_values_stay_what_they_are(write):
    labels = train(write("a.csv", "text,label\nNA,001\nnull,NA\n1e5,nan\n"))
    assert labels.inputs == ["NA", "null", "1e5"]
    assert labels.labels == ["001", "NA", "nan"]


def test_quotes_line_breaks_byte_order_mark_and_windows_line_ends(write):
    text = 'text,label\r\n"one, two\n""three""",a\r\nвосемь,b\r\n'
    examples = train(write("a.csv", text, encoding="utf-8-sig"))
    assert examples.inputs == ['one, two\n"three"', "восемь"]


@pytest.mark.parametrize(("name", "mark"), [("a.tsv", "\t"), ("a.csv", ";"), ("a.csv", "\t")])
def test_other_separators(write, name, mark):
    path = write(name, rows(4).replace(",", mark))
    assert train(path).labels == ["a", "b", "a", "b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("text,label\nx,a\ny,b,c,d\n", "not a valid table.*line 3"),
        ("text,label\ny,b,c,d\n", "not a valid table"),
        ('text,label\n"x,a\n', "not a valid table.*double quotes"),
        ("text,label\n", "has no rows"),
        ("", "is empty"),
    ],
)
def test_a_malformed_csv_is_refused_in_one_sentence(write, text, message):
    with pytest.raises(DataError, match=rf"(?s)a\.csv.*{message}"):
        read(write("a.csv", text))


def test_another_encoding_is_refused(write):
    with pytest.raises(DataError, match=r"a\.csv is not UTF-8 text \(byte 0xe9"):
        read(write("a.csv", "text,label\ncafé,a\n", encoding="latin-1"))


def test_json_lines(write):
    lines = [{"text": "x\u2028y", "label": 10}, {"text": "z", "label": 2}]
    examples = train(write("a.jsonl", "\n".join(json.dumps(x, ensure_ascii=False) for x in lines)))
    assert examples.inputs == ["x\u2028y", "z"]
    assert examples.labels == ["10", "2"]


def test_a_list_of_objects_is_read_too(write):
    assert train(write("a.json", '[{"text": "x", "label": "a"}]')).inputs == ["x"]


def test_a_broken_line_of_json_is_named(write):
    with pytest.raises(DataError, match=r"Line 2 of .*a\.jsonl is not valid JSON"):
        read(write("a.jsonl", '{"text": "x", "label": "a"}\n{"text": \n'))
    with pytest.raises(DataError, match=r"Line 1 of .*a\.jsonl must be a JSON object"):
        read(write("a.jsonl", "3\n"))


def test_whole_numbers_are_classes_in_numeric_order(write, tmp_path, preset):
    pd.DataFrame({"text": list("abcdefghij" * 4), "label": [10, 9] * 20}).assign(
        text=lambda d: d.text + d.index.astype(str)
    ).to_parquet(tmp_path / "a.parquet")
    data = load_data(TextConfig(dataset=str(tmp_path / "a.parquet"), preset=preset("bert")))
    assert data.labels.names == ("9", "10")


def test_a_number_of_a_column_with_gaps_stays_a_whole_number(tmp_path):
    frame = pd.DataFrame({"text": ["x", "y", "z"], "label": [1.0, 2.0, None]})
    frame.to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"Row 3 of a\.parquet has no label"):
        read(tmp_path / "a.parquet")
    frame[:2].to_parquet(tmp_path / "b.parquet")
    assert train(tmp_path / "b.parquet").labels == ["1", "2"]


def test_a_broken_parquet_file_is_refused(write):
    with pytest.raises(DataError, match=r"a\.parquet is not a readable Parquet file"):
        read(write("a.parquet", "no"))


def test_images_and_class_names_of_hugging_face_parquet(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "PNG")
    images = [{"bytes": file.getvalue(), "path": None}] * 2
    names = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
    table = pa.table({"image": images, "label": [1, 0]})
    table = table.replace_schema_metadata({"huggingface": json.dumps(names)})
    pq.write_table(table, tmp_path / "a.parquet")
    examples = train(tmp_path / "a.parquet", ImageConfig)
    assert examples.labels == ["dog", "cat"]
    assert examples.inputs == [file.getvalue()] * 2


def test_the_column_split_divides(write):
    path = write("a.csv", "text,label,split\nx,a,train\ny,b,val\nz,a,Test\nw,b,extra\n")
    splits = read(path)
    assert {name: part.inputs for name, part in splits.items()} == {
        "train": ["x"],
        "validation": ["y"],
        "test": ["z"],
    }
    splits = read(path, train_split="extra", test_split="train")
    assert {name: part.inputs for name, part in splits.items()} == {
        "train": ["w"],
        "validation": ["y"],
        "test": ["x"],
    }
    with pytest.raises(DataError, match="no value 'dev' in its column 'split'"):
        read(path, validation_split="dev")


def test_a_column_split_with_other_values_does_not_divide(write):
    assert len(train(write("a.csv", "text,label,split\nx,a,banana\ny,b,7/10\n"))) == 2


def test_files_beside_train_csv_are_its_splits(write, preset):
    for name, count in (("train", 20), ("dev", 4), ("test", 6)):
        path = write(f"d/{name}.csv", rows(count).replace("text number", name))
    write("d/other.csv", "x")
    folder = Path(path).parent
    config = TextConfig(dataset=str(folder / "train.csv"), preset=preset("bert"))
    data = load_data(config)
    assert (len(data.train), len(data.validation), len(data.test)) == (20, 4, 6)
    assert any("dev.csv (validation), test.csv (test)" in note for note in data.notes)
    assert set(read(folder)) == {"train", "validation", "test"}
    assert set(read(folder / "test.csv")) == {"train"}  # asked for alone, it is all there is


def test_a_folder_with_one_table_is_that_table(tmp_path, make_images, write):
    make_images(tmp_path / "h", ["1.png", "2.png"])
    write("h/houses.csv", "image,price\n1.png,3\n2.png,4\n")
    assert train(tmp_path / "h", ImageConfig, task="regression").labels == [3.0, 4.0]
    make_images(tmp_path / "k" / "images", ["1.png", "2.png"])
    write("k/labels.csv", "image,label\nimages/1.png,a\nimages/2.png,b\n")
    assert train(tmp_path / "k", ImageConfig).labels == ["a", "b"]


def test_tables_beside_flat_split_folders_win(tmp_path, make_images, write):
    for split in ("train", "test"):
        make_images(tmp_path / split, ["1.png"])
        write(f"{split}.csv", f"image,label\n{split}/1.png,a\n")
    assert {k: v.labels for k, v in read(tmp_path, ImageConfig).items()} == {
        "train": ["a"],
        "test": ["a"],
    }


def test_another_dataset_has_nothing_of_the_recipes_own(write):
    class Config(TextConfig):
        dataset: Dataset = Dataset("tfds:glue/sst2", label="urgency", train="train", test="dev")

    path = write("a.csv", rows(4))
    assert train(path, Config).labels == ["a", "b", "a", "b"]
    with pytest.raises(DataError, match="Column 'urgency' not found"):
        train(path, Config, label_column="urgency")


def test_columns_found_by_name_have_a_note(write):
    class Config(TextConfig):
        dataset: Dataset = Dataset("tfds:glue/mrpc", text="sentence1", text_pair="sentence2")

    def notes(*names, **columns):
        path = write("a.csv", ",".join(names) + "\n" + ",".join("x" * len(names)) + "\n")
        return describe_columns(Config(dataset=path, **columns), read_table(Path(path)))

    named = {"text_column": "first", "text_pair_column": "second", "label_column": "same"}
    assert notes("first", "second", "same", **named) == []
    found, pair = notes("text", "label")
    assert found == "Found by name in a.csv: text from column 'text', label from column 'label'."
    assert pair.startswith(
        "Single texts are read from a.csv. For pairs of texts, set --text-pair-column"
    )


@pytest.mark.parametrize("dataset", ["nowhere", "nowhere/data.csv", "", "x" * 400])
def test_a_missing_data_set_says_what_is_possible(dataset):
    with pytest.raises(DataError, match=r"Dataset .* not found.*tfds:NAME.*builtin:digits"):
        read(dataset)


def test_a_file_of_another_kind_is_refused(write):
    with pytest.raises(DataError, match=r"a\.xlsx is not a table in a supported format"):
        read(write("a.xlsx", "x"))


def test_a_setting_names_the_table_of_a_split(write):
    for name, count in (("train", 6), ("extra", 4), ("test", 2)):
        path = write(f"d/{name}.csv", rows(count))
    folder = Path(path).parent
    assert len(read(folder / "train.csv", test_split="test")["test"]) == 2
    with pytest.raises(DataError, match=r"Table 'tets' of the test split not found.*--test-split"):
        read(folder / "train.csv", test_split="tets")


def test_a_table_that_cannot_be_opened_is_named(write):
    path = Path(write("a.csv", rows(2)))
    folder = path.with_name("b.csv")
    folder.mkdir()
    with pytest.raises(DataError, match=r"b\.csv cannot be read: Is a directory"):
        read_table(folder)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "text,label,text\na,x,b\n"),
        ("a.csv", "\ntext,label, text \na,x,b\n"),
        ("a.tsv", "text\tlabel\ttext\na\tx\tb\n"),
        ("a.jsonl", '{"text": "a", "label": "x", "text": "b"}\n'),
    ],
)
def test_two_columns_of_one_name_are_refused(write, name, text):
    with pytest.raises(DataError, match="'text'"):
        read_table(Path(write(name, text)))


def test_two_columns_of_one_name_in_parquet_are_refused(tmp_path):
    table = pa.table([["a"], ["b"]], names=["text", "text"])
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match="several columns of one name: 'text'"):
        read_table(tmp_path / "a.parquet")


def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DataError, match="not a regular file"):
        read_table(tmp_path / "pipe.csv")


def test_json_nested_too_deep_is_refused(write):
    with pytest.raises(DataError, match="not valid JSON"):
        read_table(Path(write("a.jsonl", '{"text": ' + "[" * 100_000 + "]" * 100_000 + "}\n")))


@pytest.mark.parametrize("blank", ["", " ", "\u200b", "\ufeff\u00ad", "\0"])
def test_a_text_without_visible_characters_is_empty(blank):
    assert is_empty(blank)
    assert not is_empty(f"{blank}a")


def test_a_class_name_of_5000_characters_is_refused(write):
    rows = [f"t{row},{'7' * 5000 if row % 2 else 'b'}" for row in range(20)]
    config = TextConfig(dataset=write("a.csv", "\n".join(["text,label", *rows])))
    with pytest.raises(DataError, match="5,000 characters"):
        make_labels(config, read_dataset(config)["train"])


@pytest.mark.parametrize("target", ["9" * 400, "1e308", "-1e30", "nan", "inf"])
def test_a_target_without_a_finite_square_is_refused(write, target):
    table = write("a.csv", f"text,score\na,1\nb,{target}\n")
    with pytest.raises(DataError, match=r"Row 2 of a\.csv"):
        read_dataset(TextConfig(dataset=table, task="regression"))


def test_a_json_target_of_400_digits_is_refused(write):
    table = write(
        "a.json", json.dumps([{"text": "a", "score": 1}, {"text": "b", "score": 10**400}])
    )
    with pytest.raises(DataError, match=r"Row 2 of a\.json"):
        read_dataset(TextConfig(dataset=table, task="regression"))


@pytest.mark.parametrize(
    ("header", "cell", "settings", "first"),
    [
        ("text,label", "t{},", {}, "Row 1 of a.csv has no label"),
        ("text,label", ",l{}", {}, "Row 1 of a.csv has no text"),
        ("text,label", "t{},much", {"task": "regression"}, "Row 1 of a.csv has 'much'"),
        ("image,label", "{}.png,x", {}, "Row 1 of a.csv names the image '0.png'"),
    ],
)
def test_all_bad_rows_are_listed(write, header, cell, settings, first):
    rows = [cell.format(row) for row in range(25)]
    table = write("a.csv", "\n".join([header, *rows]))
    config = (ImageConfig if "image" in header else TextConfig)(dataset=table, **settings)
    with pytest.raises(DataError) as caught:
        read_dataset(config)
    lines = str(caught.value).split("\n")
    assert lines[0] == "25 examples cannot be used:"
    assert lines[1].strip().startswith(first)
    assert len(lines) == 22
    assert lines[-1].strip() == "... and 5 more"


def test_a_header_with_an_open_quote_is_refused(write):
    with pytest.raises(DataError, match="is not valid"):
        read_table(Path(write("a.csv", '"text,label\n' + "word,x\n" * 30_000)))


TEXT_FILES = {
    "a.csv": "text,label\n" + "".join(f'"{n},\n",a\n' for n in range(5)),
    "a.tsv": "text\tlabel\n" + "".join(f"{n}\ta\n" for n in range(5)),
    "a.jsonl": '{"text": "0"}\n{"text": "1"}\n\n{"text": "2"}\n{"text": "3"}\n{"label": 4}\n',
    "a.json": json.dumps([{"text": f"{n}", "label": None} for n in range(5)]),
}


@pytest.mark.parametrize("name", sorted([*TEXT_FILES, "a.parquet"]))
def test_the_parts_of_a_table_are_the_table(write, tmp_path, name):
    if name in TEXT_FILES:
        path = Path(write(name, TEXT_FILES[name]))
    else:
        path = tmp_path / name
        pd.DataFrame({"text": list("abcde"), "label": [1, 2, 3, 4, 5]}).to_parquet(path)
    whole, parts = read_table(path), list(read_table_parts(path, 2))
    assert [list(part.numbers) for part in parts] == [[0, 1], [2, 3], [4]]
    assert [list(part.columns) for part in parts] == [["text", "label"]] * 3
    for column in ("text", "label"):
        assert [cell for part in parts for cell in part.columns[column]] == whole.columns[column]
    assert parts[2].origin(0) == whole.origin(4) == f"row 5 of {name}"
    assert count_rows(path) == (None if name == "a.json" else 5)


def test_rows_before_a_damage_are_read(write):
    parts = read_table_parts(Path(write("a.csv", "text,label\nx,a\ny,b\nz,c,d\n")), 2)
    assert next(parts).columns["text"] == ["x", "y"]
    with pytest.raises(DataError, match=r"a\.csv is not a valid table.*line 4"):
        next(parts)
