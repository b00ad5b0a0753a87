"""Store a lab's outputs: run it with its solutions, keep what a reader without a kernel should see.

    python -m emrlab.course.store labs/1-clusters/1.1-first-cluster.ipynb

Exercises keep the blanks of the notebook, and the output that an exercise has before it is tried: no spoilers.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from ..widgets.exercise import answer
from .exercises import ask, count_blanks, marked

VIEW = "application/vnd.jupyter.widget-view+json"


def stored(notebook: Any) -> Any:
    """``notebook`` (run) with the outputs that are worth keeping, in place."""
    notebook.metadata.pop("widgets", None)
    number = 0
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        number += 1
        cell.execution_count = number
        found = marked(cell.source.splitlines(keepends=True))
        cell.outputs = [untried(*found)] if found else [kept(output) for output in cell.outputs]
        for output in cell.outputs:
            if "execution_count" in output:
                output["execution_count"] = number
    return notebook


def kept(output: Any) -> Any:
    """Without references to a kernel's widgets, which a reader does not have."""
    if "data" in output:
        output["data"].pop(VIEW, None)
    output.get("metadata", {}).clear()
    return output


def untried(exercise_id: str, source: str) -> Any:
    import nbformat

    page = answer(f"Exercise {exercise_id}", "warn", ask(count_blanks(source)))
    return nbformat.v4.new_output("display_data", {"text/html": page.html, "text/plain": page.text})


def main(file: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook: Any = nbformat.read(file, as_version=4)
    os.environ["EMRLAB_SOLVE"] = "1"
    where = {"metadata": {"path": str(file.resolve().parent)}}
    NotebookClient(notebook, timeout=1800, kernel_name="python3", resources=where).execute()
    nbformat.write(stored(notebook), file)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
