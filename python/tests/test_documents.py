"""The examples of the README and the pages as written, and the tutorials as scripts."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import emobox
import pytest
from conftest import REPOSITORY



def examples(page: str) -> list[str]:
    """The blocks `python` of a page."""
    return re.findall(r"```python\n(.*?)```", (REPOSITORY / page).read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize(("page", "count"), [("README.md", 3), ("docs/python.md", 4)])
def test_a_page_runs_as_written(page: str, count: int, tmp_path: Path) -> None:
    found = examples(page)
    assert len(found) == count
    # The examples build on each other, as a reader would type them.
    subprocess.run([sys.executable, "-c", "\n".join(found)], cwd=tmp_path, check=True, timeout=600)


def test_onnxruntime_says_what_the_walked_model_says(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    [code] = examples("docs/walk.md")
    recordings = emobox.demo_corpus(tmp_path / "recordings")
    # What the page's commands leave: a model, its answers and the exported folder.
    emobox.fit("mine", corpora={"demo": recordings}, encoders={"fbank": None}, training_seeds=1, home=tmp_path / "home")
    model = emobox.Model("mine", home=tmp_path / "home")
    model.export(tmp_path / "exported")
    files = sorted(Path(recordings).rglob("*.wav"))[:20]
    with open(tmp_path / "answers.csv", "w", encoding="utf-8") as table:
        table.write("file,prediction\n")
        for file in files:
            table.write(f"{file},{model(file).prediction}\n")
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=300)


@pytest.mark.parametrize(
    ("tutorial", "needs"),
    [("first_benchmark", "pandas"), ("scikit_learn", "sklearn"), ("data_loader", "torch")],
)
def test_a_tutorial_runs_and_ends_in_something_to_see(tutorial: str, needs: str, tmp_path: Path) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip(needs)
    notebook = nbformat.read(REPOSITORY / f"python/tutorials/{tutorial}.ipynb", 4)
    kept = [cell for cell in notebook.cells if cell.cell_type == "code"][-1].outputs
    assert kept, "the notebook in the tree has no outputs"
    nbclient.NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(tmp_path)}}).execute()
    last = [cell for cell in notebook.cells if cell.cell_type == "code"][-1].outputs
    assert [output.output_type for output in last] == [output.output_type for output in kept]
