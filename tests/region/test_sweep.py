"""What the warden ends when its region has died: marked or not, willing or not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="orphans come to the warden on Linux alone"
)
# A child starts another, which has left its session and lost the home's mark and ignores SIGTERM, and goes away.
PROGRAM = """
import os, subprocess, sys, time
from emrlab.region import warden
warden.GRACE = 0.3
warden.become_subreaper()
ORPHAN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
CHILD = f'''
import os, subprocess, sys
apart = dict(env={{}}, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
orphan = subprocess.Popen([sys.executable, "-c", {ORPHAN!r}], **apart)
orphan.stdout.readline()
print(orphan.pid)
'''
told = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)
print(told.stdout.strip(), flush=True)
sys.stdin.readline()
begun = time.monotonic()
warden.sweep()
print(time.monotonic() - begun < warden.LIMIT)
"""


def test_an_orphan_without_a_mark_is_ended_too(tmp_path):
    env = {**os.environ, "EMRLAB_HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as warden:
        assert warden.stdout is not None
        orphan = psutil.Process(int(warden.stdout.readline()))
        assert orphan.ppid() == warden.pid
        assert orphan.is_running()
        out, _ = warden.communicate("go\n", timeout=30)
        assert out.strip() == "True"
        assert not orphan.is_running()
