"""A real JupyterLab in a real headless Chromium, for tests and for looking.

python -m tests.labs.jupyterlab labs/1-clusters/1.1-first-cluster.ipynb /tmp/lab.png [dark]
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
ROOT = Path(__file__).resolve().parents[2]
ADDRESS = re.compile(r"(http://127\.0\.0\.1:\d+/)lab\S*[?&]token=(\w+)")


def chromium() -> str | None:
    """Chromium's command, if this machine has one."""
    return next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )


@contextmanager
def jupyterlab(env: dict[str, str] | None = None, *arguments: str, seconds: float = 240) -> Iterator[tuple[str, str]]:
    """``emrlab lab`` as a learner starts it: its base address and token. Ends with the block."""
    with tempfile.NamedTemporaryFile("w+", suffix=".log") as log, tempfile.TemporaryDirectory() as folder:
        exposed = Path(folder) / "jupyter_lab_config.json"
        exposed.write_text(json.dumps({"LabApp": {"expose_app_in_browser": True}}))
        # Nobody's checkout changes because somebody looked at it.
        settings = Path(folder) / "@jupyterlab" / "docmanager-extension" / "plugin.jupyterlab-settings"
        settings.parent.mkdir(parents=True)
        settings.write_text(json.dumps({"autosave": False}))
        env = {**os.environ, **(env or {}), "JUPYTER_CONFIG_DIR": folder, "JUPYTERLAB_SETTINGS_DIR": folder}
        command = [sys.executable, "-m", "emrlab", "lab", "--no-browser", *arguments]
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=ROOT, stdin=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + seconds
            while not (found := ADDRESS.search(Path(log.name).read_text())):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(Path(log.name).read_text()[-3000:])
                time.sleep(0.1)
            yield found[1], found[2]
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium with a profile of its own. One at a time in a process."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        app = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        try:
            yield app
        finally:
            app.close()


def new_page(app: Any, dark: bool = False, width: int = 1280, height: int = 900) -> Any:
    """A page that knows nothing of the others."""
    size = {"width": width, "height": height}
    return app.new_context(viewport=size, color_scheme="dark" if dark else "light").new_page()


def open_notebook(page: Any, base: str, token: str, path: str) -> None:
    """Open a notebook (relative to the labs' folder) and wait for its kernel."""
    page.goto(f"{base}lab/tree/{path}?token={token}&reset")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    page.wait_for_function(READY, timeout=60_000)


READY = "() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
# Run-all is done *and* the kernel idle: a running cell's kernel may read idle for a moment.
RUN_ALL = """async milliseconds => {
  const { context, sessionContext } = jupyterapp.shell.currentWidget;
  await context.ready; await sessionContext.ready; await sessionContext.session.kernel.info;
  const end = Date.now() + milliseconds;
  let done = false;
  jupyterapp.commands.execute('notebook:run-all-cells').finally(() => { done = true; });
  while (!(done && sessionContext.session.kernel.status === 'idle')) {
    if (Date.now() > end) throw new Error('still running');
    await new Promise(go => setTimeout(go, 100));
  }
}"""
OUTPUTS = """() => jupyterapp.shell.currentWidget.model.toJSON().cells.flatMap(cell => cell.outputs || [])"""


def run_all(page: Any, seconds: float = 600) -> None:
    """Run all cells of the open notebook; returns when the last one has ended."""
    page.evaluate(RUN_ALL, seconds * 1000)


def errors(page: Any) -> list[str]:
    """What cells say that failed: tracebacks, and boxes that say what is needed first."""
    found = []
    for output in page.evaluate(OUTPUTS):
        if output["output_type"] == "error":
            found.append(f"{output['ename']}: {output['evalue']}")
        elif "role='alert'" in "".join(output.get("data", {}).get("text/html", "")):
            found.append("".join(output["data"]["text/plain"]))
    return found


if __name__ == "__main__":
    notebook, picture, *rest = sys.argv[1:]
    path = Path(notebook).resolve().relative_to(ROOT / "labs").as_posix()
    solve = {"EMRLAB_SOLVE": os.environ.get("EMRLAB_SOLVE", "1")}
    with jupyterlab(solve) as (base, token), browser() as app:
        page = new_page(app, "dark" in rest)
        open_notebook(page, base, token, path)
        begun = time.monotonic()
        run_all(page)
        print(f"ran in {time.monotonic() - begun:.1f} s; errors: {errors(page)}")
        page.screenshot(path=picture)
        panel = page.locator(".jp-WindowedPanel-outer").first
        height = panel.evaluate("one => one.scrollHeight")
        for number, top in enumerate(range(0, height, 800)):
            panel.evaluate("(one, top) => one.scrollTo(0, top)", top)
            page.wait_for_timeout(300)
            page.screenshot(path=Path(picture).with_name(f"{Path(picture).stem}-{number:02}.png"))
