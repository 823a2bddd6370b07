"""What runs leave: files that agree with one another, the same bits whatever the machine does."""

import base64
import json
import math
import os
import re
import zlib

from support import SMALL, Case, main, read_npy, read_safetensors, run, write_npy


class Results(Case):
    def test_files_of_kernel_agree(self):
        self.good("kernel", *SMALL, "--precision", "f64", "--spectrum", "full", "--gradient",
                  "--jacobian", "--out", "k")
        summary = self.summary("k")
        n, p = summary["equations"], summary["parameters"]
        self.assertEqual(n, summary["samples"] * summary["outputs"])
        (rows, columns), kernel = read_npy(self.path("k", "kernel.npy"))
        self.assertEqual((rows, columns), (n, n))
        shape, jacobian = read_npy(self.path("k", "jacobian.npy"))
        self.assertEqual(shape, (n, p))
        largest = max(map(abs, kernel))
        for i in range(0, n, 7):
            for j in range(0, n, 5):
                product = math.fsum(jacobian[i * p + c] * jacobian[j * p + c] for c in range(p))
                self.assertLess(abs(product - kernel[i * n + j]), 1e-12 * largest)
        shape, eigenvalues = read_npy(self.path("k", "eigenvalues.npy"))
        self.assertEqual(shape, (n,))
        self.assertEqual(eigenvalues, sorted(eigenvalues))
        self.assertAlmostEqual(math.fsum(eigenvalues), math.fsum(kernel[::n + 1]), places=9)
        self.assertLess(abs(eigenvalues[-1] - summary["lambda_max"]), 1e-12 * largest)
        self.assertLess(abs(eigenvalues[0] - summary["lambda_min"]), 1e-12 * largest)
        shape, gradient = read_npy(self.path("k", "gradient.npy"))
        self.assertEqual(shape, (p,))
        norm = math.sqrt(math.fsum(g * g for g in gradient))
        self.assertLess(abs(norm / summary["gradient_norm"] - 1), 1e-12)
        ratio = 0.5 * norm ** 2 / summary["loss"]
        self.assertLess(abs(ratio / summary["pl_ratio"] - 1), 1e-12)
        self.assertEqual(read_npy(self.path("k", "outputs.npy"))[0], (12, 10))

    def test_files_of_train_agree(self):
        result = self.good("train", *SMALL, "--steps", "12", "--spectrum", "full", "--json",
                           "--set", "monitor.every=5", "--out", "t")
        summary, rows = self.summary("t"), self.metrics("t")
        self.assertEqual(json.loads(result.stdout), summary)
        self.assertEqual(self.read("t", "metrics.csv").split(b"\n")[0].decode(),
                         "step,loss,gradient_norm,pl_ratio,distance,lambda_min,lambda_min_lower,"
                         "lambda_max,kernel_change,lambda_min_upper,kernel_floor,condition_number,"
                         "kernel_alignment,effective_rank,linear_distance,linear_loss")
        self.assertEqual([int(row["step"]) for row in rows], list(range(13)))
        measured = [row for row in rows if row["lambda_min"]]
        self.assertEqual([int(row["step"]) for row in measured], [0, 5, 10, 12])
        for row in measured:
            self.assertLessEqual(float(row["lambda_min_lower"]), float(row["lambda_min"]))
            self.assertLessEqual(float(row["lambda_min"]), float(row["lambda_min_upper"]))
            self.assertLessEqual(float(row["lambda_min_lower"]), float(row["pl_ratio"]))
            self.assertLessEqual(float(row["pl_ratio"]), 1.00001 * float(row["lambda_max"]))
        last = rows[-1]
        for key in ("loss", "gradient_norm", "pl_ratio", "distance", "lambda_min", "lambda_min_lower",
                    "lambda_min_upper", "lambda_max", "kernel_change", "kernel_floor",
                    "kernel_alignment", "effective_rank"):
            self.assertEqual(float(last[key]), summary[key], key)
        self.assertEqual((last["linear_loss"], last["linear_distance"]), ("", ""))
        self.assertNotIn("linear_loss", summary)
        self.assertEqual(summary["initial_loss"], float(rows[0]["loss"]))
        self.assertEqual(summary["measurements"], 4)
        self.assertEqual(summary["violations"], 0)
        self.assertEqual(summary["stopped"], "finished")
        for name in ("eigenvalues.npy", "eigenvalues_initial.npy"):
            self.assertEqual(read_npy(self.path("t", name))[0], (120,))
        weights = read_safetensors(self.path("t", "weights.safetensors"))
        self.assertEqual({name: shape for name, (shape, _) in weights.items()},
                         {"layers.0.weight": (24, 64), "layers.1.weight": (10, 24)})

    def device_seconds(self, name, command_seconds, *phases):
        """The phases that the device passed through, and times that fit into those of the host."""
        seconds = self.summary(name)["device_seconds"]
        self.assertEqual(set(seconds), set(phases))
        self.assertTrue(all(value > 0 for value in seconds.values()), seconds)
        host = sum(self.summary(name)["seconds"][key] for key in command_seconds)
        self.assertLessEqual(sum(seconds.values()), host)

    def test_device_seconds(self):
        base = [*SMALL, "--set", "monitor.refine=never"]
        self.good("train", *base, "--steps", "6", "--out", "t")
        training = ["initialisation", "forward", "gradient", "norms", "update"]
        kernel = ["derivatives", "gram", "factor", "extremes", "floor", "change", "bottom"]
        self.device_seconds("t", ["network", "steps", "measuring"], *training, *kernel)
        self.good("train", *base, "--steps", "6", "--step-size", "0.01", "--set",
                  "monitor.every=never", "--out", "n")
        self.device_seconds("n", ["network", "steps"], *training)
        self.good("train", *base, "--steps", "3", "--step-size", "theorem", "--spectrum", "full",
                  "--out", "c")
        self.device_seconds("c", ["network", "constants", "steps", "measuring"], *training, *kernel,
                            "constants", "spectrum")
        self.good("train", *base, "--steps", "3", "--linearized", "--out", "l")
        self.device_seconds("l", ["network", "steps", "measuring"], *training, *kernel, "twin")
        self.good("kernel", *base, "--jacobian", "--out", "k")
        self.device_seconds("k", ["network", "gradient", "kernel", "spectrum", "bottom", "jacobian"],
                            "initialisation", "forward", "gradient", "norms", "jacobian", *kernel)
        self.good("kernel", *SMALL, "--set", "monitor.refine=always", "--out", "r")
        self.assertIn("refinement", self.summary("r")["device_seconds"])

    def test_device_seconds_of_a_resumed_run_are_its_own(self):
        self.good("train", *SMALL, "--steps", "4", "--out", "t")
        self.good("train", "--resume", "t", "--steps", "5")
        notes = " ".join(self.summary("t")["notes"])
        self.assertIn("device_seconds and monitor_share are those since the run was resumed", notes)

    def test_the_arithmetic_is_told(self):
        for command in ("train", "kernel"):
            for gram in ("f64", "split"):
                name = f"{command}-{gram}"
                self.good(command, "--set", "model.width=24", "--set", "data.samples=12", "--set",
                          f"monitor.gram={gram}", "--out", name,
                          *(["--steps", "2"] if command == "train" else []))
                told = self.summary(name)["gram"]
                self.assertIn("f64", told)
                page = self.read(name, "report.html").decode()
                self.assertIn(f"Gram products</th><td>{told}</td>", page)
                self.assertIn("<h2>Device time by phase</h2>", page)
                self.assertNotIn("device_seconds</code>", page)

    def test_split_products_are_in_the_estimate(self):
        base = ["kernel", *SMALL, "--set", "monitor.floor_samples=estimate", "--set",
                "monitor.refine=never"]
        for gram in ("f64", "split"):
            self.good(*base, "--set", f"monitor.gram={gram}", "--out", gram)
        exact, split = self.summary("f64"), self.summary("split")
        bound = (2 + 2 ** -16) * 2 ** -16 * exact["kernel_trace"]
        # The rest of the estimate is proportional to lambda_max, which splitting may move.
        self.assertAlmostEqual((split["kernel_floor"] - exact["kernel_floor"]) / bound, 1, places=5)

    def test_the_linearised_network(self):
        base = ["train", *SMALL, "--precision", "f64", "--steps", "30", "--linearized", "--step-size",
                "0.05", "--set", "monitor.every=never"]
        self.good(*base, "--out", "gd")
        self.good(*base, "--optimizer", "sgd", "--batch", "5", "--out", "sgd")
        for name in ("gd", "sgd"):
            rows, summary = self.metrics(name), self.summary(name)
            self.assertEqual(float(rows[0]["linear_distance"]), 0)
            self.assertEqual(float(rows[0]["linear_loss"]), float(rows[0]["loss"]))
            for key in ("linear_distance", "linear_loss"):
                self.assertTrue(all(float(row[key]) > 0 for row in rows[1:]), key)
                self.assertEqual(float(rows[-1][key]), summary[key])
            self.assertNotEqual(summary["linear_loss"], summary["loss"])
            self.assertLess(abs(summary["linear_loss"] / summary["loss"] - 1), 0.2)
            self.assertEqual([int(row["step"]) for row in rows if row["lambda_max"]], [0])
        self.refused(2, "train", *SMALL, "--linearized", "--trace", "--step-size", "0.01",
                     words=["train.linearized", "monitor.trace"])
        self.refused(2, "kernel", *SMALL, "--linearized", words=["--linearized"])

    def test_a_twin_beyond_numbers(self):
        self.good("train", *SMALL, "--linearized", "--step-size", "1e300", "--steps", "3", "--set",
                  "model.layers=[{width: outputs, activation: tanh}]", "--precision", "f64", "--out",
                  "t")
        summary = self.summary("t")
        self.assertIsNone(summary["linear_loss"])
        self.assertIn("linear_loss is null because descent of the linearised network left the range "
                      "of numbers", summary["notes"])
        self.assertEqual(self.metrics("t")[-1]["linear_loss"], "")

    def shares(self, told, samples, outputs, layers):
        """What summary.json tells of the bottom eigenvector, of these sizes."""
        listed = [share for _, share in told["samples"]]
        self.assertEqual(len(listed), min(samples, 10))
        self.assertEqual(listed, sorted(listed, reverse=True))
        self.assertEqual(len({index for index, _ in told["samples"]}), len(listed))
        self.assertTrue(all(0 <= index < samples for index, _ in told["samples"]))
        self.assertLessEqual(sum(listed), 1 + 1e-12)
        self.assertEqual(len(told["outputs"]), outputs)
        self.assertAlmostEqual(math.fsum(told["outputs"]), 1, places=12)
        self.assertEqual([layer["name"] for layer in told["layers"]], layers)
        self.assertAlmostEqual(math.fsum(layer["share"] for layer in told["layers"]), 1, places=12)

    def test_who_sets_mu(self):
        layers = ["layers.0", "layers.1"]
        base = ["--set", "output.report=false", "--set", "data.samples=40", "--set",
                "model.layers=[{width: 64, activation: tanh}, {width: outputs}]"]
        self.good("kernel", *base, "--spectrum", "full", "--out", "k")
        told = self.summary("k")["bottom_eigenvector"]
        self.shares(told, 40, 10, layers)
        self.assertEqual(len(told["labels"]), 10)
        eigenvalues = read_npy(self.path("k", "eigenvalues.npy"))[1]
        self.assertLess(abs(told["gap"] / (eigenvalues[1] - eigenvalues[0]) - 1), 1e-6)
        self.assertNotIn("step", told)
        shape, pictures = read_npy(self.path("k", "bottom_samples.npy"))
        self.assertEqual(shape, (10, 1, 8, 8))
        self.assertAlmostEqual(math.fsum(x * x for x in pictures[:64]), 64, places=9)

        self.good("train", *base, "--steps", "12", "--out", "t")
        summary = self.summary("t")
        self.assertEqual(summary["bottom_eigenvector"]["step"], 12)
        self.assertEqual(summary["bottom_eigenvector_initial"]["step"], 0)
        for key, row in (("bottom_eigenvector", -1), ("bottom_eigenvector_initial", 0)):
            self.shares(summary[key], 40, 10, layers)
            self.assertEqual(summary[key]["eigenvalue"], float(self.metrics("t")[row]["lambda_min"]))
        self.assertNotEqual(summary["bottom_eigenvector"]["outputs"],
                            summary["bottom_eigenvector_initial"]["outputs"])
        self.good("kernel", *base, "--trace", "--out", "trace")
        self.shares(self.summary("trace")["bottom_eigenvector"], 40, 10, layers)

    def test_a_planted_pair_sets_mu(self):
        inputs = [[math.sin(1 + 3 * i * j + i) for j in range(6)] for i in range(9)]
        inputs[7] = [x * (1 + (j == 0) * 1e-3) for j, x in enumerate(inputs[2])]
        write_npy(self.path("x.npy"), (9, 6), [x for row in inputs for x in row])
        write_npy(self.path("y.npy"), (9, 1), [0.25 * i for i in range(9)])
        self.good("kernel", "--set", "data.source=npy:x.npy,y.npy", "--set", "model.width=200",
                  "--out", "k")
        told = self.summary("k")["bottom_eigenvector"]
        self.assertEqual({index for index, _ in told["samples"][:2]}, {2, 7})
        self.assertGreater(told["samples"][1][1], 0.45)
        self.assertEqual(told["targets"][0], [0.25 * told["samples"][0][0]])
        self.assertNotIn("bottom_samples.npy", os.listdir(self.path("k")))
        page = self.read("k", "report.html").decode()
        self.assertIn("<h2>What sets μ</h2>", page)
        self.assertIn("sample 7, target 1.75", page)
        self.assertNotIn("<img", page)
        write_npy(self.path("x.npy"), (9, 2, 3), [x for row in inputs for x in row])
        self.good("kernel", "--set", "data.source=npy:x.npy,y.npy", "--set", "model.width=200",
                  "--set", "data.normalize=none", "--out", "i")
        told = self.summary("i")["bottom_eigenvector"]
        shape, pictures = read_npy(self.path("i", "bottom_samples.npy"))
        self.assertEqual(shape, (9, 1, 2, 3))
        self.assertEqual(pictures, [x for index, _ in told["samples"] for x in inputs[index]])

    def test_pictures_in_the_report(self):
        self.good("kernel", "--set", "model.width=24", "--set", "data.samples=12", "--out", "k")
        page = self.read("k", "report.html").decode()
        found = re.findall(r'<img alt="Picture of sample (\d+), label (\d)" '
                           r'src="data:image/png;base64,([A-Za-z0-9+/=]+)">', page)
        told = self.summary("k")["bottom_eigenvector"]
        self.assertEqual([int(sample) for sample, _, _ in found],
                         [sample for sample, _ in told["samples"]])
        self.assertEqual([int(label) for _, label, _ in found], told["labels"])
        pictures = read_npy(self.path("k", "bottom_samples.npy"))[1]
        for i, (_, _, text) in enumerate(found):
            data = base64.b64decode(text, validate=True)
            self.assertEqual(data[:8], b"\x89PNG\r\n\x1a\n")
            start = data.index(b"IDAT")
            length = int.from_bytes(data[start - 4:start], "big")
            rows = zlib.decompress(data[start + 4:start + 4 + length])
            values = pictures[64 * i:64 * (i + 1)]
            for j, value in enumerate(values):
                level = rows[j // 8 * 9 + 1 + j % 8]
                self.assertLessEqual(abs(level - 255 * value / max(values)), 0.51)
        os.remove(self.path("k", "bottom_samples.npy"))
        self.good("report", "k")
        self.assertNotIn("<img", self.read("k", "report.html").decode())

    def test_weights_come_back(self):
        self.good("train", *SMALL, "--steps", "4", "--set", "monitor.every=never", "--step-size",
                  "0.01", "--out", "t")
        self.good("kernel", "t/config.yaml", "--tensors", "t/weights.safetensors", "--out", "k")
        self.assertLess(abs(self.summary("k")["loss"] / self.summary("t")["loss"] - 1), 1e-6)
        self.assertIsNone(self.summary("t")["lambda_min"])
        self.assertIsNone(self.summary("t")["bottom_eigenvector"])
        self.assertIn("bottom_eigenvector is null because the kernel was not measured",
                      self.summary("t")["notes"])
        self.assertTrue(any("not measured" in note for note in self.summary("t")["notes"]))

    def test_stop_at(self):
        self.good("train", *SMALL, "--set", "train.stop_at=0.9", "--out", "t")
        summary = self.summary("t")
        self.assertEqual(summary["stopped"], "stop_at reached")
        self.assertLessEqual(summary["loss"], 0.9 * summary["initial_loss"])

    def test_theorem_step(self):
        self.good("train", *SMALL, "--step-size", "theorem", "--steps", "5", "--out", "t")
        summary = self.summary("t")
        self.assertEqual(summary["theorem_evidence"], "sampled")
        self.assertEqual(summary["step_size"], summary["theorem_step_size"])
        self.assertLess(summary["loss"], summary["initial_loss"])

    def same_kernels(self, base, variants):
        self.good("kernel", *base, "--out", "k0")
        for i, more in enumerate(variants, 1):
            self.good("kernel", *base, *more, "--out", f"k{i}")
            for name in ("kernel.npy", "outputs.npy"):
                self.assertEqual(self.read("k0", name), self.read(f"k{i}", name), (name, more))
            self.assertEqual(self.summary("k0")["lambda_min"], self.summary(f"k{i}")["lambda_min"])

    def test_threads_tiles_and_memory_change_no_bit(self):
        base = ["--set", "data.samples=300", "--set", "model.width=32", "--set",
                "output.report=false", "--set", "monitor.trace=true"]
        self.same_kernels([*base, "--threads", "1"],
                          [["--threads", "2"], ["--set", "monitor.tile=64"],
                           ["--set", "monitor.tile=200"], ["--set", "monitor.memory=64MB"]])

    def test_many_blocks_of_the_whole_kernel(self):
        base = ["--set", "data.samples=150", "--set", "model.width=16", "--set",
                "output.report=false", "--set", "monitor.refine=never"]
        self.same_kernels(base, [["--threads", "1", "--set", "monitor.tile=64"],
                                 ["--set", "monitor.memory=128MB"]])

    def test_threads_change_no_bit_of_training(self):
        base = ["train", *SMALL, "--optimizer", "sgd", "--batch", "5", "--steps", "20"]
        for threads in (1, 2):
            self.good(*base, "--threads", threads, "--out", f"t{threads}")
        for name in ("metrics.csv", "weights.safetensors"):
            self.assertEqual(self.read("t1", name), self.read("t2", name), name)

    def test_the_limit_of_infinite_width(self):
        base = ["kernel", "--set", "model.width=512", "--set", "data.samples=8", "--precision", "f64"]
        for name, more in (("k", []), ("t", ["--trace", "--set", "output.kernel=false"])):
            result = self.good(*base, "--infinite", *more, "--out", name)
            summary, outputs = self.summary(name), 10
            shape, theta = read_npy(self.path(name, "kernel_infinite.npy"))
            self.assertEqual(shape, (8, 8))
            self.assertEqual(theta, [theta[j * 8 + i] for i in range(8) for j in range(8)])
            self.assertIn("from that at infinite width", result.stdout)
            self.assertLess(summary["infinite_width_distance"], 0.3)
            self.assertGreater(summary["infinite_width_lambda_min"], summary["infinite_width_floor"])
            self.assertGreater(summary["infinite_width_order"], 0)
            self.assertLess(summary["infinite_width_error"], 2e-12)
            page = self.read(name, "report.html").decode()
            self.assertIn("Distance from infinite width", page)
            self.assertNotIn("infinite_width_distance</code>", page)
        self.assertEqual(self.read("k", "kernel_infinite.npy"), self.read("t", "kernel_infinite.npy"))
        self.assertFalse(os.path.exists(self.path("t", "kernel.npy")))
        size, kernel = 8 * outputs, read_npy(self.path("k", "kernel.npy"))[1]
        apart = whole = 0.0
        for i in range(size):
            for j in range(size):
                same = i % outputs == j % outputs
                expected = theta[i // outputs * 8 + j // outputs] if same else 0.0
                apart += (kernel[i * size + j] - expected) ** 2
                whole += expected ** 2
        distance = math.sqrt(apart / whole)
        self.assertAlmostEqual(self.summary("k")["infinite_width_distance"] / distance, 1, places=12)

    def test_no_limit_leaves_no_folder(self):
        self.refused(2, "kernel", "--infinite", "--set", "model.parameterization=standard", "--out",
                     "k", words=["standard parameterization", "ntk"])
        self.assertFalse(os.path.exists(self.path("k")))
        steep = ["kernel", *SMALL, "--infinite", "--set", "model.sigma_w=6", "--out", "k"]
        self.refused(1, *steep, words=["tanh", "4096 nodes", "output.infinite_tolerance"])
        self.assertFalse(os.path.exists(self.path("k")))
        self.good(*steep, "--set", "output.infinite_tolerance=1e-6")
        self.assertGreater(self.summary("k")["infinite_width_error"], 1e-12)
        self.good("kernel", *SMALL, "--infinite", "--overwrite", "--out", "k")
        self.good("kernel", *SMALL, "--overwrite", "--out", "k")
        self.assertFalse(os.path.exists(self.path("k", "kernel_infinite.npy")))
        self.assertNotIn("infinite_width_distance", self.summary("k"))

    def test_equal_inputs_are_noted(self):
        rows = [[1.0, 2.0], [0.5, -1.0], [3.0, 1.0], [0.5, -1.0]]
        write_npy(self.path("x.npy"), (4, 2), sum(rows, []))
        write_npy(self.path("y.npy"), (4, 1), [0.5, 1.5, 2.5, 3.5])
        self.good("kernel", "--set", "data.source=npy:x.npy,y.npy", "--set", "model.width=16",
                  "--set", "output.report=false", "--out", "k")
        notes = " ".join(self.summary("k")["notes"])
        self.assertIn("samples 1 and 3", notes)
        self.assertIn("below the floor", notes)
        self.assertIsNone(self.summary("k")["condition_number"])

    def test_data_that_is_not_finite(self):
        write_npy(self.path("x.npy"), (3, 2), [1.0, 2.0, 3.0, math.nan, 5.0, 6.0])
        write_npy(self.path("y.npy"), (3, 1), [0.5, 1.5, 2.5])
        self.refused(3, "kernel", "--set", "data.source=npy:x.npy,y.npy", words=["x.npy"])

    def test_data_that_is_not_there(self):
        self.refused(3, "kernel", "--set", "data.source=idx:none", words=["none"])
        self.refused(3, "kernel", "--tensors", "none.safetensors", words=["none.safetensors"])
        self.refused(2, "kernel", "--set", "data.source=digitz", words=["digitz"])
        self.refused(2, "kernel", "--set", "data.samples=5000", words=["5,000", "1,797"])
        result = run("kernel", "--set", "data.source=csv:none.csv", cwd=self.folder)
        self.assertEqual(result.returncode, 3, result.stderr)


main()
