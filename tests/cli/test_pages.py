"""Reports in a browser: they open, ask for nothing, complain of nothing, begin with the verdict,
fit on phones, can be read in light and dark, and their figures have axes with titles."""

import base64
import os
import pathlib
import unittest

import browser
from support import Case, HERE, main

LOOKS = [(width, scheme) for width in (390, 1280) for scheme in ("light", "dark")]
HEIGHTS = {390: 844, 1280: 800}
BROWSER = browser.find()
FAULTS = pathlib.Path(HERE, "page_faults.js").read_text(encoding="utf-8")
PICTURES = os.environ.get("PLSTAR_TEST_PICTURES")


def heard(tab, address):
    """Faults by what the browser tells while it opens a page."""
    for name, event in tab.events:
        if name in ("Network.requestWillBeSent", "Network.webSocketCreated"):
            asked = event["url"] if "url" in event else event["request"]["url"]
            if asked != address and not asked.startswith("data:"):
                yield f"the page asks for {asked}"
        elif name == "Log.entryAdded" and event["entry"]["level"] in ("warning", "error"):
            yield f"the browser says: {event['entry']['text']}"
        elif name == "Runtime.consoleAPICalled" and event["type"] in ("warning", "error", "assert"):
            yield f"the console says: {event['args'][0].get('value')}"
        elif name == "Runtime.exceptionThrown":
            yield f"the page throws: {event['exceptionDetails']['text']}"


@unittest.skipIf(BROWSER is None, "there is no Chromium")
class InBrowser(Case):
    @classmethod
    def setUpClass(cls):
        cls.browser = browser.Browser(BROWSER)
        cls.addClassCleanup(cls.browser.close)

    def faults(self, name, first, width, scheme):
        """What is wrong with a page that begins with a certain block; also keeps its picture."""
        address = pathlib.Path(self.path(name)).as_uri()
        with browser.Tab(self.browser, width, HEIGHTS[width], scheme) as tab:
            reason = tab.open(address)
            if reason:
                return [f"the page does not open: {reason}"]
            seen = tab.value(f"({FAULTS})({width}, '{first}')")
            if PICTURES:
                self.keep(tab, name, f"{width}-{scheme}")
            return [*heard(tab, address), *seen]

    def keep(self, tab, name, look):
        picture = tab.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        path = pathlib.Path(PICTURES, f"{os.path.dirname(name) or name}-{look}.png")
        path.write_bytes(base64.b64decode(picture))


