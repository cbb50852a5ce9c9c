"""The page of the server in a headless browser, by keyboard and as a screen reader sees it."""

import os

import pytest

from tests.serving.browser import CHROMIUM, Browser
from tests.serving.server_process import serving
from tests.serving.small_models import save

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None and "CI" not in os.environ, reason="no Chromium on this machine"
    ),
]
TAB, ENTER = ("Tab", 9), ("Enter", 13, "\r")
ANSWERED = "document.querySelector('.prediction') !== null"


@pytest.fixture(scope="module")
def server(exported, tmp_path_factory):
    words = [exported / "photos", exported / "reviews"]
    with serving(words, tmp_path_factory.mktemp("page")) as server:
        yield server


@pytest.fixture
def browser(server, tmp_path):
    with Browser(tmp_path) as browser:
        browser.open(server.url)
        browser.wait_for("document.querySelectorAll('#model option').length === 2")
        yield browser
        assert browser.log == []


def test_a_picture_is_answered(browser, photos):
    browser.wait_for("!document.getElementById('picture').hidden")
    browser.choose_file("#file", f"{photos}/red/1.png")
    browser.wait_for(ANSWERED)
    text = browser.text()
    for word in ("Probability", "Latency", " ms", "blue", "green", "red", "1.png: choose"):
        assert word in text
    assert "base64 < '1.png'" in text


def test_a_text_is_answered_by_keyboard_alone(browser, server):
    browser.wait_for("!document.getElementById('picture').hidden")
    browser.press(*TAB)
    assert browser.value("document.activeElement.id") == "model"
    browser.press("ArrowDown", 40)
    browser.wait_for("document.getElementById('in-text') !== null")
    browser.press(*TAB)
    assert browser.value("document.activeElement.id") == "in-text"
    browser.write("it's a <b>good</b> film")
    browser.press(*TAB)
    assert browser.value("document.activeElement.id") == "predict"
    browser.press(*ENTER)
    browser.wait_for(ANSWERED)
    assert "bad" in browser.text()
    curl = browser.value("document.getElementById('curl').textContent")
    assert "it'\\''s a <b>good</b> film" in curl
    assert f"{server.url}/v1/models/reviews:predict" in curl


def test_a_screen_reader_finds_names_and_hears_the_answer(browser, photos):
    browser.wait_for("!document.getElementById('picture').hidden")
    browser.choose_file("#file", f"{photos}/red/1.png")
    browser.wait_for(ANSWERED)
    found = browser.accessible()
    for node in (
        ("heading", "Try a model"),
        ("combobox", "Model"),
        ("button", "Predict"),
        ("button", "Copy curl line"),
        ("rowheader", "red"),
    ):
        assert node in found
    assert "status" in [role for role, _ in found]
    assert ("image", "Preview of 1.png") in found
    unnamed = [role for role, name in found if role in ("button", "combobox") and not name]
    assert unnamed == []


def test_an_error_is_shown_in_words(browser, tmp_path):
    (tmp_path / "no.png").write_bytes(b"no image")
    browser.wait_for("!document.getElementById('picture').hidden")
    browser.choose_file("#file", tmp_path / "no.png")
    browser.wait_for("document.querySelector('#answer .bad') !== null")
    assert "Nothing predicted" not in browser.text()
    browser.log.clear()  # the browser itself logs the answer 400 and the broken preview


@pytest.mark.parametrize("width", [390, 1200])
def test_nothing_is_wider_than_the_window(server, photos, tmp_path, width):
    with Browser(tmp_path, width) as browser:
        browser.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1,
            mobile=False,
        )  # fmt: skip
        browser.open(server.url)
        browser.wait_for("document.getElementById('picture')?.hidden === false")
        browser.choose_file("#file", f"{photos}/red/1.png")
        browser.wait_for(ANSWERED)
        browser.screenshot(tmp_path / "page.png")
        assert browser.value("document.documentElement.scrollWidth") <= width


def test_all_parts_of_an_answer_are_shown(shared_folder, tmp_path):
    small = shared_folder("small-models", save)
    names = ["calibrated", "interval", "marking", "numbers"]
    words = [small / name for name in names]
    with serving(words, tmp_path) as server, Browser(tmp_path) as browser:
        browser.open(server.url)
        for name, parts in {
            "calibrated": [
                "parcel", "70.0%", "invoice, parcel", "no: unlike the training data (score 0.25)",
                "no: the probability is below the threshold", "Probabilities",
            ],
            "interval": ["1,234.5", "1,100 to 1,400"],
            "marking": ["The item is no number."],
        }.items():  # fmt: skip
            browser.wait_for(f"document.querySelector('#model option[value={name}]') !== null")
            browser.value(f"model.value = '{name}'; model.onchange().then(() => predict())")
            browser.wait_for(f"document.body.innerText.includes({parts[0]!r})")
            browser.screenshot(tmp_path / f"{name}.png")
            text = browser.text()
            assert [part for part in parts if part not in text] == []
        browser.value("model.value = 'numbers'; model.onchange()")
        browser.wait_for("document.body.innerText.includes('This model takes numbers.')")
        assert browser.log == []


def test_the_page_asks_for_the_token(exported, tmp_path):
    token = "0123456789abcdef"
    with (
        serving([exported / "reviews"], tmp_path, KERASFT_TOKEN=token) as server,
        Browser(tmp_path) as browser,
    ):
        browser.open(server.url)
        browser.wait_for("document.getElementById('access')?.hidden === false")
        browser.value("document.getElementById('token').focus()")
        browser.write(token)
        browser.value("document.getElementById('enter').click()")
        browser.wait_for("document.getElementById('in-text') !== null")
        assert browser.value("document.getElementById('access').hidden")
        code = browser.value("document.getElementById('curl').textContent")
        assert "$KERASFT_TOKEN" in code
        assert token not in code
