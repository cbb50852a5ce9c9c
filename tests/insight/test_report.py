"""Reports: what stands in them, and how a browser shows them."""

import html
import html.parser
import json
import re
import shutil
import subprocess

import pytest

import kerasft
from kerasft.formatting import counted
from kerasft.insight import write_report
from kerasft.recipes import minilm_tickets, resnet_digits
from kerasft.runs import write_manifest, write_record
from kerasft.tuning.results import load_search, write_search_report
from tests.training.small import fit, image_config, text_config

KINDS = ("image", "multilabel", "regression", "search", "text")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def pages(shared_folder, preset, photos, prices, image_run, text_run):
    def make(folder):
        config = image_config(
            preset, prices, task="regression", target_unit="EUR", head_epochs=0, epochs=2,
            trainable_blocks=0,
        )  # fmt: skip
        runs = {"image": image_run, "text": text_run}
        runs["regression"] = fit(resnet_digits, config, folder)
        config = text_config(
            preset, several_labels(folder), task="multilabel", label_separator="|", epochs=1,
            head_epochs=0, trainable_blocks=0,
        )  # fmt: skip
        runs["multilabel"] = fit(minilm_tickets, config, folder)
        for name, run in runs.items():
            write_report(run, folder / f"{name}.html")
        search = kerasft.tune(
            resnet_digits,
            image_config(preset, photos, epochs=1, head_epochs=0, trainable_blocks=0),
            tuner="random", max_trials=5, progress=False, searches_dir=folder,
            space=["learning_rate=1e-4..1e-2:log", "dropout=0,0.2"],
        )  # fmt: skip
        write_search_report(load_search(search.path), folder / "search.html")

    folder = shared_folder("pages", make)
    return {kind: folder / f"{kind}.html" for kind in KINDS}


def several_labels(folder):
    """Writes a table of texts with several labels each."""
    rows = [
        f"a {kind} number {n},{kind}|{'odd' if n % 2 else 'even'}"
        for kind in ("film", "movie")
        for n in range(20)
    ]
    path = folder / "several.csv"
    path.write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    return str(path)


class Reader(html.parser.HTMLParser):
    """Notes tags, and what would be fetched from elsewhere."""

    def __init__(self):
        super().__init__()
        self.tags, self.fetched, self.open = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            local = value is None or value.startswith(("data:", "#"))
            if name in ("src", "href", "xlink:href") and not local:
                self.fetched.append(value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_needs_nothing_else(pages, kind):
    text = pages[kind].read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(text)
    assert reader.tags.count("script") == 1
    assert reader.fetched == []
    assert "http" not in re.sub(r"data:[^'\"]*", "", text)
    assert "svg" in reader.tags
    identifiers = re.findall(r'\bid="([^"]+)"', text)
    assert len(identifiers) == len(set(identifiers))


def test_a_page_tells_what_a_person_asks_for(pages):
    text = pages["image"].read_text(encoding="utf-8")
    for words in (
        "What to change next", "Confusion matrix", "calibration", "Curves", "Settings",
        "learning rate", "in training", "trained", "data:image/png",
    ):  # fmt: skip
        assert words in text, words
    numbers = pages["regression"].read_text(encoding="utf-8")
    assert "residuals" in numbers
    assert re.search(r"half of the predictions are within [\d.,]+ EUR", numbers)
    shown = pages["text"].read_text(encoding="utf-8")
    assert any(word in shown for word in ("film", "movie"))
    for words in ("Best trial vs defaults", "kerasft fit resnet_digits", "best third"):
        assert words in pages["search"].read_text(encoding="utf-8"), words


@pytest.mark.parametrize("kind", ["image", "text"])
def test_the_page_of_a_run_says_how_to_use_the_model(pages, kind, image_run, text_run):
    text = html.unescape(pages[kind].read_text(encoding="utf-8"))
    run = {"image": image_run, "text": text_run}[kind]
    path = run.path
    given = {"image": "image.png", "text": "'a text'"}[kind]
    for line in (f"kerasft predict {path} {given}", f"kerasft export {path}",
                 f"kerasft evaluate {path} --dataset", f"kerasft.load_run({str(path)!r})",
                 f"kerasft fit {run.recipe} "):  # fmt: skip
        assert line in text, line


def test_a_score_of_few_examples_is_said_to_be_uncertain(pages):
    for kind in ("image", "regression"):
        text = pages[kind].read_text(encoding="utf-8")
        assert "95% confidence interval" in text
        assert "too few to compare settings by this score" in text


def anchors(text):
    return re.findall(r'<td[^>]*><a href="#(cell-[0-9-]+)" data-cell="\1"[^>]*>(\d+)</a>', text)


@pytest.mark.parametrize("kind", ["image", "text"])
def test_a_cell_of_the_confusion_matrix_links_to_its_examples(pages, kind, image_run, text_run):
    text = pages[kind].read_text(encoding="utf-8")
    matrix = {"image": image_run, "text": text_run}[kind].metrics["test"]["confusion_matrix"]
    found = {name: int(count) for name, count in anchors(text)}
    assert found == {
        f"cell-{i}-{j}": count
        for i, row in enumerate(matrix)
        for j, count in enumerate(row)
        if count
    }
    for name, count in found.items():
        part = text.split(f'id="{name}"')[1].split('class="cell"')[0].split("</section>")[0]
        assert f"{min(count, 6)} of {counted(count, 'example')}" in part
        assert part.count('class="card"') == min(count, 6)


def remove(run, *names):
    """Remove files that the run never had, as one of an older version or a failed one."""
    for name in names:
        (run.path / name).unlink()
    files = {name: value for name, value in run.manifest["files"].items() if name not in names}
    write_manifest(run, files=files)


def test_a_run_without_recorded_examples_shows_its_matrix(image_run, copied_run):
    run = copied_run(image_run)
    remove(run, "confusions.json")
    text = write_report(run).read_text(encoding="utf-8")
    assert "Confusion matrix" in text and anchors(text) == []
    assert "Click a number" not in text


@pytest.mark.parametrize(("share", "text"), [(0.0004, "<1 %"), (0.6, "60 %")])
def test_a_small_share_of_the_peak_is_not_nothing(image_run, copied_run, share, text):
    run = copied_run(image_run)
    speed = {"main": {"examples_per_second": 63.4, "share_of_peak": share, "peak_gflops": 58.0}}
    path = run.path / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"speed": speed}))
    page = html.unescape(write_report(kerasft.load_run(run.path)).read_text(encoding="utf-8"))
    assert f">{text}<" in page


