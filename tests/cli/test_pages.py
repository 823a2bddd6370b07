"""Reports in a browser: they open without a complaint, ask nobody for anything, fit a phone, and can
be read in light and in dark. Skips where there is no Chromium."""

import unittest

from browser import CHROMIUM, Browser
from support import Case, main

WIDTHS = {"phone": 390, "desktop": 1280}
LEAST_CONTRAST = 4.5  # of WCAG 2, level AA, for text

# Texts whose colour lies too close to what is behind them: [text, contrast].
CONTRASTS = """(least => {
const channel = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const parse = text => (text.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
const behind = element => {
  for (; element; element = element.parentElement) {
    const c = parse(getComputedStyle(element).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c;
  }
  return [255, 255, 255];
};
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement, style = getComputedStyle(element);
  const box = element.getBoundingClientRect();
  if (!walker.currentNode.data.trim() || !box.width || ["STYLE", "SCRIPT"].includes(element.tagName))
    continue;
  const drawn = element.closest("svg") && !element.closest("foreignObject");
  const a = light(parse(drawn ? style.fill : style.color)), b = light(behind(element));
  const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (contrast < least) found.push([walker.currentNode.data.trim(), contrast]);
}
return found;
})"""

# Figures without a size, or without text along both axes.
FIGURES = """
[...document.querySelectorAll("figure svg")].map(svg => {
  const box = svg.getBoundingClientRect();
  return [box.width, box.height, svg.querySelectorAll("text").length];
});
"""

FIRST_HEADING = "(document.querySelector('section h2') || {}).textContent || ''"
OVERFLOW = "document.documentElement.scrollWidth - window.innerWidth"


@unittest.skipUnless(CHROMIUM, "there is no Chromium")
class Pages(Case):
    def setUp(self):
        super().setUp()
        self.browser = Browser(self.path("profile"))
        self.addCleanup(self.browser.close)

    def faults(self, path):
        """What is wrong with a page, as sentences."""
        found = []
        self.browser.complaints.clear()
        self.browser.requests.clear()
        for name, width in WIDTHS.items():
            for scheme in ("light", "dark"):
                self.browser.open(path, width, scheme)
                over = self.browser.evaluate(OVERFLOW)
                if over > 0:
                    found.append(f"overflows a {name} by {over} pixels")
                contrasts = self.browser.evaluate(f"{CONTRASTS}({LEAST_CONTRAST})")
                for text, contrast in contrasts:
                    found.append(f"contrast {contrast:.2f} of {text!r} in {scheme}")
                for box in self.browser.evaluate(FIGURES):
                    if box[0] < 200 or box[1] < 100 or box[2] < 4:
                        found.append(f"a figure on a {name} is {box}")
        found += [f"said {words}" for words in self.browser.complaints]
        found += [f"asked for {address}" for address in self.browser.requests
                  if address != "file://" + path and not address.startswith("data:")]
        return found

    def expect_good(self, folder, first):
        path = self.path(folder, "report.html")
        self.assertEqual(self.faults(path), [])
        self.assertGreater(len(self.browser.evaluate(FIGURES)), 0)
        self.assertEqual(self.browser.evaluate(FIRST_HEADING), first)

    def test_a_run(self):
        self.good("train", "--set", "model.width=24", "--set", "data.samples=12", "--steps", "30",
                  "--out", "a")
        self.expect_good("a", "Key numbers")

    def test_an_audit(self):
        self.good("audit", "--claims", "2,3,5,7,10,12,14", "--set", "data.samples=12", "--set",
                  "audit.equations=20", "--set", "audit.widths=[8,16]", "--set", "audit.seeds=2",
                  "--set", "model.layers=[{width: 16, activation: tanh}, {width: outputs}]",
                  "--out", "a")
        path = self.path("a", "report.html")
        self.assertEqual(self.faults(path), [])
        self.assertEqual(self.browser.evaluate(FIRST_HEADING), "Verdicts")

    def test_a_study(self):
        self.good("study", "nonlinear-output", "--widths", "[8,16,32]", "--seeds", "2", "--set",
                  "study.steps=20", "--set", "data.samples=6", "--out", "a")
        self.expect_good("a", "Verdicts")

    def test_faults_are_found(self):
        """The same on pages that have them: a check that cannot fail checks nothing."""
        page = ("<!doctype html><meta charset=utf-8><meta name=viewport "
                "content='width=device-width'><style>:root{color-scheme:light}</style>%s")
        planted = {
            "<p>Good.</p>": None,
            "<p><img src='http://127.0.0.1:9/x.png'></p>": "asked for http://127.0.0.1:9/",
            "<script>console.error('ill')</script>": "said ",
            "<div style='width:2000px'>wide</div>": "overflows a desktop",
            "<p style='color:#999;background:#fff'>pale</p>": "contrast",
            "<svg width=9 height=9><text fill='#fefefe' x=0 y=9>a</text></svg>": "contrast",
            "<figure><svg width=9 height=9></svg></figure>": "a figure",
        }
        for body, words in planted.items():
            path = self.write("report.html", page % body)
            found = self.faults(path)
            if words is None:
                self.assertEqual(found, [])
            else:
                self.assertTrue(any(words in fault for fault in found), (body, found))


if __name__ == "__main__":
    main()
