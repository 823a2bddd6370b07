"""Runs that are interrupted and gone on with give the bytes of those that were not."""

import os
import signal
import subprocess
import time

from support import Case, PROGRAM, main, on_device, run

RUN = ["train", "--set", "data.samples=20", "--set", "model.width=200", "--set",
       "output.report=false", "--set", "monitor.every=7", "--steps", "150"]


class Resume(Case):
    def setUp(self):
        super().setUp()
        self.extra = []

    def start(self, name):
        words = on_device([*RUN, *self.extra, "--out", name])
        return subprocess.Popen([PROGRAM, *words], cwd=self.folder, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def wait_for_rows(self, process, name, count):
        """Until metrics.csv has so many rows, or the run has ended."""
        for _ in range(3000):
            if process.poll() is not None:
                break
            if os.path.exists(self.path(name, "metrics.csv")):
                if self.read(name, "metrics.csv").count(b"\n") > count:
                    return
            time.sleep(0.01)
        self.fail("the run ended before it could be interrupted")

    def interrupt(self, name, rows, number):
        process = self.start(name)
        self.wait_for_rows(process, name, rows)
        process.send_signal(number)
        output = process.communicate(timeout=300)
        return process.returncode, *output

    def compare(self, *names):
        self.good(*RUN, *self.extra, "--out", "whole")
        for name in names:
            for file in ("metrics.csv", "weights.safetensors"):
                self.assertEqual(self.read("whole", file), self.read(name, file), (name, file))
            first, second = self.summary("whole"), self.summary(name)
            for key in ("loss", "lambda_min", "lambda_min_lower", "mu_infimum", "measurements",
                        "violations", "initial_loss", "steps", "stopped", "step_size",
                        "bottom_eigenvector", "bottom_eigenvector_initial", "kernel_alignment"):
                self.assertEqual(first[key], second[key], (name, key))

    def test_interrupted_runs_go_on(self):
        for name, number in (("a", signal.SIGINT), ("b", signal.SIGTERM)):
            status, _, errors = self.interrupt(name, 9, number)
            self.assertEqual(status, 130, errors)
            self.assertIn(f"plstar train --resume {name}", errors)
            self.assertEqual(self.summary(name)["stopped"], "interrupted")
            self.good("train", "--resume", name)
        self.compare("a", "b")

    def test_sgd_interrupted_twice(self):
        self.extra = ["--optimizer", "sgd", "--batch", "6", "--precision", "f64"]
        status, _, errors = self.interrupt("a", 5, signal.SIGINT)
        self.assertEqual(status, 130, errors)
        process = subprocess.Popen([PROGRAM, "train", "--resume", "a"], cwd=self.folder,
                                   stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=300)
        self.assertIn(process.returncode, (0, 130))
        self.good("train", "--resume", "a")
        self.compare("a")

    def test_the_linearised_network_goes_on(self):
        for optimizer in ("gd", "sgd"):
            self.extra = ["--linearized", "--optimizer", optimizer, "--batch", "6", "--overwrite"]
            status, _, errors = self.interrupt(optimizer, 9, signal.SIGINT)
            self.assertEqual(status, 130, errors)
            self.good("train", "--resume", optimizer)
            self.compare(optimizer)
            self.assertGreater(self.summary(optimizer)["linear_distance"], 0)

    def test_killed_runs_keep_their_rows(self):
        self.extra = ["--set", "train.checkpoint_seconds=0"]
        status, _, _ = self.interrupt("a", 9, signal.SIGKILL)
        self.assertEqual(status, -signal.SIGKILL)
        self.assertGreater(self.read("a", "metrics.csv").count(b"\n"), 9)
        with open(self.path("a", "metrics.csv"), "ab") as file:
            file.write(b"17,0.5,")  # a row that was cut off
        self.good("train", "--resume", "a")
        self.compare("a")

    def test_a_finished_run_goes_further(self):
        self.good(*RUN, "--steps", "30", "--out", "a")
        self.good("train", "--resume", "a", "--steps", "45")
        self.good(*RUN, "--steps", "45", "--out", "whole")
        for file in ("metrics.csv", "weights.safetensors", "config.yaml"):
            self.assertEqual(self.read("whole", file), self.read("a", file), file)
        self.refused(2, "train", "--resume", "a", "--steps", "20", words=["45"])

    def test_what_cannot_be_resumed(self):
        self.good(*RUN, "--steps", "3", "--out", "a")
        self.refused(2, "train", "--resume", "a", "--seed", "3", words=["seed", "cannot change"])
        self.refused(2, "train", "--resume", "a", "--set", "monitor.gram=split",
                     words=["monitor.gram", "cannot change"])
        self.refused(2, "train", "--resume", "a", "--linearized",
                     words=["train.linearized", "cannot change"])
        self.refused(2, "train", "--resume", "a", "--out", "b", words=["--out"])
        self.refused(2, "train", "run.yaml", "--resume", "a", words=["CONFIG"])
        self.refused(3, "train", "--resume", "none", words=["none/config.yaml"])
        with open(self.path("a", "metrics.csv"), "r+b") as file:
            file.write(b"time,")
        self.refused(3, "train", "--resume", "a", "--steps", "5", words=["metrics.csv:1"])
        os.remove(self.path("a", "checkpoint", "state.safetensors"))
        self.refused(3, "train", "--resume", "a", words=["checkpoint"])

    def test_other_weights_are_refused(self):
        self.good(*RUN, "--steps", "3", "--out", "a")
        self.good(*RUN, "--steps", "3", "--seed", "9", "--out", "b")
        os.replace(self.path("b", "checkpoint", "state.safetensors"),
                   self.path("a", "checkpoint", "state.safetensors"))
        result = run("train", "--resume", "a", cwd=self.folder)
        self.assertEqual(result.returncode, 3, result.stderr)


main()
