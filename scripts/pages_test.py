#!/usr/bin/env python3
"""Tests of what turns text into files: contributing_example.py and make_pages.py."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import contributing_example
import make_pages

FRUGAL = """#!/bin/sh
case "$*" in
  "list"*) echo '{"verbs": [{"verb": "coin", "summary": "toss a coin", "source": "a paper | 1713", "folder": "decide/coin"}]}' ;;
  "help coin") printf 'frugal coin: toss a coin\\n\\nactions:\\n  run     toss it\\n          often\\n\\nfrugal coin ACTION --help\\n' ;;
  "help coin run") echo "OPTIONS OF RUN" ;;
  *) exit 2 ;;
esac
"""


class Examples(unittest.TestCase):
    def test_named_blocks_are_files(self):
        text = "# A\n\n`frugal/a/b/x.h`:\n\n```cpp\n#pragma once\n\nint x;\n```\n\n```\nnot a file\n```\n`frugal/a/b/y.h` is not named:\n"
        self.assertEqual(contributing_example.files_of(text), {"frugal/a/b/x.h": "#pragma once\n\nint x;\n"})

    def test_broken_blocks_are_refused(self):
        named = "`frugal/a/b/x.h`:\n\n"
        for text in (named + "no block", named + "```cpp\nint x;", (named + "```\n```\n") * 2, "`frugal/../x.h`:\n\n```\n```\n"):
            with self.assertRaises(ValueError):
                contributing_example.files_of(text)


class Pages(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        self.program = self.root / "frugal_program"
        self.program.write_text(FRUGAL)
        self.program.chmod(0o755)
        own = self.root / "frugal/decide/coin"
        (own / "torch").mkdir(parents=True)
        (own / "README.md").write_text("# Coin\n\nSee [the other](../dice/README.md) and [the web](https://example.org).\n")
        (own / "packages.txt").write_text("libcoin-dev  # MIT\nlibdice-dev\n")

    def tearDown(self):
        self.folder.cleanup()

    def test_a_page_is_the_readme_and_the_help_of_each_action(self):
        out = self.root / "out"
        out.mkdir()
        (out / "gone.md").write_text("of a verb that is no more")
        subprocess.run([sys.executable, make_pages.__file__, self.program, out, "--root", self.root], check=True)
        self.assertEqual(sorted(path.name for path in out.iterdir()), ["coin.md", "systems.md"])
        page = (out / "coin.md").read_text()
        for part in ("# Coin", "(../../frugal/decide/dice/README.md)", "(https://example.org)", "OPTIONS OF RUN", "libcoin-dev (MIT)"):
            self.assertIn(part, page)
        row = (out / "systems.md").read_text().splitlines()[-1]
        for part in ("[coin](coin.md)", "a paper \\| 1713", "`frugal/decide/coin`", "LibTorch (BSD-3-Clause)", "libdice-dev (licence not stated)"):
            self.assertIn(part, row)

    def test_a_program_that_fails_is_an_error(self):
        self.program.write_text("#!/bin/sh\nexit 7\n")
        result = subprocess.run([sys.executable, make_pages.__file__, self.program, self.root / "out", "--root", self.root],
                                capture_output=True, text=True)
        self.assertEqual(result.returncode, 1)
        self.assertIn("7", result.stderr)


if __name__ == "__main__":
    unittest.main()
