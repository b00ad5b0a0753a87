"""The repository's promises: one source for the environment, no trace of where it was made, a true README."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements-setup.lock", "requirements.lock", "requirements-dev.lock")
ENVIRONMENTS = ("environment.yml", "binder/environment.yml")
TOP_LEVEL = {
    *(".ci", ".gitignore", ".pre-commit-config.yaml", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md"),
    *("benchmarks", "binder", "docs", "emrlab", "labs", "tests", "tools", "pyproject.toml", "environment.yml", *LOCKS),
}
# Hosts that serve packages: a mirror's name has no place here, nor has the public one's (who installs, chooses).
REGISTRIES = re.compile(
    r"pypi\.org|pythonhosted|repo1?\.maven|maven\.org|registry\.npmjs|conda\.anaconda|artifactory|nexus[.-]|/simple\b"
)
MACHINE_PATHS = re.compile(r"(?<![\w.~-])/(?:root|work|tmp/w|Users/\w+|home/(?!hadoop|jovyan)\w+)/")
MODULE_LINES = 450


def tool(name: str) -> ModuleType:
    spec = spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tracked() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: which files belong to the repository is not known")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file()]


def texts() -> list[tuple[Path, str]]:
    found = []
    for path in tracked():
        data = (ROOT / path).read_bytes()
        if b"\0" not in data[:8000]:
            found.append((path, data.decode("utf-8", errors="replace")))
    return found


def lock(name: str) -> str:
    return (ROOT / name).read_text()


# The environment


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_conda_environments_are_the_lock(name):
    made = tool("lock_environment").environment(lock("requirements.lock"))
    assert (ROOT / name).read_text() == made, "run: make lock"
    content = yaml.safe_load(made)
    assert content["dependencies"][:2] == ["python=3.11", "pip"]
    assert content["dependencies"][2]["pip"] == tool("lock_environment").pins(lock("requirements.lock"))


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_its_hashes(name):
    requirements = re.split(r"\n(?=[a-z0-9])", lock(name).partition("\n")[2])
    assert len(requirements) == len(tool("lock_environment").pins(lock(name)))
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", requirement) for requirement in requirements)


@pytest.mark.parametrize("name", LOCKS)
def test_locks_name_no_host(name):
    assert not re.search(r"://|--(?:extra-)?index-url|--find-links|--trusted-host", lock(name))


def test_the_dev_lock_holds_the_learners_versions():
    pins = tool("lock_environment").pins
    versions = [{pin.partition(" ")[0] for pin in pins(lock(name))} for name in LOCKS[1:]]
    assert versions[0] < versions[1]


def test_the_locks_agree_on_every_package_they_share():
    versions: dict[str, set[str]] = {}
    for name in LOCKS:
        pins: dict[str, set[str]] = {}
        for pin in tool("lock_environment").pins(lock(name)):
            pins.setdefault(pin.partition("==")[0], set()).add(pin)
        for package, pinned in pins.items():
            assert versions.setdefault(package, pinned) == pinned


def test_what_pyproject_asks_for_is_locked():
    project = tomllib.loads(lock("pyproject.toml"))["project"]

    def names(requirements: list[str]) -> set[str]:
        return {re.split(r"[^A-Za-z0-9._-]", text)[0].lower().replace("_", "-") for text in requirements}

    def locked(name: str) -> set[str]:
        return {pin.partition("==")[0] for pin in tool("lock_environment").pins(lock(name))}

    assert names(project["dependencies"]) <= locked("requirements.lock")
    assert names(project["optional-dependencies"]["dev"]) <= locked("requirements-dev.lock")


# make setup


@pytest.fixture
def checkout(tmp_path):
    """A checkout's locks, and an environment that looks as if it had been set up."""
    for name in (*LOCKS, "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    environment = tool("setup_environment").Environment(tmp_path)
    environment.python.parent.mkdir(parents=True)
    environment.python.symlink_to(sys.executable)
    return environment


def stamp(environment, kind):
    environment.stamp.write_text(f'{{"{kind}": "{environment.digest(kind)}"}}')


def test_setup_does_nothing_when_nothing_changed(checkout):
    stamp(checkout, "learner")
    assert checkout.set_up("learner") is False
    assert not checkout.ready("dev")


def test_a_developers_environment_serves_learners_too(checkout):
    stamp(checkout, "dev")
    assert checkout.set_up("learner") is False


@pytest.mark.parametrize("change", ["requirements.lock", "requirements-setup.lock", "pyproject.toml"])
def test_a_changed_lock_is_installed_and_development_stays(checkout, monkeypatch, change):
    stamp(checkout, "dev")
    with (checkout.root / change).open("a") as file:
        file.write("\n# changed\n")
    installed = []
    monkeypatch.setattr(checkout, "create", lambda: None)
    monkeypatch.setattr(checkout, "install", installed.append)
    assert checkout.set_up("learner") is True
    assert installed == ["dev"]
    assert checkout.set_up("learner") is False


def test_an_interrupted_setup_is_finished_the_next_time(checkout, monkeypatch):
    def interrupted(kind):
        raise KeyboardInterrupt

    monkeypatch.setattr(checkout, "create", lambda: None)
    monkeypatch.setattr(checkout, "install", interrupted)
    with pytest.raises(KeyboardInterrupt):
        checkout.set_up("learner")
    assert not checkout.ready("learner")


def test_a_moved_checkout_is_set_up_again(checkout, tmp_path):
    stamp(checkout, "learner")
    moved = tmp_path.with_name("moved")
    shutil.move(tmp_path, moved)
    assert not tool("setup_environment").Environment(moved).ready("learner")


def test_where_uv_fails_pip_installs_with_the_same_hashes(checkout, monkeypatch):
    ran = []

    def run(command):
        ran.append(command)
        return subprocess.CompletedProcess(command, int("sync" in command), "no route to the mirror\n")

    monkeypatch.setattr(checkout, "run", run)
    checkout.install("learner")
    assert ["uv" in command for command in ran] == [False, True, False, False]
    assert {"--require-hashes", "requirements.lock"} <= set(ran[2])


def test_failing_downloads_end_in_a_hint_not_in_a_traceback(checkout, monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "no network\n")
    monkeypatch.setattr(checkout, "run", lambda command: failed)
    with pytest.raises(Exception, match=r"(?s)no network.*run the same command again") as caught:
        checkout.install("learner")
    assert type(caught.value).__name__ == "SetupError"


@pytest.mark.skipif(shutil.which("make") is None, reason="make is missing")
def test_without_python_make_says_what_to_do_in_one_line(tmp_path):
    for name in ("make", "sh"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    command = ["make", "-C", str(ROOT), "--no-print-directory", "setup"]
    made = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert made.returncode != 0
    assert "emrlab needs Python 3.11: install it" in made.stderr.splitlines()[0]


# Files


def test_no_file_names_a_registry():
    here = Path(__file__).relative_to(ROOT)
    named = [f"{path}: {m[0]}" for path, text in texts() if path != here and (m := REGISTRIES.search(text))]
    assert named == []


def test_no_file_names_a_path_of_somebodys_machine():
    here = Path(__file__).relative_to(ROOT)
    named = [f"{path}: {m[0]}" for path, text in texts() if path != here and (m := MACHINE_PATHS.search(text))]
    assert named == []


def test_the_checks_of_names_and_paths_can_fail():
    assert REGISTRIES.search("--index-url https://mirror.example/" + "simple")
    assert MACHINE_PATHS.search("see /ro" + "ot/notes.txt")
    assert not MACHINE_PATHS.search("hdfs:///user/root/x and /home/hadoop/ and ~/work/x")


def test_the_top_level_is_as_planned():
    assert {path.parts[0] for path in tracked()} <= TOP_LEVEL


def test_modules_are_short():
    sizes = {path: text.count("\n") for path, text in texts() if path.suffix == ".py" and path.parts[0] == "emrlab"}
    assert sizes
    assert {path: lines for path, lines in sizes.items() if lines >= MODULE_LINES} == {}


def test_the_licence_is_apache_2():
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_scripts_are_executable():
    for name in (".ci/run", "binder/postBuild", "binder/start"):
        assert os.access(ROOT / name, os.X_OK), name


# What README and CONTRIBUTING say


def documents() -> str:
    return "\n".join((ROOT / name).read_text() for name in ("README.md", "CONTRIBUTING.md"))


def test_every_make_command_in_the_documents_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", documents(), re.MULTILINE))
    assert {"lab", "test"} <= named <= targets


def test_every_emrlab_command_in_the_documents_exists():
    from emrlab.cli import main

    named = set(re.findall(r"(?:^|[`(])emrlab ([a-z]+)", documents(), re.MULTILINE))
    assert {"up", "env", "doctor"} <= named <= set(main.commands_at)


def test_links_and_pictures_of_the_documents_exist():
    named = set(re.findall(r"\]\((?!https?:)([^)#]+)\)", documents()))
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_make_help_has_a_line_for_every_target():
    text = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", text, re.MULTILINE)) - {"setup-dev"}
    shown = subprocess.run(
        ["make", "-C", str(ROOT), "--no-print-directory"], capture_output=True, text=True, check=True
    )
    assert set(re.findall(r"^  make ([a-z-]+) +\S", shown.stdout, re.MULTILINE)) == targets


# Binder


def test_binder_builds_our_environment_and_fills_the_image(tmp_path):
    repo2docker = Path(sys.executable).with_name("jupyter-repo2docker")
    if not repo2docker.exists():
        pytest.skip("jupyter-repo2docker is missing: make test installs it")
    copy = tmp_path / "checkout"
    for path in tracked():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, copy / path)
    made = subprocess.run(
        [repo2docker, "--no-build", "--debug", str(copy)], capture_output=True, text=True, check=False, timeout=120
    )
    dockerfile = made.stdout + made.stderr
    assert made.returncode == 0, dockerfile
    assert re.search(r'env update .*--file "binder/environment\.yml"', dockerfile)
    assert "python=3.11" in dockerfile
    assert "RUN ./binder/postBuild" in dockerfile
    assert "binder/start" in dockerfile


@pytest.mark.parametrize("name", [".ci/run", "binder/postBuild", "binder/start"])
def test_shell_scripts_are_well_formed(name):
    subprocess.run(["bash", "-n", str(ROOT / name)], check=True)


def test_the_parity_page_says_what_the_code_does():
    spec = spec_from_file_location("make_parity", ROOT / "tools" / "make_parity.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.FILE.read_text() == module.text(), "run: python tools/make_parity.py"
