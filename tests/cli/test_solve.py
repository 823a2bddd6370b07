"""plstar solve: every kind of system, what a run leaves, interruption, and what is refused."""

import json
import math
import os
import signal
import subprocess
import time

from support import Case, PROGRAM, main, on_device, read_safetensors, run, write_npy

QUIET = ["--set", "output.report=false"]
SIZES = ["--set", "system.equations=12", "--set", "system.parameters=40"]
TYPES = ("linear", "quadratic", "factorization", "circle", "phase_retrieval")


class Solve(Case):
    def test_every_system_is_solved_by_lm_and_lowered_by_gd(self):
        for kind in TYPES:
            self.good("solve", "--type", kind, *SIZES, *QUIET, "--optimizer", "lm", "--out",
                      f"{kind}-lm")
            found = self.summary(f"{kind}-lm")
            self.assertEqual(found["command"], "solve")
            self.assertEqual(found["system_type"], kind)
            self.assertEqual(found["optimizer"], "lm")
            self.assertEqual(found["precision"], "f64")
            self.assertLess(found["loss"], 1e-20, kind)
            self.assertEqual(found["violations"], 0)
            self.assertLess(found["steps"], 200)
            self.assertGreaterEqual(found["rejected_steps"], 0)
            self.good("solve", "--type", kind, *SIZES, *QUIET, "--steps", "40", "--out",
                      f"{kind}-gd")
            found = self.summary(f"{kind}-gd")
            self.assertLess(found["loss"], 0.2 * found["initial_loss"], kind)
            self.assertEqual(found["violations"], 0)

    def test_the_files_of_a_run(self):
        self.good("solve", *SIZES, "--steps", "20", "--out", "a", "--precision", "f32",
                  "--set", "monitor.spectrum=full")
        for name in ("config.yaml", "summary.json", "metrics.csv", "weights.safetensors",
                     "report.html", "eigenvalues.npy"):
            self.assertTrue(os.path.exists(self.path("a", name)), name)
        self.assertFalse(os.path.exists(self.path("a", "path.csv")))
        self.assertEqual(len(self.metrics("a")), 21)
        self.assertIn("plstar solve", self.read("a", "report.html").decode())
        config = self.read("a", "config.yaml").decode()
        self.assertIn("system:", config)
        self.assertNotIn("model:", config)
        self.good("solve", "a/config.yaml", "--out", "b")
        for name in ("metrics.csv", "weights.safetensors", "config.yaml"):
            self.assertEqual(self.read("a", name), self.read("b", name), name)
        self.good("report", "b")

    def test_a_linear_system_from_files(self):
        a = [math.sin(1.0 + 1.7 * i * i) for i in range(3 * 8)]
        w = [math.cos(i) for i in range(8)]
        y = [sum(a[8 * i + j] * w[j] for j in range(8)) for i in range(3)]
        os.mkdir(self.path("in"))
        write_npy(self.path("in", "a.npy"), (3, 8), a)
        write_npy(self.path("in", "y.npy"), (3,), y)
        self.write("in/run.yaml", "system: {type: linear, a: a.npy, y: y.npy}\n"
                                  "train: {optimizer: lm}\n")
        self.good("solve", "in/run.yaml", *QUIET, "--out", "a")
        found = self.summary("a")
        self.assertEqual((found["equations"], found["parameters"]), (3, 8))
        _, solution = read_safetensors(self.path("a", "weights.safetensors"))["weights"]
        for i in range(3):
            self.assertAlmostEqual(sum(a[8 * i + j] * solution[j] for j in range(8)), y[i], 12)
        squashed = [math.tanh(value) for value in y]
        write_npy(self.path("in", "y.npy"), (3,), squashed)
        self.good("solve", "in/run.yaml", *QUIET, "--set", "system.map=tanh", "--out", "b")
        _, mapped = read_safetensors(self.path("b", "weights.safetensors"))["weights"]
        for i in range(3):
            self.assertAlmostEqual(sum(a[8 * i + j] * mapped[j] for j in range(8)), y[i], 8)

    def test_maps_noise_and_the_theorem(self):
        self.good("solve", *SIZES, *QUIET, "--set", "system.map=tanh", "--optimizer", "lm", "--out",
                  "a")
        self.assertLess(self.summary("a")["loss"], 1e-20)
        self.good("solve", *QUIET, "--set", "system.equations=30", "--set", "system.parameters=10",
                  "--set", "system.noise=0.1", "--optimizer", "lm", "--out", "b")
        self.assertEqual(self.summary("b")["stopped"], "no step lowers the loss any more")
        self.assertGreater(self.summary("b")["loss"], 1e-3)
        self.good("solve", *SIZES, *QUIET, "--type", "linear", "--step-size", "theorem", "--steps",
                  "30", "--out", "c")
        found = self.summary("c")
        self.assertAlmostEqual(found["theorem_step_size"] * found["lambda_max"], 1.0, 3)

    def test_lm_trains_networks(self):
        self.good("train", "--set", "model.width=64", "--set", "data.samples=8", *QUIET,
                  "--precision", "f64", "--optimizer", "lm", "--steps", "40", "--out", "a")
        found = self.summary("a")
        self.assertLess(found["loss"], 1e-20 * found["initial_loss"])
        self.refused(2, "train", "--optimizer", "lm", "--set", "train.loss=cross_entropy",
                     words=["train.loss: square"])

    def test_the_path_in_the_plane(self):
        self.good("solve", "--type", "circle", "--step-size", "0.05", "--steps", "20", "--out", "a")
        rows = self.read("a", "path.csv").decode().splitlines()
        self.assertEqual(rows[0], "step,w0,w1")
        self.assertEqual(len(rows), 22)
        first, last = ([float(x) for x in rows[i].split(",")[1:]] for i in (1, -1))
        self.assertAlmostEqual(math.hypot(*first), 1.5, 12)
        self.assertLess(abs(math.hypot(*last) - 1.0), 0.05)
        _, weights = read_safetensors(self.path("a", "weights.safetensors"))["weights"]
        self.assertEqual(last, weights)
        self.assertTrue(os.path.exists(self.path("a", "figures", "path.gp")))
        self.good("solve", "--type", "linear", *SIZES, "--steps", "2", "--out", "a", "--overwrite")
        self.assertFalse(os.path.exists(self.path("a", "path.csv")))

    def test_what_is_refused(self):
        for words, options in (
                (["system.type is torus", "circle"], ["--type", "torus"]),
                (["system.equations", "from 1"], ["--set", "system.equations=0"]),
                (["401 entries", "400"], ["--type", "factorization", "--set",
                                          "system.observed=401"]),
                (["the circle has neither"], ["--type", "circle", "--set", "system.map=tanh"]),
                (["system.a is given without system.y"], ["--type", "linear", "--set",
                                                          "system.a=a.npy"]),
                (["those of a linear system"], ["--set", "system={a: a.npy, y: y.npy}"]),
                (["system.equation", "system.equations"], ["--set", "system.equation=3"]),
                (["model.width is given", "plstar train"], ["--set", "model.width=3"]),
                (["data.samples is given"], ["--set", "data.samples=3"]),
                (["train.damping", "greater than 0"], ["--set", "train.damping=0"]),
                (["train.batch", "40"], ["--optimizer", "sgd", "--batch", "41"])):
            self.refused(2, "solve", *options, words=words)
        self.refused(2, "train", "--set", "system.type=circle", words=["plstar solve"])
        self.refused(3, "solve", "--set", "system={type: linear, a: no.npy, y: no.npy}",
                     words=["no.npy"])
        self.refused(2, "solve", "--tensors", "x", words=["no option --tensors"])
        self.refused(4, "solve", "--set", "system.parameters=3000000", words=["memory"])

    def test_divergence(self):
        for every in ("1", "50"):
            name = f"diverged-{every}"
            self.refused(1, "solve", "--type", "phase_retrieval", "--step-size", "5", *QUIET,
                         "--set", f"train.record_every={every}", "--set", "monitor.every=0",
                         "--out", name, words=["step size"])
            self.assertEqual(self.summary(name)["stopped"], "diverged")