# A page without faults, and what planted faults make of it: the text that is replaced, by what, the
# look in which it shows, and words that the fault is named by.
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>A page</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root{color-scheme:light dark;--paper:#fff;--ink:#222}
@media(prefers-color-scheme:dark){:root{--paper:#111;--ink:#ddd}}
body{background:var(--paper);color:var(--ink)}
svg{width:300px;height:200px;color:var(--ink)}
</style></head><body><main>
<header><p class="verdict">All is well.</p></header>
<section><h2>Verdicts</h2><table><tr><th>1</th><td data-label="Verdict">holds</td></tr></table>
</section>
<section><h2>Figures</h2>
<figure><svg viewBox="0 0 300 200" aria-label="Loss"><g fill="currentColor">
<path d="M50,20 L250,150" stroke="currentColor" fill="none"/>
<text x="50" y="170">0</text><text x="120" y="195">step</text>
<g transform="translate(20,100) rotate(270)"><text>loss</text></g></g></svg>
<figcaption>Figure 1.</figcaption>
<details><summary>Numbers</summary><table><tr><td>0.5</td></tr></table></details></figure>
</section></main></body></html>
"""
PHONE, DARK, DESK = (390, "light"), (390, "dark"), (1280, "light")
FAULTY = (
    ("</main>", "<img src='http://example.invalid/a.png'></main>", PHONE,
     "the page asks for http://example.invalid/a.png"),
    ("<style>", "<style>@import 'http://example.invalid/a.css';", PHONE,
     "the page asks for http://example.invalid/a.css"),
    ("</main>", "<script src='beside.js'></script></main>", PHONE, "beside.js"),
    ("<style>", "<link rel='preconnect' href='http://example.invalid/'><style>", PHONE,
     "the page prepares to reach http://example.invalid/"),
    ("</main>", "<script>console.error('alas')</script></main>", PHONE, "the console says: alas"),
    ("</main>", "<script>console.warn('alas')</script></main>", DESK, "the console says: alas"),
    ("</main>", "<script>alas()</script></main>", PHONE, "the page throws"),
    ("M50,20 L250,150", "M50,20 L250,150 oops", PHONE, "the browser says: Error: <path>"),
    ("<!DOCTYPE html>", "", PHONE, "no doctype"),
    ("<title>A page</title>", "", PHONE, "no title"),
    ("</main>", "<img src='data:image/png;base64,AAAA'></main>", PHONE, "an image is not shown"),
    ("All is well.", "", PHONE, "no verdict stands at the top"),
    ("</header>", "</header><section><h2>Notes</h2></section>", PHONE, "first block is Notes"),
    ("<td data-label", "<th data-label", PHONE, "the first block has no table"),
    ("svg{width:300px", "svg{width:0", PHONE, "Loss: the figure is 0 x 200"),
    (">step<", ">10<", PHONE, "Loss: the horizontal axis has no title"),
    ("rotate(270)", "", PHONE, "Loss: the vertical axis has no title"),
    ("M50,20 L250,150", "M50,20", PHONE, "Loss: nothing is drawn"),
    ('stroke="currentColor"', 'stroke="#000"', DARK, "is rgb(0, 0, 0) in light and dark"),
    ('stroke="currentColor"', 'stroke="#bbb"', PHONE, "Loss: contrast 1.9"),
    ('<text x="120"', '<text x="290"', PHONE, "Loss: the label step is cut off"),
    ('<text x="50" y="170"', '<text x="120" y="190"', PHONE, "Loss: the label step lies on 0"),
    ("<td data-label", "<td style='white-space:nowrap'>" + "wide " * 20 + "</td><td data-label",
     PHONE, "with details closed the page is"),
    ("0.5</td>", "0.5</td>" + "<td>0.123456</td>" * 9, PHONE, "with details open the page is"),
    ("<table><tr><th>", "<table style='width:1300px'><tr><th>", DESK, "closed the page is 13"),
    ('<meta name="viewport"', '<meta name="other"', PHONE, "closed the page is 980 wide, over 390"),
    ("--ink:#222", "--ink:#999", PHONE, "contrast 2.85 of p All is well."),
    ("--ink:#ddd", "--ink:#555", DARK, "of td holds"),
    ("<td data-label", "<td style='color:#5558' data-label", PHONE, "of td holds"),
    ("<td data-label", "<td style='background:#333' data-label", DESK, "of td holds"),
    ("<figcaption>", "<figcaption style='opacity:.5'>", PHONE, "of figcaption Figure 1."),
    ('<g fill="currentColor">', '<g fill="#767676">', DARK, "of text step"),
    ("</style>", "td::before{content:'so ';color:#888}</style>", PHONE, 'of td "so "'),
    ("</style>", "h2{width:3em;overflow:hidden}</style>", PHONE, "Verdicts is cut off"),
)


class Faults(InBrowser):
    """What these tests look for they find where it was planted."""

    def test_a_good_page(self):
        self.write("page.html", PAGE)
        for look in LOOKS:
            self.assertEqual(self.faults("page.html", "Verdicts", *look), [])

    def test_planted_faults(self):
        for old, new, look, words in FAULTY:
            with self.subTest(new=new, look=look):
                self.assertIn(old, PAGE)
                self.write("page.html", PAGE.replace(old, new, 1))
                found = self.faults("page.html", "Verdicts", *look)
                self.assertTrue(any(words in fault for fault in found), found)

    def test_no_page(self):
        found = self.faults("none.html", "Verdicts", *PHONE)
        self.assertEqual(found, ["the page does not open: net::ERR_FILE_NOT_FOUND"])


class Reports(InBrowser):
    def check(self, folder, first):
        for width, scheme in LOOKS:
            with self.subTest(folder=folder, width=width, scheme=scheme):
                self.assertEqual(self.faults(f"{folder}/report.html", first, width, scheme), [])

    def test_training(self):
        self.good("train", "--set", "model.width=24", "--set", "data.samples=12", "--steps", "30",
                  "--set", "train.linearized=true", "--set", "monitor.spectrum=full",
                  "--out", "train")
        self.good("report", "train")
        self.check("train", "Key numbers")

    def test_equations(self):
        self.good("solve", "--type", "circle", "--steps", "20", "--out", "solve")
        self.check("solve", "Key numbers")

    def test_kernel(self):
        self.good("kernel", "--set", "model.width=24", "--set", "data.samples=12", "--set",
                  "monitor.spectrum=full", "--set", "output.infinite=true", "--out", "kernel")
        self.check("kernel", "Key numbers")

    def test_audit(self):
        self.good("audit", "--set", "audit.steps=10", "--set", "audit.runs=5", "--set",
                  "audit.directions=2", "--set", "audit.equations=8", "--set",
                  "audit.widths=[16,32]", "--set", "audit.seeds=2", "--set", "data.samples=8",
                  "--set", "data.classes=[0,1]", "--set", "model.width=24", "--out", "audit")
        self.check("audit", "Verdicts")

    def test_study(self):
        self.good("study", "--set", "data.samples=6", "--widths", "[8,12,16]", "--seeds", "2",
                  "--set", "study.steps=10", "--set", "study.outputs=[identity,tanh]", "--set",
                  "study.quantities=[gradient_norm,hessian_norm,kernel_change,mu_change]",
                  "--out", "study")
        self.check("study", "Verdicts")


main()
