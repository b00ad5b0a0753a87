"""solve: run a lab with its reference solutions and tell what each check said."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ..errors import LabError
from ..home import home
from . import jupyter
from .console import Say, working


@dataclass(frozen=True)
class Result:
    """What the course's engine wrote about one check (one JSON line of the file ``EMRLAB_RESULTS``)."""

    lab: str
    exercise: str
    ok: bool
    message: str


@click.command()
@click.argument("notebook", type=click.Path(path_type=Path))
@click.option("--keep", is_flag=True, help="Leave the region running that was started for it.")
@click.option("--timeout", default=1800, show_default=True, help="Seconds that one cell may take.")
def solve(notebook: Path, keep: bool, timeout: int) -> None:
    """Run a lab with its reference solutions, without a browser.

    Prints each check's result; exit code 1 when one fails or a cell does. The notebook's file is not changed. Uses the
    running region, or one started for the purpose.
    """
    from ..region import control

    if not notebook.is_file():
        raise LabError(f"There is no notebook {notebook}. The labs are in {jupyter.labs()}.")
    started = control.status() is None
    with working("Starting the region …") as say:
        region = control.up(progress=say)
    try:
        with working(f"Running {notebook.name} …") as say:
            results, failure = execute(notebook, control.environment(region), timeout, say)
    finally:
        if started and not keep:
            with working("Stopping the region …"):
                control.down()
    report(results, failure)


def execute(notebook: Path, env: dict[str, str], timeout: int, say: Say) -> tuple[list[Result], str]:
    """Run ``notebook`` solved. Returns the checks' results, and what the failing cell said ("" if none failed)."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    try:
        content: Any = nbformat.read(notebook, as_version=4)
    except (ValueError, OSError) as error:
        raise LabError(f"{notebook} is not a notebook ({error}). Restore it: git checkout -- {notebook}") from error
    count = len(content.cells)
    os.environ.update(jupyter.environment(home()))  # where nbclient itself puts connection files
    failure = ""
    with tempfile.TemporaryDirectory(dir=folder()) as scratch:
        file = Path(scratch) / "results.jsonl"
        client = NotebookClient(
            content,
            timeout=timeout,
            kernel_name="python3",
            extra_arguments=["--IPKernelApp.log_level=40"],  # it warns that loopback is not encrypted
            resources={"metadata": {"path": str(notebook.resolve().parent)}},
            on_cell_execute=lambda cell, cell_index: say(f"Running {notebook.name}: cell {cell_index + 1} of {count}"),
        )
        try:
            client.execute(env={**os.environ, **env, "EMRLAB_SOLVE": "1", "EMRLAB_RESULTS": str(file)})
        except CellExecutionError as error:
            failure = f"A cell failed: {error.ename}: {error.evalue}"
        except CellTimeoutError as error:
            failure = f"A cell took longer than {timeout} s: {str(error).splitlines()[0]}. Allow more: --timeout"
        except DeadKernelError:
            failure = "The notebook's Python died. If memory was short (emrlab doctor tells), end other programs."
        return read_results(file), failure


def folder() -> Path:
    """Where the results file lies while a notebook runs."""
    place = home().root / "jupyter"
    place.mkdir(parents=True, exist_ok=True)
    return place


def read_results(file: Path) -> list[Result]:
    """The results in the order of the checks; none when no check ran."""
    if not file.exists():
        return []
    rows = [json.loads(line) for line in file.read_text().splitlines() if line.strip()]
    return [Result(str(r["lab"]), str(r["exercise"]), bool(r["ok"]), str(r.get("message", ""))) for r in rows]


def report(results: list[Result], failure: str) -> None:
    """Print each result; ``LabError`` unless there are some and all are good."""
    for result in results:
        click.secho("passed  " if result.ok else "failed  ", fg="green" if result.ok else "red", nl=False)
        click.echo(f"{result.lab} {result.exercise}: {result.message}")
    failed = sum(not result.ok for result in results)
    if failure:
        raise LabError(f"{failure}\nOpen the notebook and run it there to see more: emrlab lab")
    if not results:
        raise LabError("The notebook ran, but checked no exercise. Does it call emrlab.lab(…).exercise(…)?")
    if failed:
        raise LabError(f"{failed} of {len(results)} checks failed. Run the notebook to see why: emrlab lab")
    click.echo(f"All {len(results)} checks passed.")
