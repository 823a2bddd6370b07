"""Commands, options, help and exit statuses."""

import json
import os

from support import HERE, SMALL, Case, main, run


class Usage(Case):
    def test_help_fits_a_terminal(self):
        for command in ([], ["train"], ["solve"], ["kernel"], ["audit"], ["study"], ["report"],
                        ["info"]):
            text = self.good(*command, "--help").stdout
            self.assertIn("Usage: plstar", text)
            for line in text.splitlines():
                self.assertLessEqual(len(line), 80, line)

    def test_help_says_what_can_be_asked_for(self):
        text = self.good("audit", "--help").stdout
        for claim in ("1", "3'", "18"):
            self.assertRegex(text, rf"\n  {claim} +(law|scaling|picture) +[A-Z]")
        text = self.good("study", "--help").stdout
        for name in ("transition", "critical-step", "all", "mu_change", "filling"):
            self.assertRegex(text, rf"\n  {name} +\S")

    def test_settings_help_lists_every_key(self):
        keys = json.loads(self.good("info", "--json").stdout)["settings"]
        text = self.good("train", "--help", "settings").stdout
        for key in keys:
            self.assertIn(f"  {key}", text)

    def test_version(self):
        for command in ([], ["train"]):
            self.assertRegex(self.good(*command, "--version").stdout, r"^plstar \d+\.\d+\.\d+\n$")

    def test_commands(self):
        self.refused(2, words=["a command is missing"])
        self.refused(2, "trian", words=["trian", "nearest is train"])
        for later in ("plan", "bench"):
            self.refused(2, later, words=["is not a command"])

    def test_options(self):
        self.refused(2, "train", "--stepz=3", words=["--stepz", "--steps"])
        self.refused(2, "train", "--steps", words=["--steps needs a value"])
        self.refused(2, "train", "--quiet=1", words=["--quiet takes no value"])
        self.refused(2, "train", "-z", words=["-z"])
        self.refused(2, "audit", "--widths", "[8,16]", words=["--set audit.widths=..."])
        self.refused(2, "kernel", "--steps", "3", words=["kernel has no option --steps"])
        self.refused(2, "train", "--hessian", "loss", words=["train has no option --hessian"])
        self.refused(2, "train", "one.yaml", "two.yaml", words=["two.yaml"])
        self.refused(2, "train", "--set", "train.steps", words=["KEY=VALUE"])
        self.refused(2, "train", "--set", "=3", words=["KEY=VALUE"])
        self.refused(2, "report", words=["folder of a run"])

    def test_values_of_options(self):
        for arguments, words in [
                (["--steps", "many"], ["--steps", "many", "whole number"]),
                (["--steps", "-1"], ["-1"]),
                (["--steps", "1.5"], ["1.5"]),
                (["--steps", "99999999999999999999"], ["99999999999999999999"]),
                (["--step-size", "0"], ["critical:C"]),
                (["--step-size", "critical:-1"], ["critical:C"]),
                (["--step-size", "nan"], ["critical:C"]),
                (["--optimizer", "adam"], ["gd, sgd"]),
                (["--precision", "f16"], ["f32, f64"]),
                (["--seed", "-1"], ["whole number"]),
                (["--threads", "-2"], ["whole number"]),
                (["--device", "gpu"], ["gpu"]),
                (["--set", "model.width=0"], ["model.width", "from 1"]),
                (["--set", "model.width=-3"], ["-3"]),
                (["--set", "model.width=1e30"], ["1e30"]),
                (["--set", "model.layers=[]"], ["model.layers"]),
                (["--set", "model.layers=[{width: 0}]"], ["model.layers[0].width"]),
                (["--set", "model.layers=[{width: 3, activation: tahn}]"], ["nearest", "tanh"]),
                (["--set", "model.layers=[{width: 3, units: 3}]"], ["units"]),
                (["--set", "model.input=[64]", "--set",
                  "model.layers=[{type: conv, channels: 3, kernel: 3}]"],
                 ["conv", "takes images"]),
                (["--set", "model.layers=[{type: dance, width: 3}]"], ["dance"]),
                (["--set", "model.layers=[{width: 3}"], ["not YAML"]),
                (["--set", "data.samples=0"], ["data.samples"]),
                (["--set", "monitor.budget=120%"], ["monitor.budget"]),
                (["--set", "monitor.every=3", "--set", "monitor.budget=5%"], ["both given"]),
                (["--set", "monitor.memory=5XB"], ["512MB"]),
                (["--set", "train.samples=5"], ["nearest is data.samples"]),
                (["--step-size", "theorem", "--set", "train.loss=cross_entropy"], ["square"]),
                (["--batch", "65", "--optimizer", "sgd", "--out", "b"], ["batch"])]:
            self.refused(2, "train", *arguments, words=words)

    def test_the_document_of_settings_is_what_the_program_says(self):
        path = os.path.join(HERE, "..", "..", "docs", "configuration.md")
        with open(path, encoding="utf-8") as file:
            document = file.read()
        self.assertIn("```\n" + self.good("train", "--help", "settings").stdout + "```", document)

    def test_hints_hit(self):
        self.write("dots.yaml", "train.steps: 3\n")
        self.refused(2, "train", "dots.yaml", words=["train: {steps: ...}"])
        self.refused(2, "kernel", "--set", "model.layers=[{width: 3, activation: ReLU}]",
                     words=["nearest there is relu"])

    def test_overflowing_widths(self):
        self.refused(2, "kernel", "--set",
                     "model.layers=[{width: 4000000000000000000}, {width: 4000000000000000000},"
                     " {width: 10}]")

    def test_device_that_is_not_there(self):
        self.refused(4, "kernel", "--device", "cuda:9000")

    def test_divergence(self):
        result = run("train", *SMALL, "--step-size", "critical:50", "--out", "d", cwd=self.folder)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("diverged", result.stderr)
        self.assertEqual(self.summary("d")["stopped"], "diverged")

    def test_a_folder_with_a_run_is_kept(self):
        self.good("kernel", *SMALL, "--out", "k")
        before = self.read("k", "summary.json")
        self.refused(2, "kernel", *SMALL, "--out", "k", words=["already holds a run"])
        self.assertEqual(self.read("k", "summary.json"), before)
        self.good("kernel", *SMALL, "--out", "k", "--overwrite", "--seed", "1")
        self.assertNotEqual(self.read("k", "summary.json"), before)

    def test_default_folders_are_numbered(self):
        for number in (1, 2):
            result = self.good("kernel", *SMALL)
            self.assertIn(f"runs/kernel-{number}", result.stdout)

    def test_quiet_and_json(self):
        self.assertEqual(self.good("kernel", *SMALL, "--quiet").stdout, "")
        result = self.good("train", *SMALL, "--steps", "3", "--json", "--out", "j", "--quiet")
        self.assertEqual(json.loads(result.stdout), self.summary("j"))
        self.assertEqual(result.stderr, "")

    def test_report(self):
        self.good("train", *SMALL, "--steps", "3", "--out", "r")
        text = self.good("report", "r").stdout
        self.assertEqual(text, "r/report.html\n")
        self.assertIn(b"<html", self.read("r", "report.html"))
        self.refused(3, "report", "nowhere", words=["nowhere"])

    def test_trace_of_calls(self):
        result = run("kernel", "--device", "cuda:9000", cwd=self.folder, env={"PLSTAR_TRACE": "1"})
        self.assertGreater(result.stderr.count("\n"), 1)


main()
