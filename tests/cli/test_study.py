"""plstar study: results that last, tables that do not depend on interruptions, and what is
refused."""

import csv
import json
import os
import random
import signal
import subprocess
import time

from support import Case, PROGRAM, main, on_device, run

SMALL = ["--set", "data.samples=6", "--widths", "[8,12,16]", "--seeds", "2", "--set",
         "study.steps=10", "--set", "output.report=false"]
QUANTITIES = "[gradient_norm, hessian_norm, nonlinearity, lambda_min, kernel_change, mu_change]"


class Study(Case):
    def small(self, folder, *arguments):
        return self.good("study", *SMALL, "--set", f"study.quantities={QUANTITIES}", *arguments,
                         "--out", folder)

    def rows(self, folder, name):
        with open(self.path(folder, name), newline="") as stream:
            return list(csv.DictReader(stream))

    def times(self, folder):
        jobs = self.path(folder, "jobs")
        return {name: os.stat(os.path.join(jobs, name)).st_mtime_ns for name in os.listdir(jobs)
                if name != "study.json"}

    def test_tables(self):
        found = self.small("a")
        rows = self.rows("a", "study.csv")
        self.assertEqual(len(rows), 3 * 2 * 6)
        self.assertEqual([row["width"] for row in rows[::6]], ["8", "8", "12", "12", "16", "16"])
        self.assertEqual({row["quantity"] for row in rows},
                         set(QUANTITIES.strip("[]").split(", ")))
        for row in rows:
            self.assertTrue(row["reason"] or float(row["value"]) >= 0, row)
        fits = {row["quantity"]: row for row in self.rows("a", "fits.csv")}
        self.assertIn("hessian_norm_log", fits)
        self.assertEqual(fits["gradient_norm"]["against"], "width")
        self.assertEqual(fits["gradient_norm"]["points"], "6")
        low, slope, high = (float(fits["hessian_norm"][key]) for key in ("low", "slope", "high"))
        self.assertLessEqual(low, slope)
        self.assertLessEqual(slope, high)
        self.assertIn("gradient_norm", found.stdout)
        summary = self.summary("a")
        self.assertEqual((summary["command"], summary["cells"], summary["cells_done"]),
                         ("study", 6, 6))
        config = self.read("a", "config.yaml").decode()
        self.assertIn("study:", config)
        self.assertNotIn("monitor:", config)

    def test_the_report(self):
        self.small("a", "--set", "output.report=true")
        page = self.read("a", "report.html").decode()
        for name in QUANTITIES.strip("[]").split(", "):
            self.assertIn(f'id="figure-{name}"', page)
            self.assertTrue(os.path.exists(self.path("a", "figures", f"{name}.svg")), name)
        self.assertIn("Slopes", page)
        self.assertIn("slope −1/2", page)
        self.assertIn("Varied: width 8, 12, 16; 2 seeds.", page)
        self.assertNotIn("Networks with", page)
        for label in ("Slope", "Theory", "Against"):
            self.assertEqual(page.count(f'<td data-label="{label}">'), 8)
        self.assertEqual(page.count("≤&nbsp;−1/2</td>"), 4)
        for changed in ("model.parameterization=standard",
                        "model.layers=[{width: 8}, {width: outputs, activation: tanh}]"):
            self.small("b", "--set", "output.report=true", "--set", changed, "--overwrite")
            self.assertNotIn("−1/2</td>", self.read("b", "report.html").decode(), changed)
        self.assertNotRegex(page, r"<use [^>]*color='white'")
        self.assertNotRegex(page, r'(src|href)="(?!data:|#)')
        os.unlink(self.path("a", "report.html"))
        self.good("report", "a")
        self.assertEqual(self.read("a", "report.html").decode(), page)
        with open(self.path("a", "fits.csv"), "a") as stream:
            stream.write("one,cell\n")
        self.refused(3, "report", "a", words=["fits.csv", "cells"])

    def test_a_study_grows(self):
        self.small("a")
        before = self.times("a")
        self.good("study", "--resume", "a", "--widths", "[8,12,16,20]", "--seeds", "3")
        after = self.times("a")
        self.assertEqual(len(after), 12)
        for name, written in before.items():
            self.assertEqual(after[name], written, name)
        self.small("b", "--widths", "[8,12,16,20]", "--seeds", "3")
        for name in ("study.csv", "fits.csv"):
            self.assertEqual(self.read("a", name), self.read("b", name), name)
        self.small("a", "--widths", "[8,12]")
        self.assertEqual(len(self.rows("a", "study.csv")), 2 * 2 * 6)

    def test_jobs_side_by_side_change_nothing(self):
        self.small("a", "--set", "study.side_by_side=1")
        self.small("b", "--set", "study.side_by_side=3", "--set", "study.memory=1MB")
        for name in ("study.csv", "fits.csv"):
            self.assertEqual(self.read("a", name), self.read("b", name), name)

    def test_killed_twenty_times(self):
        """SIGKILL at random moments, then to the end: the same bytes."""
        arguments = ["study", *SMALL, "--widths", "[8,12,16,24,32,48,64]", "--seeds", "3", "--set",
                     f"study.quantities={QUANTITIES}"]
        self.good(*arguments, "--out", "whole")
        draw = random.Random(5)
        started = time.monotonic()
        self.good(*arguments, "--out", "whole", "--overwrite")
        length = time.monotonic() - started
        for _ in range(20):
            child = subprocess.Popen([PROGRAM, *on_device(arguments + ["--out", "killed", "-q"])],
                                     cwd=self.folder, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL)
            time.sleep(draw.uniform(0.0, 0.25 * length))
            child.send_signal(signal.SIGKILL)
            child.wait()
        self.good(*arguments, "--out", "killed")
        for name in ("study.csv", "fits.csv"):
            self.assertEqual(self.read("whole", name), self.read("killed", name), name)

    def test_a_damaged_result_is_measured_again(self):
        self.small("a")
        name = sorted(self.times("a"))[0]
        whole = self.read("a", "study.csv")
        with open(self.path("a", "jobs", name), "w") as stream:
            stream.write('{"study": ')
        found = self.small("a")
        self.assertIn("is damaged", found.stderr)
        self.assertEqual(self.read("a", "study.csv"), whole)

    def test_other_studies_do_not_mix(self):
        self.small("a")
        for key, value in (("study.radius", "2"), ("data.samples", "7"), ("model.sigma_w", "1.5")):
            result = self.refused(2, "study", "--resume", "a", "--set", f"{key}={value}")
            self.assertIn("was measured with another choice of", result.stderr)
            self.assertIn("--out", result.stderr)
        self.good("study", "--resume", "a")
        self.good("solve", "--steps", "1", "--set", "output.report=false", "--out", "run")
        self.refused(2, "study", *SMALL, "--out", "run")
        self.refused(3, "study", "--resume", "nowhere", words=["holds no study"])
        self.refused(3, "study", "--resume", "run", words=["holds no study"])
        self.write("file", "")
        self.refused(3, "study", *SMALL, "--out", "file", words=["file: is not a folder"])
        self.small("a", "--set", "study.radius=2", "--overwrite")

    def test_a_study_keeps_its_name_and_size(self):
        self.good("study", "threshold", "--widths", "[2,4]", "--seeds", "2", "--set",
                  "study.steps=10", "--out", "a")
        before = self.read("a", "config.yaml")
        self.refused(2, "study", "almost", "--resume", "a", words=["study threshold", "--out"])
        self.refused(2, "study", "--size", "full", "--resume", "a", words=["another size"])
        self.assertEqual(self.read("a", "config.yaml"), before)
        found = self.good("study", "threshold", "--widths", "[2,4,8]", "--resume", "a")
        self.assertIn("width 2, 4, 8; 2 seeds", found.stdout)
        self.assertIn("2 measured, 4 were measured before", found.stdout)
        self.assertLessEqual(found.stderr.count("the CPU is used"), 1)
        found = self.good("study", "threshold", "--widths", "[4,16]", "--seeds", "2", "--set",
                          "study.steps=10", "--set", "precision=f32", "--out", "b")
        self.assertIn("studies measure in f64", found.stderr)
        script = self.read("b", "figures", "pl_ratio_end.gp").decode()
        self.assertRegex(script, r"set arrow from 8, graph 0")  # P = 5 m = N = 40
        self.assertNotIn("set arrow", self.read("b", "figures", "filling.gp").decode())

    def test_a_network_without_a_width(self):
        self.refused(2, "study", *SMALL, "--set", "model.layers=[{width: outputs}]", "--out", "a",
                     words=["no hidden layer"])

    def test_interrupted(self):
        arguments = ["study", *SMALL, "--widths", "[256,512]", "--set", "study.steps=100000",
                     "--set", "study.until=0", "--set", "study.quantities=[kernel_change]"]
        child = subprocess.Popen([PROGRAM, *on_device(arguments + ["--out", "a"])],
                                 cwd=self.folder, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE, text=True)
        while not os.path.exists(self.path("a", "jobs")):
            time.sleep(0.02)
        time.sleep(0.3)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 130)
        self.assertIn("plstar study --resume a", said)
        self.assertTrue(os.path.exists(self.path("a", "study.csv")))
        self.assertIn("ended early", json.dumps(self.summary("a")["notes"]))

    def test_ready_studies(self):
        tiny = ["--widths", "[8,16]", "--seeds", "2", "--set", "study.steps=20", "--set",
                "study.every=20", "--set", "output.report=false"]
        for name in ("transition", "nonlinear-output", "bottleneck", "threshold", "almost",
                     "critical-step"):
            found = self.good("study", name, *tiny, "--out", name)
            self.assertEqual(self.summary(name)["study"], name)
            self.assertIn(name, found.stdout)
        config = self.read("bottleneck", "config.yaml").decode()
        self.assertIn("bottlenecks: [1, 4, 16]", config)
        self.good("study", "bottleneck/config.yaml", "--out", "again")
        self.assertEqual(self.read("bottleneck", "study.csv"), self.read("again", "study.csv"))
        self.good("study", "all", *tiny, "--out", "all")
        self.assertEqual(self.read("all", "threshold", "study.csv"),
                         self.read("threshold", "study.csv"))

    def test_bad_input(self):
        for arguments, part in (
                (["--set", "study.quantities=[hessian]"], "study.quantities is hessian"),
                (["--set", "study.step_sizes=[0.0001]"], "three decimals"),
                (["--set", "study.outputs=[tanhh]"], "study.outputs is tanhh"),
                (["--widths", "[8,8]"], "width 8: is there twice"),
                (["--set", "study.bottlenecks=[2]"], "at least three"),
                (["--set", "study.activations=[relu]", "--set",
                  "study.quantities=[hessian_norm]"], "relu"),
                (["--set", "study.name=transitions"], "no ready study transitions"),
                (["--size", "huge"], "study.size is huge")):
            result = self.refused(2, "study", *SMALL, *arguments, "--out", "none")
            self.assertIn(part, result.stderr)
            self.assertFalse(os.path.exists(self.path("none")))
        self.refused(3, "study", "transitoin", words=["neither a file", "nearest is transition"])

    def test_lists_need_no_brackets(self):
        self.small("a")
        self.small("b", "--widths", "8,12,16", "--set",
                   "study.quantities=" + QUANTITIES.strip("[]"))
        self.assertEqual(self.read("a", "study.csv"), self.read("b", "study.csv"))
        self.small("one", "--widths", "8")
        self.assertEqual(len(self.rows("one", "study.csv")), 2 * 6)

    ALL = ["study", "all", "--widths", "[8,16]", "--seeds", "2", "--set", "study.steps=20", "--set",
           "study.every=20", "--set", "study.radius=0.5", "--set", "output.report=false"]

    def test_all_go_on_with_what_was_asked_for(self):
        """Stopped in the middle of all studies, they go on by their folder alone."""
        child = subprocess.Popen([PROGRAM, *on_device([*self.ALL, "--out", "a"])], cwd=self.folder,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while not os.path.exists(self.path("a", "bottleneck", "jobs", "study.json")):
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 130, said)
        self.assertIn("plstar study --resume a\n", said)
        self.assertFalse(os.path.exists(self.path("a", "almost", "study.csv")))
        before = self.times(os.path.join("a", "transition"))
        self.good("study", "--resume", "a")
        self.assertEqual(self.times(os.path.join("a", "transition")), before)
        result = self.good(*self.ALL, "--out", "b", "--json")
        studies = json.loads(result.stdout)["studies"]
        self.assertEqual([one["study"] for one in studies],
                         ["transition", "nonlinear-output", "bottleneck", "threshold", "almost",
                          "critical-step"])
        for one in studies:
            self.assertEqual(one["cells"], one["cells_done"])
            for name in ("study.csv", "fits.csv"):
                self.assertEqual(self.read("a", one["study"], name),
                                 self.read("b", one["study"], name), (one, name))
        self.refused(2, "study", "other.yaml", "--resume", "a", words=["neither CONFIG"])

    def test_all_leave_another_run_alone(self):
        self.good("solve", "--steps", "1", "--set", "output.report=false", "--out", "run")
        before = sorted(os.listdir(self.path("run")))
        self.refused(2, *self.ALL, "--out", "run", words=["already holds a run"])
        self.assertEqual(sorted(os.listdir(self.path("run"))), before)

    def test_killed_before_the_first_measurement(self):
        """A folder with settings and no result yet is one that a study goes on in."""
        self.small("whole")
        os.makedirs(self.path("a", "jobs"))
        self.write(os.path.join("a", "config.yaml"), self.read("whole", "config.yaml").decode())
        self.small("a")
        self.assertEqual(self.read("a", "study.csv"), self.read("whole", "study.csv"))


main()
