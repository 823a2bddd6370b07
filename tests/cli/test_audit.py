"""plstar audit: rows a claim, exit statuses, and what is refused."""

import csv
import json
import os
import signal
import subprocess
import time
import unittest

from support import Case, PROGRAM, main, on_device, run

QUICK = ["--set", "audit.steps=10", "--set", "audit.runs=5", "--set", "audit.directions=2", "--set",
         "audit.equations=8", "--set", "audit.widths=[16,32]", "--set", "audit.seeds=2", "--set",
         "output.report=false"]
NETWORK = ["--set", "model.layers=[{width: 24, activation: tanh}, {width: outputs}]", "--set",
           "data.classes=[0,1]", "--set", "data.samples=8"]


class Audit(Case):
    def claims(self, folder):
        return json.loads(self.read(folder, "claims.json"))

    def test_all_claims_of_a_network(self):
        found = self.good("audit", *QUICK, *NETWORK, "--out", "a")
        claims = self.claims("a")
        self.assertEqual({claim["number"].rstrip("'") for claim in claims},
                         {str(number) for number in range(1, 19)})
        for claim in claims:
            word, _, why = claim["verdict"].partition(": ")
            self.assertIn(word, ("holds", "violated", "not applicable"))
            self.assertEqual(why, claim["detail"] if word == "not applicable" else "")
            if claim["kind"] == "law":
                self.assertEqual(claim["verdict"], "holds", claim)
                self.assertGreater(claim["instances"], 0)
            self.assertIn(claim["title"], found.stdout)
        with open(self.path("a", "claims.csv"), newline="") as stream:
            rows = list(csv.DictReader(stream))
        self.assertEqual([row["number"] for row in rows], [claim["number"] for claim in claims])
        for row, claim in zip(rows, claims):
            self.assertEqual(row["verdict"], claim["verdict"])
            if claim["measured"] is not None:
                self.assertEqual(float(row["measured"]), claim["measured"])
                self.assertEqual(float(row["margin"]), claim["margin"])
        summary = self.summary("a")
        self.assertEqual(summary["laws_violated"], 0)
        self.assertEqual(summary["claims_checked"], len(claims))
        config = self.read("a", "config.yaml").decode()
        self.assertIn("of: network", config)
        self.assertIn("audit:", config)
        self.good("audit", "a/config.yaml", "--claims", "7,8'", "--out", "b")
        again = {claim["number"]: claim for claim in self.claims("b")}
        self.assertEqual(set(again), {"7", "8'"})
        first = {claim["number"]: claim for claim in claims}
        self.assertEqual(again["7"]["measured"], first["7"]["measured"])

    @unittest.skipUnless("PLSTAR_WRONG_PRODUCTS" in os.environ,
                         "the library with wrong products was not built")
    def test_a_violated_law_is_the_exit_status(self):
        environment = {**os.environ, "LD_PRELOAD": os.environ["PLSTAR_WRONG_PRODUCTS"]}
        found = run("audit", *QUICK, *NETWORK, "--claims", "7", "--out", "a", cwd=self.folder,
                    env=environment)
        self.assertEqual(found.returncode, 1, (found.stdout, found.stderr))
        (claim,) = self.claims("a")
        self.assertEqual(claim["verdict"], "violated")
        self.assertLess(claim["margin"], -claim["error"])
        self.assertEqual(self.summary("a")["laws_violated"], 1)
        self.assertIn("premise", found.stderr)
        self.good("audit", *QUICK, *NETWORK, "--claims", "7", "--out", "b")

    def test_a_number_takes_its_parts_along(self):
        self.good("audit", *QUICK, *NETWORK, "--claims", "5", "--out", "a")
        self.assertEqual([claim["number"] for claim in self.claims("a")], ["5", "5'"])

    def test_which_samples(self):
        found = self.good("audit", *QUICK, *NETWORK, "--claims", "7", "--set", "audit.equations=5",
                          "--out", "a")
        self.assertIn("the first 2 of these samples, 4 equations", found.stdout)
        summary = self.summary("a")
        self.assertEqual((summary["audited_samples"], summary["audited_equations"]), (2, 4))
        result = self.refused(2, "audit", *QUICK, *NETWORK, "--out", "a",
                              words=["already holds a run"])
        self.assertNotIn("--resume", result.stderr)
        self.refused(2, "audit", "--set", "audit.widths=[64]", "--out", "b",
                     words=["audit.widths", "at least two"])
        self.assertFalse(os.path.exists(self.path("b")))

    def test_systems(self):
        for kind in ("linear", "quadratic", "circle", "phase_retrieval", "factorization"):
            self.good("audit", *QUICK, "--type", kind, "--out", kind)
            verdicts = {claim["number"]: claim["verdict"] for claim in self.claims(kind)}
            self.assertEqual(verdicts["7"], "holds", kind)
            self.assertRegex(verdicts["1"], "^not applicable: .")
            self.assertNotIn("violated", [verdicts[law] for law in ("3", "8", "9", "10", "15")])
        claims = {claim["number"]: claim for claim in self.claims("quadratic")}
        self.assertEqual(claims["8"]["verdict"], "holds")
        for constant in claims["8"]["constants"]:
            self.assertIn(constant["evidence"], ("exact", "bounded"))

    def test_the_report(self):
        self.good("audit", *QUICK, *NETWORK, "--claims", "5,7,12", "--set", "output.report=true",
                  "--out", "a")
        page = self.read("a", "report.html").decode()
        self.assertIn("No law is violated", page)
        self.assertIn("Audited on the first 4 samples, 8 equations, in float64.", page)
        within = [claim for claim in self.claims("a")
                  if claim["verdict"] == "holds" and claim["margin"] < claim["error"]]
        self.assertIn("5'", [claim["number"] for claim in within])
        self.assertEqual(page.count("<small>within its error</small>"), len(within))
        for claim in self.claims("a"):
            self.assertIn(f'<th scope="row">{claim["number"]}</th>'.replace("'", "&#39;"), page)
        self.assertNotRegex(page, r'(src|href)="(?!data:|#)')
        self.good("audit", *QUICK, "--type", "circle", "--claims", "1,7", "--set",
                  "output.report=true", "--out", "b")
        page = self.read("b", "report.html").decode()
        self.assertIn('data-label="Verdict">not applicable</td>', page)
        self.assertIn("Of 2 claims of the theory 1 holds, 1 does not apply", page)
        claims = self.claims("a")
        claims[1]["verdict"] = "violated"
        with open(self.path("a", "claims.json"), "w") as stream:
            json.dump(claims, stream)
        self.good("report", "a")
        self.assertIn("A law is violated", self.read("a", "report.html").decode())
        with open(self.path("a", "claims.json"), "w") as stream:
            stream.write("{}")
        self.refused(3, "report", "a", words=["claims.json", "no list of claims"])

    def test_json(self):
        result = self.good("audit", *QUICK, *NETWORK, "--claims", "7", "--out", "a", "--json")
        found = json.loads(result.stdout)
        self.assertEqual((found["laws_violated"], found["claims_hold"]), (0, 1))

    def test_bad_input(self):
        for arguments, part in (
                (["--claims", "19"], "19 is not a claim"),
                (["--claims", "7,x"], "x is not a claim"),
                (["--claims", ","], "names no claim"),
                (["--set", "audit.delta=0"], "audit.delta"),
                (["--type", "linear", "--set", "model.width=8"], "are both given")):
            result = self.refused(2, "audit", *QUICK, *arguments, "--out", "none")
            self.assertIn(part, result.stderr)
            self.assertFalse(os.path.exists(self.path("none")))

    def test_interrupted(self):
        child = subprocess.Popen(
            [PROGRAM, *on_device(["audit", "--claims", "3,7,10", "--out", "a"])], cwd=self.folder,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while not os.path.exists(self.path("a", "config.yaml")):
            time.sleep(0.02)
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=60)
        self.assertEqual(child.returncode, 130)
        self.assertIn("ended early", json.dumps(self.summary("a")["notes"]))


main()
