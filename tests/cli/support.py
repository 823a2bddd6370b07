"""Running the program and reading what it leaves; standard library only."""

import ast
import csv
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
from array import array

PROGRAM = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "plstar"
# The sanitizer's malloc must fail as the system's does, for the tests of too little memory.
os.environ.setdefault("ASAN_OPTIONS", "allocator_may_return_null=1")
HERE = os.path.dirname(os.path.abspath(__file__))

SMALL = ["--set", "model.width=24", "--set", "data.samples=12", "--set", "output.report=false"]


def on_device(arguments):
    """The arguments of a command that computes, on the device under test."""
    device = os.environ.get("PLSTAR_TEST_DEVICE", "cpu")
    computes = arguments[:1] in (["train"], ["solve"], ["kernel"], ["audit"], ["study"])
    named = any(word.startswith(("--device", "--resume", "--help")) for word in arguments)
    if not computes or named:
        return arguments
    return arguments[:1] + ["--device", device] + arguments[1:]


def run(*arguments, cwd=None, **more):
    """The finished process, stdout and stderr as text."""
    arguments = on_device([str(word) for word in arguments])
    result = subprocess.run([PROGRAM, *arguments], cwd=cwd, stdin=subprocess.DEVNULL,
                            stdout=more.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE,
                            text=True, timeout=600, **more)
    result.stderr = "".join(line for line in result.stderr.splitlines(keepends=True)
                            if "WARNING: AddressSanitizer failed to allocate" not in line)
    return result


def numbers(data):
    """A little-endian f64 array of bytes."""
    values = array("d", data)
    if sys.byteorder == "big":
        values.byteswap()
    return list(values)


def read_npy(path):
    """(shape, values) of a float64 .npy file."""
    with open(path, "rb") as file:
        data = file.read()
    assert data[:6] == b"\x93NUMPY" and data[6] == 1, path
    length = struct.unpack("<H", data[8:10])[0]
    header = ast.literal_eval(data[10:10 + length].decode())
    assert header["descr"] == "<f8" and not header["fortran_order"], header
    return header["shape"], numbers(data[10 + length:])


def write_npy(path, shape, values):
    header = repr({"descr": "<f8", "fortran_order": False, "shape": tuple(shape)})
    header += " " * (-(len(header) + 11) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
        file.write(struct.pack(f"<{len(values)}d", *values))


def read_safetensors(path):
    """{name: (shape, values)} in the order of the file's header."""
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack("<Q", data[:8])[0]
    tensors = {}
    for name, entry in json.loads(data[8:8 + length]).items():
        if name != "__metadata__":
            first, last = (8 + length + offset for offset in entry["data_offsets"])
            code = {"F64": "d", "F32": "f"}[entry["dtype"]]
            values = struct.unpack(f"<{(last - first) // struct.calcsize(code)}{code}",
                                   data[first:last])
            tensors[name] = (tuple(entry["shape"]), list(values))
    return tensors


class Case(unittest.TestCase):
    """A test with a folder of its own."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="plstar-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def read(self, *names):
        with open(self.path(*names), "rb") as file:
            return file.read()

    def summary(self, name):
        def refuse(constant):
            raise ValueError(f"{constant} in summary.json")
        return json.loads(self.read(name, "summary.json"), parse_constant=refuse)

    def metrics(self, name):
        with open(self.path(name, "metrics.csv"), newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def good(self, *arguments, **more):
        result = run(*arguments, cwd=self.folder, **more)
        self.assertEqual(result.returncode, 0, (arguments, result.stderr))
        self.assertNotIn("Sanitizer", result.stderr)
        return result

    def refused(self, status, *arguments, words=(), **more):
        """Fails with this exit status, in one sentence with all these words."""
        result = run(*arguments, cwd=self.folder, **more)
        self.assertEqual(result.returncode, status, (arguments, result.stdout, result.stderr))
        self.assertTrue(result.stderr.startswith("plstar: error: "), result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        for word in words:
            self.assertIn(word, result.stderr, arguments)
        return result


def main():
    unittest.main(verbosity=2)
