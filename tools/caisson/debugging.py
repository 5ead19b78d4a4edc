"""`./caisson debug`: QEMU halted at its first instruction, and gdb attached with our symbols."""
import signal
import socket
import subprocess
import sys
from pathlib import Path

from caisson import building, packages, paths, process
from caisson.machine import DEFAULT_GDB_PORT
from caisson.runner import image_to_run

_CONNECT_LIMIT = 60  # seconds that gdb tries for: QEMU may have to wait for somebody else's build
HELPER = paths.ROOT / "tools" / "gdb" / "caisson.py"  # the command `caisson`


def run(words: list[str], port: int | None, variant: building.Variant, gdb_words: list[str]) -> int:
    """Run gdb beside a `./caisson WORDS` of its own. Returns gdb's status; QEMU ends with it."""
    packages.ensure("debug")
    symbols = image_to_run(variant).with_suffix(".elf")
    port = port or _free_port()
    tool = str(paths.ROOT / "tools" / "caisson")
    machine = process.spawn([sys.executable, tool, words[0], f"--gdb={port}", *words[1:]],
                            stdin=subprocess.DEVNULL, stdout=sys.stderr)
    try:
        return _run_gdb(symbols, port, gdb_words)
    finally:
        machine.terminate()
        machine.wait()


def _run_gdb(symbols: Path, port: int, gdb_words: list[str]) -> int:
    signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C is gdb's
    command = ["gdb-multiarch", "-q", str(symbols), "-ex", "set confirm off",
               "-ex", f"source {HELPER}",
               "-ex", f"set tcp connect-timeout {_CONNECT_LIMIT}", "-ex", f"target remote 127.0.0.1:{port}", *gdb_words]
    with process.spawn(command, process_group=None) as gdb:
        return gdb.wait()


def _free_port() -> int:
    """gdb's usual port, or another one if that is taken."""
    for port in (DEFAULT_GDB_PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    return DEFAULT_GDB_PORT
