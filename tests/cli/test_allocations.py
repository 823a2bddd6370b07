"""The program survives the failure of any of its allocations: it ends with a sentence and exit
status 4, or does without; never by a signal, and never with half a file."""

import json
import os
import unittest

from support import Case, run

FAILING = os.environ.get("PLSTAR_FAIL_ALLOCATION", "")
TINY = ["--set", "model.width=8", "--set", "data.samples=6", "--threads", "1"]


@unittest.skipUnless(os.path.exists(FAILING), "sanitizers and coverage bring allocations of their own")
class Allocations(Case):
    def environment(self, at):
        return dict(os.environ, LD_PRELOAD=FAILING, FAIL_AT=str(at), FAIL_COUNT=self.count,
                    OMP_WAIT_POLICY="passive")

    def fail_each(self, *arguments, written=()):
        self.count = os.path.join(self.folder, "count")
        whole = run(*arguments, env=self.environment(0))
        self.assertEqual(whole.returncode, 0, whole.stderr)
        with open(self.count, encoding="utf-8") as file:
            calls = int(file.read())
        self.assertGreater(calls, 10)
        failed = 0
        for at in range(1, calls + 1):
            for path in written:
                if os.path.exists(path):
                    os.remove(path)
            result = run(*arguments, env=self.environment(at))
            self.assertIn(result.returncode, (0, 4), f"allocation {at}: {result.stderr}")
            if result.returncode == 4:
                failed += 1
                self.assertIn("memory", result.stderr, f"allocation {at}")
            for path in written:
                if os.path.exists(path):
                    with open(path, encoding="utf-8") as file:
                        json.load(file)
        self.assertGreater(failed, calls // 8)

    def test_kernel(self):
        out = os.path.join(self.folder, "out")
        self.fail_each("kernel", *TINY, "--spectrum", "full", "--gradient", "--jacobian",
                       "--infinite", "--out", out, "--overwrite", "--set", "output.report=false",
                       written=[os.path.join(out, "summary.json")])

    def test_train_and_report(self):
        out = os.path.join(self.folder, "out")
        self.fail_each("train", *TINY, "--steps", "2", "--linearized", "--out", out, "--overwrite",
                       "--set", "output.report=false",
                       written=[os.path.join(out, "summary.json")])

    def test_info(self):
        self.fail_each("info", "--json")


if __name__ == "__main__":
    unittest.main()
