"""Reports: what stands in them, and how a browser shows them."""

import html.parser
import re
import shutil
import subprocess

import pytest

import kerasft
from kerasft.insight import write_report
from kerasft.insight.page import escape, table
from kerasft.recipes import resnet_digits
from kerasft.tuning import load_search, write_search_report
from tests.training.small import fit, image_config

KINDS = ("image", "text", "regression", "search")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def pages(shared_folder, preset, photos, prices, image_run, text_run):
    def make(folder):
        config = image_config(
            preset, prices, task="regression", head_epochs=0, epochs=2, trainable_blocks=0
        )
        runs = {"image": image_run, "text": text_run}
        runs["regression"] = fit(resnet_digits, config, folder)
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
    assert "script" not in reader.tags
    assert reader.fetched == []
    assert "http" not in re.sub(r"data:[^'\"]*", "", text)
    assert "svg" in reader.tags
    identifiers = re.findall(r'\bid="([^"]+)"', text)
    assert len(identifiers) == len(set(identifiers))


def test_a_page_tells_what_a_person_asks_for(pages):
    text = pages["image"].read_text(encoding="utf-8")
    for words in (
        "What to change next", "confusion matrix", "calibration", "Curves", "Settings",
        "learning rate", "in training", "trained", "data:image/png",
    ):  # fmt: skip
        assert words in text, words
    assert "residuals" in pages["regression"].read_text(encoding="utf-8")
    shown = pages["text"].read_text(encoding="utf-8")
    assert any(word in shown for word in ("film", "movie"))
    for words in ("Best trial vs defaults", "kerasft fit resnet_digits", "best third"):
        assert words in pages["search"].read_text(encoding="utf-8"), words


def test_what_users_wrote_is_shown_as_it_is():
    assert escape("<b>&'") == "&lt;b&gt;&amp;&#x27;"
    assert "<script>" not in table(["a"], [["<script>"]])


def test_a_failed_run_has_a_report_too(image_run, copied_run):
    run = copied_run(image_run)
    for name in ("metrics.json", "predictions.npz", "worst.json"):
        (run.path / name).unlink()
    assert "What to change next" in write_report(run).read_text(encoding="utf-8")


def in_browser(page, width, tmp_path, options=()):
    """Opens a page in a frame of a width; returns its log and what the frame measured."""
    content = page.read_text(encoding="utf-8")
    outer = tmp_path / "outer.html"
    outer.write_text(
        f"<iframe id=f width={width} height=900 srcdoc='{escape(content)}'></iframe>"
        "<script>f.onload = () => { const r = f.contentDocument.documentElement;"
        "document.title = r.scrollWidth + ' ' + r.clientWidth; }</script>",
        encoding="utf-8",
    )
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr",
         "--virtual-time-budget=4000", *options, "--dump-dom", outer.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    log = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    measured = re.search(r"<title>(\d+) (\d+)</title>", done.stdout)
    return log, tuple(map(int, measured.groups()))


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [390, 1200])
def test_a_browser_shows_it_without_errors_or_horizontal_scroll(pages, kind, width, tmp_path):
    log, (content, frame) = in_browser(pages[kind], width, tmp_path)
    assert log == []
    assert content <= frame
