"""Small networks against float64 values of an independent automatic differentiation.

Differences are measured against the largest magnitude of each array: 1e-12 in f64, 1e-5 in f32."""

import os

from support import HERE, Case, main, read_npy, read_safetensors

REFERENCE = os.path.join(HERE, "..", "reference")
NAMES = sorted(os.listdir(REFERENCE))
TOLERANCE = {"f64": 1e-12, "f32": 1e-5}


class Reference(Case):
    def close(self, found, expected, precision, what):
        self.assertEqual(len(found), len(expected), what)
        scale = max(map(abs, expected))
        error = max(abs(a - b) for a, b in zip(found, expected))
        self.assertLessEqual(error, TOLERANCE[precision] * scale,
                             f"{what}: {error / scale:.3g} of the largest magnitude")

    def each(self, check):
        """Calls check(expected, precision, out, arguments) for every network, precision, method."""
        for name in NAMES:
            folder = os.path.join(REFERENCE, name)
            expected = read_safetensors(os.path.join(folder, "reference.safetensors"))
            expected = {key: values for key, (_, values) in expected.items()}
            for precision in ("f64", "f32"):
                for method in ("structured", "explicit"):
                    out = f"{name}-{precision}-{method}"
                    arguments = ["--set", f"model={folder}/model.json", "--tensors",
                                 f"{folder}/tensors.safetensors", "--precision", precision,
                                 "--method", method, "--spectrum", "full", "--set",
                                 "output.report=false", "--out", out]
                    with self.subTest(network=name, precision=precision, method=method):
                        check(expected, precision, out, arguments)

    def check_kernel(self, expected, precision, out, arguments):
        self.good("kernel", *arguments, "--gradient", "--set", "monitor.refine=never")
        for key in ("outputs", "gradient", "kernel", "eigenvalues"):
            self.close(read_npy(self.path(out, f"{key}.npy"))[1], expected[key], precision, key)
        summary = self.summary(out)
        for key in ("loss", "pl_ratio"):
            self.close([summary[key]], expected[key], precision, key)
        self.close([summary["lambda_min"], summary["lambda_max"]],
                   [expected["eigenvalues"][0], expected["eigenvalues"][-1]], precision, "extremes")

    def check_train(self, expected, precision, out, arguments):
        arguments += ["--step-size", repr(expected["gd_step_size"][0])]
        self.good("train", *arguments, "--steps", "20", "--set", "monitor.every=10")
        rows = self.metrics(out)
        self.close([float(row["loss"]) for row in rows], expected["gd_loss"], precision, "loss")
        extremes = [float(rows[step][key]) for step in (0, 10, 20)
                    for key in ("lambda_min", "lambda_max")]
        self.close(extremes, expected["gd_extreme_eigenvalues_at_0_10_20"], precision,
                   "extreme eigenvalues")
        # The final weights of the reference are those after the loss of step 20.
        self.good("train", "--resume", out, "--steps", "21")
        weights = read_safetensors(self.path(out, "weights.safetensors"))
        flat = [value for _, values in weights.values() for value in values]
        self.close(flat, expected["gd_final_weights"], precision, "weights")

    def test_kernel(self):
        self.each(self.check_kernel)

    def test_hessians(self):
        """Norms to 1e-9, as rounding of the products and the residual that is asked for allow."""
        for name in NAMES:
            folder = os.path.join(REFERENCE, name)
            expected = read_safetensors(os.path.join(folder, "reference.safetensors"))
            shape, norms = expected["output_hessian_norm"]
            with self.subTest(network=name):
                arguments = ["--set", f"model={folder}/model.json", "--tensors",
                             f"{folder}/tensors.safetensors", "--hessian", "loss,outputs",
                             "--hessian-samples", "3", "--precision", "f64", "--set",
                             "output.report=false", "--out", name]
                if name == "mlp_relu":
                    self.refused(2, "kernel", *arguments,
                                 words=["relu", "hessian.kinks: zero", "model.layers[0]"])
                    self.assertFalse(os.path.exists(self.path(name)))
                    arguments += ["--set", "hessian.kinks=zero"]
                self.good("kernel", *arguments)
                summary = self.summary(name)
                found = [norm for row in summary["output_hessian_norm"] for norm in row]
                self.assertEqual(shape, (3, len(found) // 3))
                pairs = list(zip(found, norms))
                pairs.append((summary["loss_hessian_norm"], expected["loss_hessian_norm"][1][0]))
                for number, reference in pairs:
                    self.assertLessEqual(abs(number / reference - 1), 1e-9)

    def test_train(self):
        self.each(self.check_train)


main()
