"""Kernels that are not held, as the program shows them."""

import os

from support import SMALL, Case, main, read_npy

BASE = ["kernel", *SMALL, "--precision", "f64"]


class MatrixFree(Case):
    def test_numbers_are_those_of_the_kernel(self):
        self.good(*BASE, "--out", "held")
        result = self.good(*BASE, "--method", "matrix_free", "--set", "monitor.probes=40",
                           "--out", "free")
        held, free = self.summary("held"), self.summary("free")
        for key, places in (("lambda_max", 11), ("lambda_min", 6), ("pl_ratio", 12)):
            self.assertAlmostEqual(free[key] / held[key], 1, places=places)
        self.assertLess(abs(free["kernel_trace"] - held["kernel_trace"]),
                        5 * free["kernel_trace_error"])
        self.assertEqual(free["kernel_matrix_free"], "monitor.method is matrix_free")
        self.assertNotIn("kernel_matrix_free", held)
        for key in ("kernel_alignment", "bottom_eigenvector"):
            self.assertIsNone(free[key])
        self.assertEqual(free["kernel_ways"], [])
        self.assertIn("kernel      not held; trace", result.stdout)
        self.assertIn("K v = J (J^T v)", result.stderr)
        self.assertFalse(os.path.exists(self.path("free", "kernel.npy")))
        shape, rows = read_npy(self.path("free", "kernel_density.npy"))
        self.assertEqual(shape, (512, 2))
        self.assertAlmostEqual(sum(rows[1::2]) * (rows[2] - rows[0]), 1, places=2)
        self.good(*BASE, "--overwrite", "--out", "free")
        self.assertFalse(os.path.exists(self.path("free", "kernel_density.npy")))

    def test_mu_that_is_not_reached(self):
        few = ["--method", "matrix_free", "--set", "monitor.products=6"]
        result = self.good(*BASE, *few, "--set", "output.report=true", "--out", "k")
        summary = self.summary("k")
        self.assertIsNone(summary["lambda_min"])
        self.assertEqual(summary["lambda_min_lower"], 0)
        self.assertGreater(summary["lambda_min_upper"], 0)
        self.assertIn("not reached by products", result.stdout)
        self.assertTrue(any("monitor.products" in note for note in summary["notes"]))
        result = self.good("train", *SMALL, *few, "--steps", "4", "--set", "monitor.every=2",
                           "--set", "output.report=true", "--out", "t")
        summary = self.summary("t")
        for key in ("lambda_min", "mu_infimum", "kernel_change"):
            self.assertIsNone(summary[key])
        self.assertEqual(summary["violations"], 0)
        self.assertIn("0 <= rho <= lambda_max held at 3 of 3", result.stdout)
        self.assertNotIn("nan", result.stdout)
        row = self.metrics("t")[2]
        self.assertEqual((row["lambda_min"], row["kernel_change"]), ("", ""))
        self.assertGreater(float(row["lambda_max"]), 0)
        page = self.read("t", "report.html").decode().lower()
        self.assertNotIn(">nan", page)

    def test_what_needs_the_kernel_is_refused(self):
        for arguments, words in ((["--trace"], ["monitor.trace: true"]),
                                 (["--spectrum", "full"], ["monitor.spectrum: full"]),
                                 (["--linearized"], ["train.linearized: true"]),
                                 (["--step-size", "theorem"], ["train.step_size: theorem"]),
                                 (["--optimizer", "lm"], ["train.optimizer: lm"])):
            self.refused(2, "train", *SMALL, "--method", "matrix_free", *arguments, "--out", "t",
                         words=[*words, "matrix_free", "choose one of the two"])
            self.assertFalse(os.path.exists(self.path("t")))


main()
