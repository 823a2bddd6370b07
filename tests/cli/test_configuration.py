"""Configuration files: faults with their place, JSON, precedence, and config.yaml as a repeat."""

import json
import os

from support import SMALL, Case, main

MODEL = """{"input": [64], "parameterization": "standard", "sigma_w": 1.2, "sigma_b": 0.1,
 "bias": true, "layers": [{"type": "dense", "width": 20, "activation": "erf"},
                          {"type": "dense", "width": 10}]}"""

CONFIG = """model:
  layers:
    - {type: dense, width: 24, activation: gelu}
    - {type: dense, width: outputs}
data:
  samples: 12
  classes: [3, 1, 7]
train: {steps: 8, step_size: critical:0.7}
monitor: {every: 4}
output: {report: false}
"""


class Configuration(Case):
    def fault(self, text, *words):
        self.refused(2, "train", self.write("bad.yaml", text), words=words)

    def test_faults_name_their_place(self):
        self.fault("train:\n  stepz: 3\n", "bad.yaml:2:3:", "train.stepz", "nearest is train.steps")
        self.fault("tain: {steps: 3}\n", "bad.yaml:1:1:", "nearest is train")
        self.fault("train:\n  steps: lots\n", "bad.yaml:2:10:", "whole number")
        self.fault("train:\n  steps: \"12\"\n", "bad.yaml:2:10:", "text")
        self.fault("train:\n  steps: [12]\n", "bad.yaml:2:10:", "a list")
        self.fault("train:\n  steps:\n", "bad.yaml:2:", "no value")
        self.fault("train: 7\n", "bad.yaml:1:8:", "map of settings")
        self.fault("train:\n", "bad.yaml:1:", "empty")
        self.fault("train:\n  steps: 3\n  steps: 4\n", "bad.yaml:3:3:", "twice", "line 2")
        self.fault("train: {steps: 3}\ntrain: {batch: 3}\n", "bad.yaml:2:1:", "twice")
        self.fault("data:\n  shuffle: yes\n", "bad.yaml:2:12:", "true or false")
        self.fault("data:\n  targets: onehot\n", "bad.yaml:2:12:", "one_hot")
        self.fault("data:\n  classes: 3\n", "bad.yaml:2:12:", "list")
        self.fault("data:\n  classes: [1, two]\n", "bad.yaml:2:16:", "two")
        self.fault("model:\n  sigma_w: -1\n", "bad.yaml:2:12:", "greater than 0")
        self.fault("model:\n  sigma_w: .inf\n", "bad.yaml:2:12:", "number")
        self.fault("model:\n  layers:\n    - {type: dense}\n", "bad.yaml:3:7:", "no width")
        self.fault("model:\n  layers:\n    - {type: flaten}\n", "bad.yaml:3:", "flatten")
        self.fault("train: {steps: 3\n", "bad.yaml:", "not YAML")
        self.fault("- 1\n- 2\n", "bad.yaml:1:1:", "a list")
        self.fault("train: {steps: 3}\n---\ntrain: {steps: 4}\n", "bad.yaml:3:1:", "second")
        self.fault("model: &a\n  layers: [*a]\n", "bad.yaml:")
        self.fault("\x00", "bad.yaml")
        self.fault("monitor: {every: 2, budget: 5%}\n", "both")
        self.fault("monitor:\n  gram: half\n", "bad.yaml:2:9:", "f64", "split")

    def test_split_products_are_for_float32(self):
        self.fault("precision: f64\nmonitor: {gram: split}\n", "monitor.gram", "f32 data",
                   "choose precision: f32, or monitor.gram: f64")
        self.refused(2, "kernel", "--precision", "f64", "--set", "monitor.gram=split",
                     words=["monitor.gram"])
        self.good("kernel", *SMALL, "--precision", "f64", "--set", "monitor.gram=f64",
                  "--out", "k")

    def test_missing_files(self):
        self.refused(3, "train", "none.yaml", words=["none.yaml"])
        self.refused(3, "train", self.folder, words=["directory"])
        self.refused(3, "train", self.write("m.yaml", "model: none.json\n"), words=["none.json"])

    def test_empty_file_means_defaults(self):
        self.write("empty.yaml", "# nothing\n")
        self.good("kernel", "empty.yaml", *SMALL, "--out", "k")

    def test_config_yaml_repeats_a_run(self):
        self.write("run.yaml", CONFIG)
        self.good("train", "run.yaml", "--seed", "5", "--precision", "f64", "--out", "a")
        self.good("train", "a/config.yaml", "--out", "b")
        for name in ("metrics.csv", "weights.safetensors", "config.yaml"):
            self.assertEqual(self.read("a", name), self.read("b", name), name)
        self.good("kernel", "a/config.yaml", "--out", "k")

    def test_config_yaml_keeps_the_arithmetic(self):
        self.write("run.yaml", CONFIG)
        for name, gram in (("d", "f64"), ("s", "split")):
            self.good("train", "run.yaml", "--set", f"monitor.gram={gram}", "--out", name)
            self.assertIn(f"  gram: {gram}\n", self.read(name, "config.yaml").decode())
        self.good("train", "s/config.yaml", "--out", "again")
        for name in ("metrics.csv", "config.yaml"):
            self.assertEqual(self.read("s", name), self.read("again", name), name)
        self.good("train", "run.yaml", "--out", "default")
        self.assertEqual(self.read("d", "config.yaml"), self.read("default", "config.yaml"))

    def test_json_is_yaml(self):
        self.write("run.yaml", CONFIG)
        self.write("run.json", json.dumps({
            "model": {"layers": [{"type": "dense", "width": 24, "activation": "gelu"},
                                 {"type": "dense", "width": 3}]},
            "data": {"samples": 12, "classes": [3, 1, 7]},
            "train": {"steps": 8, "step_size": "critical:0.7"},
            "monitor": {"every": 4}, "output": {"report": False}}, indent=1))
        self.good("train", "run.yaml", "--out", "a")
        self.good("train", "run.json", "--out", "b")
        self.assertEqual(self.read("a", "config.yaml"), self.read("b", "config.yaml"))
        self.assertEqual(self.read("a", "metrics.csv"), self.read("b", "metrics.csv"))

    def test_later_words_win(self):
        self.write("run.yaml", CONFIG)
        self.good("train", "run.yaml", "--steps", "3", "--set", "train.steps=2",
                  "--set", "monitor.budget=50%", "--set", "model.width=16", "--out", "a")
        text = self.read("a", "config.yaml").decode()
        for line in ("  steps: 2\n", "  every: never\n", "  budget: 0.5\n",
                     "    - {type: dense, width: 16, activation: gelu}\n",
                     "    - {type: dense, width: 3, activation: identity}\n"):
            self.assertIn(line, text)
        self.assertEqual(self.summary("a")["steps"], 2)

    def test_model_file(self):
        os.mkdir(self.path("sub"))
        self.write("sub/net.json", MODEL)
        self.write("sub/run.yaml", "model: net.json\ndata: {samples: 9}\noutput: {report: false}\n")
        self.good("kernel", "sub/run.yaml", "--out", "a")
        self.good("kernel", "--set", "model=sub/net.json", "--set", "data.samples=9",
                  "--set", "output.report=false", "--out", "b")
        self.assertEqual(self.read("a", "kernel.npy"), self.read("b", "kernel.npy"))
        self.assertIn(b"standard", self.read("a", "config.yaml"))
        self.write("sub/net.json", MODEL.replace("bias", "bais"))
        self.refused(2, "kernel", "sub/run.yaml", words=["sub/net.json:2:", "model.bias"])

    def test_a_model_that_does_not_fit(self):
        self.write("net.json", MODEL.replace("64", "63"))
        result = self.refused(3, "kernel", "--set", "model=net.json", words=["63"])
        self.assertFalse(os.path.exists(self.path("runs")), result.stderr)

    def test_layers_as_text(self):
        self.good("kernel", *SMALL[2:], "--set",
                  "model.layers=[{type: dense, width: 8, activation: sin}, {width: outputs}]",
                  "--out", "a")
        self.assertIn("8 sin", self.summary("a")["model"])

    def test_seeds(self):
        source = ["--set", "data.source=sphere"]
        def described(*arguments):
            name = f"s{len(os.listdir(self.folder))}"
            self.good("kernel", *SMALL, *source, *arguments, "--out", name)
            text = self.read(name, "config.yaml").decode()
            return [line.split()[1] for line in text.splitlines() if line.strip().startswith("seed")]
        self.assertEqual(described("--seed", "7"), ["7", "7"])
        self.assertEqual(described("--seed", "7", "--set", "data.seed=2"), ["7", "2"])


main()
