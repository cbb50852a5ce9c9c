"""What a notebook shows of runs, searches, diagnoses and comparisons."""

import html.parser
import json
import re
import shutil
from pathlib import Path

import pytest

import kerasft
from kerasft.runs import create_run, write_json, write_manifest, write_record

SEARCH = Path(__file__).parents[1] / "golden/0.1.0/searches/minilm_tickets/search"


class Reader(html.parser.HTMLParser):
    """Notes the tags, what would be fetched, and tags that are never closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.fetched, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href") and not (value or "#").startswith("#"):
                self.fetched.append(value)
        if tag in ("br", "use"):
            self.open.pop()

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in ("br", "use"):
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in ("br", "use"):
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def runs(image_run, tmp_path_factory):
    """A run, and a copy of its record with another dropout."""
    folder = tmp_path_factory.mktemp("runs") / "resnet_digits" / "other"
    other = kerasft.load_run(shutil.copytree(image_run.path, folder))
    write_record(other, "config.json", {**other.config, "dropout": 0.5})
    return [image_run, other]


@pytest.fixture
def search():
    return kerasft.load_search(SEARCH)


def shown(value):
    """Returns the HTML of a value, after checking that it is whole and needs nothing else."""
    text = value._repr_html_()
    read = Reader(text)
    assert read.open == [] and read.fetched == []
    assert not {"script", "link", "img", "style", "iframe"} & set(read.tags)
    assert "http" not in text
    identifiers = re.findall(r'\bid="([^"]+)"', text)
    assert len(identifiers) == len(set(identifiers))
    return text


def test_a_run_shows_its_scores_and_curves(runs):
    text = shown(runs[0])
    assert f"resnet_digits/{runs[0].name}" in text and "done, on" in text
    for split, metrics in runs[0].metrics.items():
        assert f"<td>{split}</td>" in text and f"<td>{metrics['accuracy']:.4g}</td>" in text
    assert text.count("<svg") == 2
    assert text == kerasft.run_html(runs[0].path)


def test_a_search_shows_its_best_trials_and_the_command(search):
    text = shown(search)
    done = sum(trial.state == "completed" for trial in search.trials)
    assert f"{done} of {len(search.trials)} trials completed" in text
    for dimension in search.header["space"]:
        assert f"<th>{dimension['name']}</th>" in text
    assert text.count("<svg") == 1
    assert f">{html.escape(search.fit_command)}</pre>" in text


def test_a_diagnosis_shows_its_findings_and_the_loss(runs):
    found = kerasft.diagnose(runs[0])
    text = shown(found)
    for finding in found["findings"]:
        assert html.escape(finding["title"]) in text
    assert text.count("<svg") == 1
    assert json.loads(json.dumps(found)) == found


def test_a_comparison_shows_what_differs_and_the_scores_by_epoch(runs):
    compared = kerasft.compare(runs)
    text = shown(compared)
    assert "<td>dropout 0.2 -&gt; 0.5</td>" in text and "within noise" in text
    assert text.count("<svg") == 1
    assert "resnet_digits/other" in text


def test_several_charts_in_one_notebook_do_not_mix(runs):
    first, second = (set(re.findall(r'\bid="([^"]+)"', shown(run))) for run in runs)
    assert first and not first & second


def test_an_unfinished_run_shows_its_state(tmp_path, runs):
    run = create_run(tmp_path, "resnet_digits", "<b>")
    assert "damaged" in shown(run) and "&lt;b&gt;" in shown(run)
    write_json(run.path / "labels.json", runs[0].labels)
    write_json(run.path / "history.json", [])
    write_manifest(run, state="failed", reason="The loss became NaN <at once>")
    text = shown(run)
    assert "failed" in text and "NaN &lt;at once&gt;" in text and "<svg" not in text


def test_deleted_runs_leave_the_table_of_a_comparison(runs, tmp_path):
    compared = kerasft.compare(runs)
    for group in compared["groups"]:
        group["runs"] = [str(tmp_path / "gone")]
    assert "<table>" in shown(compared)
