"""A session on a node over SSH: a login shell or a command, on a terminal or on pipes."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import shlex
import signal
import struct
import termios
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import asyncssh

from . import login

SHELL = "/bin/bash"
ACCEPTED = ("LANG", "LC_")  # what a client may set, as OpenSSH's servers have it on Amazon Linux
SCP = re.compile(r"(?P<command>scp (?:-\S+ )*-[tf] (?:-- )?)(?P<path>/.*)")
PIECE = 1 << 16
REST_SECONDS = 0.2  # for a terminal's last words when something still holds it
GONE = (OSError, asyncssh.Error)  # the client, or the program


class Session:
    """``run`` is a process factory of asyncssh."""

    def __init__(self, folder: Path, mapped: Callable[[bytes], bytes]) -> None:
        self.folder, self.mapped = folder, mapped

    async def run(self, client: Any) -> None:
        try:
            if client.subsystem:
                client.stderr.write(b"There is no such subsystem here.\n")
                code = 127
            else:
                place = Place(self.command(client.command), self.environment(client), login.home(self.folder))
                code = await (on_pipes if client.term_type is None else on_terminal)(client, place)
        except OSError as error:
            with contextlib.suppress(*GONE):
                client.stderr.write(f"The session could not be started: {error}\n".encode())
            code = 126
        with contextlib.suppress(*GONE):
            if code < 0:
                client.exit_with_signal(signal.Signals(-code).name.removeprefix("SIG"))
            else:
                client.exit(code)

    def environment(self, client: Any) -> dict[str, str]:
        env = {**os.environ, **login.environment(self.folder)}
        env |= {name: value for name, value in client.env.items() if name.startswith(ACCEPTED)}
        ours, theirs = client.get_extra_info("sockname"), client.get_extra_info("peername")
        env["SHELL"] = SHELL
        env["SSH_CLIENT"] = f"{theirs[0]} {theirs[1]} {ours[1]}"
        env["SSH_CONNECTION"] = f"{theirs[0]} {theirs[1]} {ours[0]} {ours[1]}"
        env.pop("TERM", None)
        if client.term_type:  # empty where the client's terminal has no name: it is a terminal all the same
            env["TERM"] = client.term_type
        return env

    def command(self, asked: str | None) -> list[str]:
        """The ``argv`` of the shell: a login shell has a dash before its name.

        What ``scp`` asks for (unless it speaks SFTP) means the paths that SFTP means.
        """
        if asked is None:
            return ["-bash"]
        if copy := SCP.fullmatch(asked):
            path = os.fsencode(copy["path"])
            if (mapped := self.mapped(path)) != path:
                asked = copy["command"] + shlex.quote(os.fsdecode(mapped.removesuffix(path))) + copy["path"]
        return ["bash", "-c", asked]


class Place:
    """What is to be run, with which environment, in which folder."""

    def __init__(self, command: list[str], env: dict[str, str], folder: Path) -> None:
        self.command, self.env, self.folder = command, env, folder

    async def start(self, stdin: int, stdout: int, stderr: int, terminal: str = "") -> asyncio.subprocess.Process:
        """Start it in a session of its own; with ``terminal`` that one belongs to it, and is its standard input."""
        return await asyncio.create_subprocess_exec(
            *self.command,
            executable=SHELL,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env={**self.env, **({"SSH_TTY": terminal} if terminal else {})},
            cwd=self.folder,
            start_new_session=True,
            preexec_fn=(lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)) if terminal else None,
        )


async def on_pipes(client: Any, place: Place) -> int:
    """It is through when it has ended and everybody has closed its output, as OpenSSH has it."""
    with Descriptors() as ours, Descriptors() as theirs:
        for number in range(3):
            reading, writing = os.pipe()
            theirs.append(writing if number else reading)
            ours.append(reading if number else writing)
            os.set_blocking(ours[-1], False)
        program = await place.start(*theirs)
        theirs.close()
        stdin, stdout, stderr = ours

        async def feed() -> None:
            await fed(client, program.pid, stdin)
            ours.close(stdin)

        async def whole() -> int:
            await asyncio.gather(shown(stdout, client.stdout), shown(stderr, client.stderr))
            return await program.wait()

        return await until_gone(client, whole(), feed())


async def on_terminal(client: Any, place: Place) -> int:
    """It is through when it has ended. When the client is gone first, who still runs there gets a SIGHUP."""
    with Descriptors() as ours, Descriptors() as theirs:
        terminal, slave = os.openpty()
        ours.append(terminal)
        theirs.append(slave)
        os.set_blocking(terminal, False)
        resize(terminal, client.term_size)
        program = await place.start(slave, slave, slave, os.ttyname(slave))
        theirs.close()

        async def whole() -> int:
            showing = asyncio.create_task(shown(terminal, client.stdout))
            try:
                code = await program.wait()
                await asyncio.wait({showing}, timeout=REST_SECONDS)
            finally:
                await ended(showing)
            return code

        return await until_gone(client, whole(), fed(client, program.pid, terminal, terminal=True))


async def until_gone(client: Any, whole: Coroutine[Any, Any, int], feed: Coroutine[Any, Any, None]) -> int:
    """The program's exit status when it is through; 129 as soon as the client has gone."""
    feeding, done = asyncio.create_task(feed), asyncio.create_task(whole)
    gone = asyncio.create_task(client.wait_closed())
    try:
        await asyncio.wait({done, gone}, return_when=asyncio.FIRST_COMPLETED)
        return done.result() if done.done() else 128 + signal.SIGHUP
    finally:
        await ended(feeding, done, gone)


