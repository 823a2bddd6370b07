"""plstar kernel --hessian: its numbers against each other, its files, and what it refuses."""

import os

from support import SMALL, Case, main, read_npy

SHORT = ["kernel", *SMALL, "--precision", "f64"]


class Hessian(Case):
    def test_numbers_agree(self):
        result = self.good(*SHORT, "--hessian", "outputs,loss", "--set", "hessian.probes=40",
                           "--set", "hessian.steps=20", "--out", "h")
        summary = self.summary("h")
        low, high = summary["loss_hessian_lambda_min"], summary["loss_hessian_lambda_max"]
        self.assertEqual(summary["loss_hessian_norm"], max(abs(low), abs(high)))
        self.assertLess(low, 0)  # over-parameterized, away from a solution
        self.assertLessEqual(summary["loss_hessian_residual"], 2e-10 * summary["loss_hessian_norm"])
        norms = summary["output_hessian_norm"]
        self.assertEqual([len(row) for row in norms], [10] * 12)
        self.assertEqual(summary["output_hessian_norm_max"], max(map(max, norms)))
        self.assertGreater(min(map(min, norms)), 0)
        # Weyl: lambda_max(J^T J) lies within sum |r_i| ||H_i|| of lambda_max(H_L).
        room = (2 * summary["loss"] * 120) ** 0.5 * summary["output_hessian_norm_max"]
        self.assertLessEqual(abs(high - summary["lambda_max"]), room)
        self.assertGreaterEqual(low, -room)
        for word in ("Hessian     of the loss", "from 40 probes", "of 10 outputs of 12 samples"):
            self.assertIn(word, result.stdout)
        for key in ("loss_hessian", "output_hessians"):
            self.assertGreater(summary["seconds"][key], 0)

    def test_trace_and_density(self):
        self.good(*SHORT, "--hessian", "loss", "--set", "hessian.probes=64", "--set",
                  "output.report=true", "--out", "h")
        page = self.read("h", "report.html").decode()
        for word in ("Hessian norm", "Trace of <i>H<sub>L</sub></i>", "standard error"):
            self.assertIn(word, page)
        summary = self.summary("h")
        self.assertGreater(summary["loss_hessian_trace_error"], 0)
        shape, rows = read_npy(self.path("h", "hessian_density.npy"))
        self.assertEqual(shape, (512, 2))
        grid, density = rows[0::2], rows[1::2]
        self.assertEqual(grid, sorted(grid))
        self.assertLess(grid[0], summary["loss_hessian_lambda_min"])
        self.assertGreater(grid[-1], summary["loss_hessian_lambda_max"])
        self.assertGreaterEqual(min(density), 0)
        step = grid[1] - grid[0]
        self.assertAlmostEqual(sum(density) * step, 1, places=2)
        trace = summary["parameters"] * step * sum(map(lambda x, p: x * p, grid, density))
        self.assertAlmostEqual(trace / summary["loss_hessian_trace"], 1, places=1)

    def test_numbers_do_not_depend_on_threads_or_company(self):
        for name, more in (("a", ["--threads", "1", "--hessian-samples", "2"]),
                           ("b", ["--threads", "3"])):
            self.good(*SHORT, "--hessian", "outputs", *more, "--out", name)
        self.assertEqual(self.summary("a")["output_hessian_norm"],
                         self.summary("b")["output_hessian_norm"][:2])
        self.assertNotIn("loss_hessian_norm", self.summary("a"))

    def test_files_of_a_former_run_go(self):
        self.good(*SHORT, "--hessian", "loss", "--set", "hessian.probes=1", "--out", "h")
        self.assertIsNone(self.summary("h")["loss_hessian_trace_error"])
        self.good(*SHORT, "--overwrite", "--out", "h")
        self.assertFalse(os.path.exists(self.path("h", "hessian_density.npy")))
        self.assertNotIn("loss_hessian_norm", self.summary("h"))

    def test_refused(self):
        for arguments, words in (
                (["--hessian", "weights"], ["hessian", "weights", "loss,outputs"]),
                (["--hessian", "outputs", "--hessian-samples", "13"],
                 ["hessian.samples: is 13", "12 samples"]),
                (["--hessian", "outputs", "--hessian-samples", "-1"], ["hessian-samples", "-1"]),
                (["--hessian", "loss", "--hessian-samples", "2"], ["hessian.samples", "outputs"]),
                (["--hessian", "outputs", "--set", "hessian.probes=2"],
                 ["hessian.probes", "--hessian loss"]),
                (["--hessian", "loss", "--set", "hessian.tolerance=0"], ["hessian.tolerance"]),
                (["--hessian", "loss", "--set", "hessian.steps=0"], ["hessian.steps"]),
                (["--hessian", "loss", "--set",
                  "model.layers=[{width: 9, activation: relu}, {width: 10}]"],
                 ["model.layers[0] is relu", "hessian.kinks: zero"])):
            self.refused(2, *SHORT, *arguments, "--out", "h", words=words)
            self.assertFalse(os.path.exists(self.path("h")))
        self.refused(4, *SHORT, "--hessian", "loss", "--set", "hessian.memory=1KB", "--out", "h",
                     words=["Lanczos", "memory"])


main()
