"""The README's examples as written, and the tutorials as scripts."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY

EXAMPLES = re.findall(r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text(encoding="utf-8"), re.DOTALL)


def test_the_readme_has_three_examples() -> None:
    assert len(EXAMPLES) == 3


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_a_readme_example_runs_as_written(number: int, tmp_path: Path) -> None:
    # The examples build on each other, as a reader would type them.
    code = "\n".join(EXAMPLES[: number + 1])
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=300)


@pytest.mark.parametrize(
    ("tutorial", "needs"),
    [("scikit_learn.py", "sklearn"), ("data_loader.py", "torch")],
)
def test_a_tutorial_runs(tutorial: str, needs: str, tmp_path: Path) -> None:
    if subprocess.run([sys.executable, "-c", f"import {needs}"], capture_output=True, check=False).returncode:
        pytest.skip(f"{needs} is not installed")
    script = REPOSITORY / "python/tutorials" / tutorial
    run = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, check=True, capture_output=True, text=True, timeout=300
    )
    assert "UA" in run.stdout, run.stdout
