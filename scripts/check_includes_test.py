#!/usr/bin/env python3
"""Each rule of check_includes.py finds a tree that breaks it, and passes one that does not."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

CHECK = pathlib.Path(__file__).with_name("check_includes.py")
GOOD = {
    "frugal/base/error.h": "#pragma once\n#include <string>\n",
    "frugal/formats/model.h": '#pragma once\n#include "frugal/base/error.h"\n',
    "frugal/formats/model.cpp": '#include "frugal/formats/model.h"\n\n#include <vector>\n',
    "frugal/core/products.h": "#pragma once\n",
    "frugal/nn/decoder.h": '#pragma once\n#include "frugal/core/products.h"\n#include "frugal/formats/model.h"\n',
    "frugal/train/run/log.h": '#pragma once\n#include "frugal/base/error.h"\n',
    "frugal/tune/registry.h": '#pragma once\n#include "frugal/base/error.h"\n',
    "frugal/tune/mezo/config.h": '#pragma once\n#include "frugal/tune/registry.h"\n',
    "frugal/tune/mezo/torch/tuner.cpp": '#include "frugal/nn/decoder.h"\n#include "frugal/tune/mezo/config.h"\n',
    "frugal/verbs/eval/config.h": '#pragma once\n#include "frugal/tune/mezo/config.h"\n',
    "frugal/decide/bandit/policy.h": '#pragma once\n#include "frugal/base/error.h"\n',
    "frugal/cli/main.cpp": '#include "frugal/train/run/log.h"\n#include "frugal/tune/registry.h"\n',
}


def check(changes, *options):
    with tempfile.TemporaryDirectory() as root:
        for path, text in {**GOOD, **changes}.items():
            target = pathlib.Path(root, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        done = subprocess.run([sys.executable, CHECK, "--root", root, *options], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr


class Rules(unittest.TestCase):
    def refuses(self, path, text, expected):
        code, out = check({path: text})
        self.assertEqual(code, 1, out)
        self.assertIn(f"{path}: {expected}", out)

    def test_a_good_tree_passes(self):
        self.assertEqual(check({})[0], 0, check({})[1])

    def test_upwards(self):
        self.refuses("frugal/base/up.h", '#include "frugal/formats/model.h"\n', "base includes frugal/formats/model.h of formats")
        self.refuses("frugal/plan/side.h", '#include "frugal/data/d.h"\n', "includes frugal/data/d.h, which is not there")
        self.refuses("frugal/core/kernels/k.cpp", '#include "frugal/core/products.h"\n', "core/kernels includes")
        self.refuses("frugal/train/run/r.cpp", '#include "../../nn/decoder.h"\n#include "frugal/nn/decoder.h"\n', "train/run includes")

    def test_rooms(self):
        self.refuses("frugal/tune/lora/a.cpp", '#include "frugal/tune/mezo/config.h"\n', "includes frugal/tune/mezo/config.h of another folder")
        self.refuses("frugal/verbs/plan/a.cpp", '#include "frugal/verbs/eval/config.h"\n', "includes frugal/verbs/eval/config.h of another folder")
        self.refuses("frugal/cli/a.cpp", '#include "frugal/decide/bandit/policy.h"\n', "includes frugal/decide/bandit/policy.h of another room")
        self.refuses("frugal/train/up.cpp", '#include "frugal/decide/bandit/policy.h"\n', "train includes")

    def test_without_libtorch(self):
        self.refuses("frugal/cli/b.cpp", '#include "frugal/nn/decoder.h"\n', "must be free of LibTorch")
        self.refuses("frugal/decide/bandit/job.cpp", '#include "frugal/core/products.h"\n', "must be free of LibTorch")
        code, out = check({"frugal/tune/mezo/config.h": '#include "frugal/nn/decoder.h"\n'})
        self.assertEqual(code, 1)
        self.assertIn("frugal/verbs/eval/config.h: must be free of LibTorch, but reaches frugal/nn/decoder.h", out)

    def test_torch_in_a_header(self):
        self.refuses("frugal/nn/t.h", "#include <torch/torch.h>\n", "includes torch/torch.h")
        self.assertEqual(check({"frugal/nn/t.cpp": "#include <torch/torch.h>\n"})[0], 0)

    def test_own_header_first(self):
        self.refuses("frugal/formats/model.cpp", '#include <vector>\n#include "frugal/formats/model.h"\n', "its first include is vector")

    def test_length_and_columns(self):
        self.refuses("frugal/base/long.cpp", "\n" * 401, "has 401 lines, expected at most 400")
        wide = {"frugal/base/wide.cpp": "//" + "x" * 119 + "\n"}
        self.assertEqual(check(wide)[0], 0)
        self.assertIn("note: frugal/base/wide.cpp:1: has 121 columns", check(wide)[1])
        self.assertEqual(check(wide, "--strict")[0], 1)

    def test_headers_alone(self):
        with tempfile.TemporaryDirectory() as folder:
            commands = pathlib.Path(folder, "compile_commands.json")
            needy = {"frugal/base/needy.h": "inline std::string text();\n", "frugal/base/some.cpp": ""}

            def compiled(changes):
                with tempfile.TemporaryDirectory() as root:
                    for path, text in changes.items():
                        pathlib.Path(root, path).parent.mkdir(parents=True, exist_ok=True)
                        pathlib.Path(root, path).write_text(text)
                    commands.write_text(f'[{{"directory": "{root}", "file": "frugal/base/some.cpp", "command": "c++ -I. -o a.o -c some.cpp"}}]')
                    return subprocess.run([sys.executable, CHECK, "--root", root, "--headers", commands], capture_output=True, text=True)

            self.assertIn("frugal/base/needy.h: does not compile alone", compiled(needy).stdout)
            self.assertEqual(compiled({**needy, "frugal/base/needy.h": "#include <string>\ninline std::string text();\n"}).returncode, 0)


if __name__ == "__main__":
    unittest.main()
