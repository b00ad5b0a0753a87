"""The process that executes a notebook: ``python -m emrlab.emr.interactive.notebook_process FOLDER``.

``FOLDER/input.ipynb`` is executed with the parameters of ``FOLDER/parameters.json``; ``output.ipynb`` is written anew
after each cell, so that there is one whatever ends the process. The file ``running`` says that the kernel is up, and
``error`` in the end what went wrong.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

KERNEL = "python3"
PARAMETERS, INJECTED = "parameters", "injected-parameters"


def main(folder: Path) -> int:
    import nbformat

    html = (folder / "html").exists()
    try:
        notebook: Any = nbformat.read(folder / "input.ipynb", as_version=4)
    except Exception as error:  # nbformat raises what its readers raise
        return fail(folder, f"The notebook cannot be read: {first(error)}")
    inject(notebook, json.loads((folder / "parameters.json").read_text()))
    trouble = run(notebook, folder)
    nbformat.write(notebook, folder / "output.ipynb")
    if html:
        page(notebook, folder / "output.html")
    return fail(folder, trouble) if trouble else 0


def fail(folder: Path, error: str) -> int:
    (folder / "error").write_text(error)
    print(error, file=sys.stderr)
    return 1


def run(notebook: Any, folder: Path) -> str:
    """Execute in place. Returns what went wrong, empty if nothing did."""
    import nbformat
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    name = notebook.metadata.get("kernelspec", {}).get("name") or KERNEL
    client = NotebookClient(
        notebook,
        timeout=None,
        kernel_name=name,
        resources={"metadata": {"path": str(folder)}},
        extra_arguments=["--IPKernelApp.log_level=40"],  # it warns that loopback is not encrypted
        on_notebook_start=lambda **_: (folder / "running").touch(),
        on_cell_executed=lambda **_: nbformat.write(notebook, folder / "output.ipynb"),
    )
    try:
        client.execute()
    except CellExecutionError as error:
        return f"{error.ename}: {error.evalue}"
    except DeadKernelError:
        return "The kernel died."
    except NoSuchKernel:
        return f"There is no kernel named {name} on this cluster. Give the notebook the kernel {KERNEL}."
    return ""


def inject(notebook: Any, parameters: dict[str, Any]) -> None:
    """A cell that sets ``parameters``, behind the one tagged ``parameters``, or first; as papermill does it."""
    if not parameters:
        return
    import nbformat

    lines = "\n".join(f"{name} = {literal(value)}" for name, value in parameters.items())
    cell = nbformat.v4.new_code_cell(f"# Parameters\n{lines}\n", metadata={"tags": [INJECTED]})
    if (notebook.nbformat, notebook.nbformat_minor) < (4, 5):
        del cell["id"]
    cells = [one for one in notebook.cells if INJECTED not in one.metadata.get("tags", [])]
    place = next((n + 1 for n, one in enumerate(cells) if PARAMETERS in one.metadata.get("tags", [])), 0)
    notebook.cells = [*cells[:place], cell, *cells[place:]]


def literal(value: Any) -> str:
    """A value out of JSON as Python source."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"float({str(value)!r})"
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name!r}: {literal(one)}' for name, one in value.items())}}}"
    return repr(value)


def page(notebook: Any, file: Path) -> None:
    from nbconvert import HTMLExporter

    file.write_text(HTMLExporter().from_notebook_node(notebook)[0])


def first(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)[:500]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