class Resume(Case):
    RUN = ["solve", "--type", "factorization", *QUIET, "--set", "system.rows=60", "--set",
           "system.columns=60", "--set", "system.observed=200", "--set", "monitor.every=9",
           "--steps", "60", "--set", "train.damping=1e-7"]

    def start(self, name, extra):
        return subprocess.Popen([PROGRAM, *on_device([*self.RUN, *extra, "--out", name])],
                                cwd=self.folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                text=True)

    def stop(self, name, extra, number, rows):
        process = self.start(name, extra)
        while process.poll() is None:
            path = self.path(name, "metrics.csv")
            if os.path.exists(path) and self.read(name, "metrics.csv").count(b"\n") > rows:
                break
            time.sleep(0.005)
        process.send_signal(number)
        return process.communicate(timeout=300)[1], process.returncode

    def check(self, extra, number):
        name = f"{extra[1]}-{number}"
        errors, status = self.stop(name, extra, number, 5)
        self.assertIn(status, (130, -signal.SIGKILL), errors)
        if number == signal.SIGINT:
            self.assertIn(f"plstar solve --resume {name}", errors)
            self.assertEqual(self.summary(name)["stopped"], "interrupted")
        self.good("solve", "--resume", name)
        whole = f"{extra[1]}-whole"
        if not os.path.exists(self.path(whole)):
            self.good(*self.RUN, *extra, "--out", whole)
        for file in ("metrics.csv", "weights.safetensors"):
            self.assertEqual(self.read(whole, file), self.read(name, file), (name, file))
        for key in ("loss", "steps", "stopped", "mu_infimum", "rejected_steps", "damping"):
            self.assertEqual(self.summary(whole).get(key), self.summary(name).get(key), key)

    def test_interrupted_and_killed_runs_go_on(self):
        lm = ["--optimizer", "lm"]
        self.check(lm, signal.SIGINT)
        self.check([*lm, "--set", "train.checkpoint_seconds=0"], signal.SIGKILL)
        self.check(["--optimizer", "sgd", "--batch", "50", "--step-size", "0.02"], signal.SIGINT)

    def test_a_path_goes_on(self):
        circle = ["solve", "--type", "circle", *QUIET, "--step-size", "0.02"]
        self.good(*circle, "--steps", "30", "--out", "whole")
        self.good(*circle, "--steps", "10", "--out", "a")
        with open(self.path("a", "path.csv"), "ab") as file:
            file.write(b"11,0.5")  # a row that was cut off
        self.good("solve", "--resume", "a", "--steps", "30")
        for file in ("path.csv", "metrics.csv"):
            self.assertEqual(self.read("whole", file), self.read("a", file), file)
        self.refused(2, "solve", "--resume", "a", "--type", "linear", words=["system.type"])
        self.refused(2, "train", "--resume", "a", words=["plstar solve"])
        result = run("solve", "--type", "circle", "--json", *QUIET, cwd=self.folder)
        self.assertEqual(json.loads(result.stdout)["parameters"], 2)


main()