def test_what_users_wrote_is_shown_as_it_is(image_run, copied_run):
    run, name = copied_run(image_run), "<script>alert('&')</script>"
    text = (run.path / "metrics.json").read_text().replace('"blue"', json.dumps(name))
    write_record(run, "metrics.json", json.loads(text))
    text = write_report(run).read_text(encoding="utf-8")
    assert name not in text
    assert html.escape(name).replace("&#x27;", "&#39;") in text


def test_a_failed_run_has_a_report_too(image_run, copied_run):
    run = copied_run(image_run)
    remove(run, "confusions.json", "metrics.json", "predictions.npz", "worst.json")
    assert "What to change next" in write_report(run).read_text(encoding="utf-8")


WIDTHS = "const r = d.documentElement; document.title = r.scrollWidth + ' ' + r.clientWidth;"


def in_browser(page, width, tmp_path, script=WIDTHS):
    """Opens a page in a frame of a width; returns its log and the title that a script sets."""
    content = page.read_text(encoding="utf-8")
    outer = tmp_path / "outer.html"
    outer.write_text(
        f"<iframe id=f width={width} height=900 srcdoc='{html.escape(content)}'></iframe>"
        f"<script>f.onload = () => {{ const d = f.contentDocument; {script} }}</script>",
        encoding="utf-8",
    )
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr",
         "--virtual-time-budget=4000", "--dump-dom", outer.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    log = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return log, re.search(r"<title>(.*?)</title>", done.stdout.replace("\n", " ")).group(1)


needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")


@needs_browser
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [390, 1200])
def test_a_browser_shows_it_without_errors_or_horizontal_scroll(pages, kind, width, tmp_path):
    log, title = in_browser(pages[kind], width, tmp_path)
    assert log == []
    content, frame = map(int, title.split())
    assert content <= frame


@needs_browser
def test_a_click_on_a_cell_shows_its_examples_and_no_others(pages, tmp_path):
    script = """
      const open = () => [...d.querySelectorAll(".cell")].filter(
        cell => cell.offsetHeight).map(cell => cell.id);
      const links = [...d.querySelectorAll('td [data-cell]')];
      const before = open();
      const other = links.find(link => !before.includes(link.dataset.cell));
      other.click();
      document.title = [before.length, other.dataset.cell, ...open()].join(' ');"""
    log, title = in_browser(pages["image"], 1200, tmp_path, script)
    assert log == []
    number, clicked, *shown = title.split()
    assert number == "1"  # the most frequent confusion is open at first
    assert shown == [clicked]


@needs_browser
def test_a_click_on_a_heading_sorts_the_trials(pages, tmp_path):
    script = """
      const column = () => [...d.querySelectorAll('.sortable tbody tr')].map(
        row => row.cells[0].textContent);
      const heading = d.querySelector('.sortable th');
      heading.click();
      const rising = column().join(',');
      heading.click();
      document.title = rising + ' ' + column().join(',');"""
    log, title = in_browser(pages["search"], 1200, tmp_path, script)
    assert log == []
    assert title == "0,1,2,3,4 4,3,2,1,0"


def test_the_monitored_metric_has_a_curve(image_run, tmp_path):
    run = kerasft.load_run(shutil.copytree(image_run.path, tmp_path / "run"))
    drawn = {}
    for monitor in (None, "val_recall"):
        write_record(run, "config.json", {**run.config, "monitor": monitor})
        drawn[monitor] = write_report(run).read_text(encoding="utf-8").count("<figcaption>")
    assert drawn["val_recall"] == drawn[None] + 1
