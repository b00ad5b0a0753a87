"""What commands print: sizes, progress. Progress goes to stderr, so that stdout can be piped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

Say = Callable[[str], None]


def stderr() -> Console:
    """Where progress goes; colours and movement only on a terminal."""
    return Console(stderr=True, highlight=False)


def size(count: int) -> str:
    """A number of bytes for people: ``1234567`` → ``1.2 MB``."""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


@contextmanager
def working(first: str) -> Iterator[Say]:
    """Show what is being done. Yields a function that replaces the text.

    On a terminal a spinner with the newest text, elsewhere one line per different text.
    """
    console = stderr()
    if console.is_terminal:
        with console.status(first) as status:
            yield lambda text: status.update(text)  # noqa: PLW0108 (update has more parameters)
        return
    said: list[str] = []

    def say(text: str) -> None:
        if said[-1:] != [text]:
            said.append(text)
            console.print(text, markup=False)

    say(first)
    yield say


@contextmanager
def downloading(what: str, total: int) -> Iterator[Callable[[int, int], None]]:
    """Show a download of ``total`` bytes. Yields a function of (bytes done, bytes in all).

    On a terminal a bar with speed and time left, elsewhere a line per tenth.
    """
    console = stderr()
    if console.is_terminal:
        from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

        columns = ("[progress.description]{task.description}", BarColumn(), DownloadColumn())
        with Progress(*columns, TransferSpeedColumn(), TimeRemainingColumn(), console=console) as bar:
            task = bar.add_task(what, total=total)
            yield lambda done, all_of_it: bar.update(task, completed=done, total=all_of_it)
        return
    tenths = -1

    def line(done: int, all_of_it: int) -> None:
        nonlocal tenths
        now = 10 * done // max(all_of_it, 1)
        if now > tenths:
            tenths = now
            console.print(f"{what}: {size(done)} of {size(all_of_it)}", markup=False)

    yield line
