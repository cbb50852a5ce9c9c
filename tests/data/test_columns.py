"""What the columns of a table mean: images, labels of every task, pairs of texts."""

import pytest

from kerasft.config import ImageConfig
from kerasft.errors import DataError, SettingError
from tests.data.reading import read, train


def test_image_paths_are_relative_to_the_table(tmp_path, make_images, write):
    make_images(tmp_path / "t" / "photos", ["1.png", "2_front.png"])
    path = write("t/a.csv", "path,label\nphotos/1.png,a\nphotos/2_front,b\n")
    examples = train(path, ImageConfig)
    assert [item.name for item in examples.inputs] == ["1.png", "2_front.png"]


def test_a_column_of_image_names_is_found(tmp_path, make_images, write):
    make_images(tmp_path, ["1.png", "2.png"])
    path = write("a.csv", "id,front,price\n1,1.png,3\n2,2.png,4\n")
    assert train(path, ImageConfig, task="regression").labels == [3.0, 4.0]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("3.png", r"Row 2 of a\.csv names the image '3\.png', but the file was not found"),
        ("2", "2 images have that name"),
        ("", r"Row 2 of a\.csv has no image in column 'image'"),
    ],
)
def test_a_missing_image_is_named(tmp_path, make_images, write, cell, message):
    make_images(tmp_path, ["1.png", "2.png", "2.bmp"])
    path = write("a.csv", f"image,label\n1.png,a\n{cell},b\n")
    with pytest.raises(DataError, match=message):
        read(path, ImageConfig)


def test_regression_takes_numbers_only(write):
    path = write("a.csv", "text,score\nx,1.5\ny,-2e1\n")
    assert train(path, task="regression").labels == [1.5, -20.0]
    for cell in ("high", "nan", "inf", '"1,000"'):
        path = write("b.csv", f"text,score\nx,1.5\ny,{cell}\n")
        with pytest.raises(
            DataError, match=r"Row 2 of b\.csv has .* in column 'score', which must be a number"
        ):
            read(path, task="regression")


def test_several_label_columns_are_labels(write):
    path = write("a.csv", "text,spam,rude\nx,1,0\ny,0,0\nz,1,1\n")
    examples = train(path, task="multilabel", label_column="spam,rude")
    assert examples.labels == [("spam",), (), ("rude", "spam")]
    path = write("b.csv", "text,spam,rude\nx,1,maybe\n")
    with pytest.raises(DataError, match=r"Row 1 of b\.csv must have 0 or 1 .*'rude'.*'maybe'"):
        read(path, task="multilabel", label_column="spam, rude")
    with pytest.raises(DataError, match=r"Column 'rud' not found in .*\. Did you mean 'rude'"):
        read(path, task="multilabel", label_column="spam,rud")


def test_a_separator_divides_labels(write):
    path = write("a.csv", "text,labels\nx,b|a\ny,\nz,a| c\n")
    examples = train(path, task="multilabel", label_separator="|")
    assert examples.labels == [("a", "b"), (), ("a", "c")]


def test_lists_of_labels_need_no_separator(write):
    path = write("a.jsonl", '{"text": "x", "labels": ["b", "a"]}\n{"text": "y", "labels": []}')
    assert train(path, task="multilabel").labels == [("a", "b"), ()]
    with pytest.raises(DataError, match=r"several labels .* fit with --task multilabel"):
        read(path)


def test_multilabel_needs_to_know_how_labels_stand(write):
    path = write("a.csv", "text,labels\nx,a\n")
    with pytest.raises(SettingError, match="label_separator"):
        read(path, task="multilabel")
    with pytest.raises(SettingError, match="need --task multilabel"):
        read(path, label_separator="|")


def test_two_text_columns_are_pairs(write):
    path = write("a.csv", "question,answer,label\nq1,a1,x\nq2,a2,y\n")
    assert train(path, text_pair_column="answer").inputs == [("q1", "a1"), ("q2", "a2")]
    path = write("b.csv", "question,answer,label\nq1,,x\n")
    with pytest.raises(DataError, match=r"Row 1 of b\.csv has no text in column 'answer'"):
        read(path, text_pair_column="answer")


def test_a_number_where_a_text_should_be_is_named(write):
    with pytest.raises(
        DataError, match=r"Row 1 of a\.jsonl has .* in column 'text', which must be text"
    ):
        read(write("a.jsonl", '{"text": 3, "label": "a"}'))
