"""The check of a device (gpu_check, scripts/gpu-check), tried in small sizes on the CPU, or on the
device that PLSTAR_TEST_DEVICE names."""

import json
import math
import os
import shutil
import struct
import subprocess

from support import HERE, PROGRAM, Case, main

BUILD = os.path.dirname(PROGRAM)
os.environ.setdefault("PLSTAR_CUDA_MODULE", os.path.join(BUILD, "plstar-cuda.so"))
ROOT = os.path.join(HERE, "..", "..")
REFERENCE = os.path.join(HERE, "..", "reference")
SCRIPT = os.path.join(ROOT, "scripts", "gpu-check")
GPU_CHECK = os.path.join(BUILD, "bench", "gpu_check")
DEVICE = os.environ.get("PLSTAR_TEST_DEVICE", "cpu")
COREUTILS = ("bash", "date", "dirname", "mkdir", "rm", "tail", "env", "cat")


def execute(*command, cwd=None, env=None):
    return subprocess.run([str(word) for word in command], cwd=cwd, env=env, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=600)


class GpuCheck(Case):
    def check(self, *arguments, status=0, reference=REFERENCE):
        result = execute(GPU_CHECK, "--quick", "--device", DEVICE, "--reference", reference,
                         *arguments, cwd=self.folder,
                         env={**os.environ, "OMP_WAIT_POLICY": "passive",
                              "OPENBLAS_NUM_THREADS": "1"})
        self.assertEqual(result.returncode, status, (arguments, result.stdout, result.stderr))
        return result

    def results(self, name):
        def refuse(constant):
            raise ValueError(f"{constant} in {name}")
        return json.loads(self.read(name), parse_constant=refuse)

    def test_everything_passes_and_is_recorded(self):
        self.check("--json", "all.json", "--commit", "abc", "--driver", "1.2", "--toolkit", "13",
                   "--outside", "tool memcheck=passed", "--outside", "tool other=missing")
        found = self.results("all.json")
        self.assertTrue(found["passed"])
        self.assertTrue(found["quick"])
        self.assertEqual(found["commit"], "abc")
        self.assertTrue(found["device"]["name"].startswith(DEVICE))
        self.assertEqual((found["device"]["driver"], found["device"]["toolkit"]), ("1.2", "13"))
        self.assertGreater(found["device"]["memory_bytes"], 0)
        self.assertRegex(found["date"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        sections = {}
        for check in found["checks"]:
            sections.setdefault(check["section"], []).append(check)
            self.assertEqual(check["result"],
                             "missing" if check["name"] == "tool other" else "passed")
        self.assertEqual(set(sections),
                         {"conformance", "reference", "agreement", "benchmark", "outside"})
        self.assertEqual(found["checks_made"], len(found["checks"]) - 1)
        self.assertGreater(sum(check["cases"] for check in sections["conformance"]), 500)
        self.assertEqual(len(sections["reference"]), 2 * len(os.listdir(REFERENCE)))
        for check in sections["reference"]:
            self.assertEqual(len(check["errors"]), 15)
        self.assertEqual(len(sections["agreement"]), 4)
        self.check_timings(found)

    def check_timings(self, found):
        ceilings = found["ceilings"]
        self.assertEqual(len(ceilings), 3)
        operations = set()
        for timing in found["timings"]:
            operations.add(timing["operation"])
            self.assertGreater(timing["median"], 0)
            self.assertLessEqual(timing["p10"], timing["median"])
            self.assertLessEqual(timing["median"], timing["p90"])
            rate = {"copy": "copy_bytes_per_second", "gemm_f32": "gemm_f32_flops_per_second",
                    "gemm_f64": "gemm_f64_flops_per_second"}[timing["bound"]]
            work = timing["bytes" if timing["bound"] == "copy" else "flops"]
            share = work / ceilings[rate] / timing["median"]
            self.assertTrue(math.isclose(timing["share"], share, rel_tol=1e-9), timing)
            if timing["operation"].startswith("gram"):
                n, p, whole = timing["m"], timing["p"], timing["variant"] & 2
                self.assertEqual(timing["flops"], 2 * n * n * p if whole else n * (n + 1) * p)
                self.assertGreater(timing["share_of_gemm_f64"], 0)
                self.assertIn("arithmetic", timing)
        self.assertLessEqual({"gemm", "gram", "gram_split", "axpby", "bias_activation", "potrf"},
                             operations)

    def test_a_wrong_reference_is_found(self):
        """One number of one network, changed in the seventh digit, fails in f64 and passes in f32
        where its tolerance is wider."""
        shutil.copytree(REFERENCE, self.path("reference"))
        path = self.path("reference", "mlp_relu", "reference.safetensors")
        with open(path, "r+b") as file:
            start = 8 + struct.unpack("<Q", file.read(8))[0]
            file.seek(8)
            header = json.loads(file.read(start - 8))
            file.seek(start + header["loss"]["data_offsets"][0])
            value, = struct.unpack("<d", file.read(8))
            file.seek(-8, os.SEEK_CUR)
            file.write(struct.pack("<d", value * (1 + 1e-7)))
        result = self.check("--only", "reference", "--json", "wrong.json", status=1,
                            reference=self.path("reference"))
        found = self.results("wrong.json")
        failed = [check["name"] for check in found["checks"] if check["result"] == "failed"]
        self.assertEqual(failed, ["mlp_relu f64 structured"])
        self.assertFalse(found["passed"])
        self.assertIn("loss: error 1e-07", result.stderr)

    def test_checks_that_cannot_be_made_fail(self):
        os.mkdir(self.path("empty"))
        self.check("--only", "reference", status=1, reference=self.path("empty"))
        self.check("--only", "reference", status=1, reference=self.path("nowhere"))
        os.mkdir(self.path("empty", "network"))
        result = self.check("--only", "reference", status=1, reference=self.path("empty"))
        self.assertIn("model.json", result.stderr)
        self.check("--only", "agreement", "--outside", "a tool=failed", status=1)

    def test_usage(self):
        for arguments, word in [(["--only", "conformance,speed"], "--only"), (["--only"], "value"),
                                (["--outside", "memcheck"], "--outside"), (["--fast"], "--fast"),
                                (["--json", ""], "value"), (["--device", "tpu"], "tpu")]:
            result = self.check(*arguments, status=2)
            self.assertIn(word, result.stderr)
            self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertIn("CUDA", self.check("--device", "cuda:9000", "--json", "none.json",
                                              status=4).stderr)
        self.assertFalse(os.path.exists(self.path("none.json")))
        self.check("--only", "agreement", "--json", "no/folder.json", status=3)
        for line in self.check("--help").stdout.splitlines():
            self.assertLessEqual(len(line), 80, line)

    # ---- scripts/gpu-check ----------------------------------------------------------------------

    def pack(self, *more):
        result = execute(SCRIPT, "--pack", self.path("pack"), "--device", DEVICE, "--build", BUILD,
                         *more)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return self.path("pack", "run")

    def bare(self, *more):
        """An environment with bash, coreutils and these programs."""
        os.makedirs(self.path("bin"), exist_ok=True)
        for name in COREUTILS:
            if not os.path.lexists(self.path("bin", name)):
                os.symlink(shutil.which(name), self.path("bin", name))
        for name, text in more:
            with open(self.path("bin", name), "w", encoding="utf-8") as file:
                file.write("#!/usr/bin/env bash\n" + text)
            os.chmod(self.path("bin", name), 0o755)
        return {"PATH": self.path("bin")}

    def test_a_packed_folder_runs_alone(self):
        run = self.pack()
        self.assertEqual(sorted(os.listdir(self.path("pack"))),
                         ["bin", "facts", "lib", "reference", "run"])
        size = sum(os.path.getsize(os.path.join(folder, name))
                   for folder, _, names in os.walk(self.path("pack")) for name in names)
        if DEVICE == "cpu": # the emulated module brings sanitizers
            self.assertLess(size, 60e6)
        sanitizer = 'while [[ $1 == --* ]]; do shift 2; done\nexec "$@"\n'
        result = execute(run, "--quick", "--device", DEVICE, "--sanitizers", "memcheck", "--only",
                         "reference", cwd=self.folder,
                         env=self.bare(("compute-sanitizer", sanitizer)))
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        name, = (name for name in os.listdir(self.folder) if name.startswith("gpu-"))
        found = self.results(name)
        self.assertRegex(name, r"^gpu-[a-z0-9-]*[a-z0-9]-\d{4}-\d\d-\d\d\.json$")
        self.assertEqual([check["result"] for check in found["checks"]
                          if check["name"] == "compute-sanitizer memcheck"], ["passed"])
        self.assertEqual([entry for entry in os.listdir(self.folder) if entry.endswith(".log")], [])

    def test_findings_of_a_sanitizer_fail(self):
        run = self.pack()
        result = execute(run, "--quick", "--device", DEVICE, "--sanitizers", "memcheck,racecheck",
                         "--only", "reference", "--json", "r.json", cwd=self.folder,
                         env=self.bare(("compute-sanitizer", "echo a hazard\nexit 9\n")))
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        self.assertIn("a hazard", result.stderr)
        self.assertEqual(self.read("r-racecheck.log"), b"a hazard\n")
        self.assertEqual(self.results("r.json")["checks_failed"], 2)

    def test_what_is_packed_to_build_elsewhere(self):
        self.pack("--with-dependencies")
        for name in ("cblas.h", "lapacke.h", "yaml.h", "jansson.h", "zlib.h", "csv.h",
                     "Random123/philox.h"):
            self.assertTrue(os.path.exists(self.path("pack", "include", name)), name)
        for tool in ("ninja", "pkg-config"):
            result = execute(self.path("pack", "tools", tool), "--version", env=self.bare())
            self.assertEqual(result.returncode, 0, result.stderr)
        with open(self.path("pack", "packages"), encoding="utf-8") as file:
            self.assertEqual(len([line for line in file if len(line.split()) == 3]), 4)

    def test_no_gpu(self):
        run = self.pack()
        result = execute(run, "--device", "cuda:9000", "--results", "results", cwd=self.folder,
                         env=self.bare())
        self.assertEqual(result.returncode, 4, result.stdout + result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertFalse(os.path.exists(self.path("results")))

    def test_usage_of_the_scripts(self):
        for arguments in (["--packs"], ["--json"], ["--device", "tpu"], ["--with-cuda-libraries"],
                          ["--build", BUILD, "--dependencies", "x"], ["--build", "nowhere"]):
            result = execute(SCRIPT, *arguments)
            self.assertEqual(result.returncode, 2, (arguments, result.stdout, result.stderr))
        self.write("precious", "")
        result = execute(SCRIPT, "--pack", self.folder, "--device", "cpu", "--build", BUILD)
        self.assertEqual(result.returncode, 1)
        self.assertTrue(os.path.exists(self.path("precious")))
        for script in (SCRIPT, SCRIPT + "-run"):
            result = execute(script, "--help")
            self.assertEqual(result.returncode, 0)
            for line in result.stdout.splitlines():
                self.assertLessEqual(len(line), 80, line)


main()