async def ended(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def fed(client: Any, pid: int, descriptor: int, terminal: bool = False) -> None:
    """Write to ``descriptor`` what the client sends."""
    with contextlib.suppress(*GONE):
        async for data in typed(client, pid, descriptor if terminal else None):
            rest = data
            while rest:
                await able(descriptor, writing=True)
                with contextlib.suppress(BlockingIOError):
                    rest = rest[os.write(descriptor, rest) :]


async def shown(descriptor: int, target: Any) -> None:
    """Send the client what comes from ``descriptor``, to its end (of a terminal, that is an EIO)."""
    with contextlib.suppress(*GONE):
        while True:
            await able(descriptor)
            with contextlib.suppress(BlockingIOError):
                if not (data := os.read(descriptor, PIECE)):
                    return
                target.write(data)
                await target.drain()


async def typed(client: Any, pid: int, terminal: int | None) -> AsyncIterator[bytes]:
    """What the client sends, piece by piece. Its signals go to the program, its window's size to the terminal."""
    while True:
        try:
            data = await client.stdin.read(PIECE)
        except asyncssh.TerminalSizeChanged as change:
            if terminal is not None:
                resize(terminal, change.term_size)
        except asyncssh.SignalReceived as sent:
            if number := getattr(signal, f"SIG{sent.signal}", None):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, number)
        except asyncssh.BreakReceived:
            pass
        else:
            if not data:
                return
            yield data


async def able(descriptor: int, writing: bool = False) -> None:
    """Wait until ``descriptor`` can be read, or written."""
    loop = asyncio.get_running_loop()
    waiting: asyncio.Future[None] = loop.create_future()
    add: Callable[..., None] = loop.add_writer if writing else loop.add_reader
    add(descriptor, lambda: None if waiting.done() else waiting.set_result(None))
    try:
        await waiting
    finally:
        (loop.remove_writer if writing else loop.remove_reader)(descriptor)


def resize(terminal: int, size: tuple[int, int, int, int]) -> None:
    """``size``: columns, rows, pixels across and down."""
    columns, rows, across, down = size
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, across, down))


class Descriptors(list[int]):
    """Open files that are closed in the end, whatever happens."""

    def close(self, *some: int) -> None:
        for each in some or tuple(self):
            if each in self:
                self.remove(each)
                os.close(each)

    def __enter__(self) -> Descriptors:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
