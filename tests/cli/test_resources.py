"""Folders that cannot be written, full disks, too little memory, and what memory suffices for."""

import os
import random
import resource
import struct
import unittest

from support import SMALL, Case, main, run


def file_limit(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


class Resources(Case):
    def test_folders_that_cannot_be(self):
        self.write("file", "")
        self.refused(3, "kernel", *SMALL, "--out", "file", words=["file", "not a folder"])
        self.refused(3, "kernel", *SMALL, "--out", "file/k", words=["file/k"])
        self.refused(3, "train", *SMALL, "--out", "/proc/plstar", words=["/proc/plstar"])
        self.refused(2, "train", *SMALL, "--out", "", words=["--out"])

    def test_full_disk(self):
        for size, name in ((0, "config.yaml"), (4096, "kernel.npy")):
            self.refused(3, "kernel", *SMALL, "--out", f"k{size}", words=[name, "cannot be written"],
                         preexec_fn=file_limit(size))
            self.assertFalse(os.path.exists(self.path(f"k{size}", name)))
            left = [file for file in os.listdir(self.path(f"k{size}")) if "." in file]
            self.assertTrue(set(left) <= {"config.yaml", "outputs.npy"}, left)

    def test_disk_that_fills_while_training(self):
        self.refused(3, "train", *SMALL, "--out", "t", words=["metrics.csv"],
                     preexec_fn=file_limit(8192))
        rows = self.metrics("t")
        self.assertGreater(len(rows), 3)

    @unittest.skipIf("UBSAN_OPTIONS" in os.environ, "sanitizers need address space of their own")
    def test_little_address_space_is_refused_and_does_not_hang(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (150000000, 150000000))

        result = run("train", *SMALL, "--steps", "2", "--threads", "2", "--out", "a",
                     cwd=self.folder, preexec_fn=limit)
        self.assertEqual(result.returncode, 4, result.stderr)
        self.assertIn("address space", result.stderr)

    def test_the_reason_of_a_failed_write_is_told(self):
        result = run("train", "--set", "model.width=2000", "--set", "data.samples=12", "--steps",
                     "2", "--out", "f", cwd=self.folder, preexec_fn=file_limit(300000))
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertIn("File too large", result.stderr)

    def test_full_stdout(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            for arguments in (["--help"], ["kernel", *SMALL, "--json", "--out", "k"], ["info"]):
                result = run(*arguments, cwd=self.folder, stdout=full)
                self.assertEqual(result.returncode, 3, result.stderr)
                self.assertIn("No space left", result.stderr)

    def test_too_little_memory_is_refused_before_any_work(self):
        self.refused(4, "kernel", "--set", "model.width=10000000", "--out", "k", words=["bytes"])
        self.assertFalse(os.path.exists(self.path("k")))
        self.refused(4, "kernel", "--set", "data.samples=1797", "--set", "data.source=digits",
                     "--set", "model.width=3000000", "--out", "k", words=["bytes"])

    @unittest.skipIf("UBSAN_OPTIONS" in os.environ or "GCOV_ERROR_FILE" in os.environ,
                     "instrumented programs need memory and time of their own")
    def test_convolutions_within_two_gigabytes(self):
        """Three convolutions of 64 channels on 28 x 28 images, 64 samples of 10 outputs."""
        draw = random.Random(1)
        with open(self.path("noise-images-idx3-ubyte"), "wb") as file:
            file.write(struct.pack(">IIII", 2051, 64, 28, 28) + draw.randbytes(64 * 784))
        with open(self.path("noise-labels-idx1-ubyte"), "wb") as file:
            file.write(struct.pack(">II", 2049, 64) + bytes(i % 10 for i in range(64)))
        conv = "{type: conv, channels: 64, kernel: 3, activation: tanh}"
        for name, head in (("flat", "{type: flatten}"), ("mean", "{type: global_average_pool}")):
            self.good("kernel", "--set", "data.source=idx:noise", "--set",
                      f"model.layers=[{conv}, {conv}, {conv}, {head}, {{width: 10}}]", "--set",
                      "output.report=false", "--out", name)
            self.assertEqual(self.summary(name)["equations"], 640)
        kilobytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        self.assertLess(kilobytes, 2000000)

    def test_sphere_larger_than_memory(self):
        self.refused(4, "kernel", "--set", "data.source=sphere", "--set",
                     "data.samples=1000000000000", "--out", "k")


main()
