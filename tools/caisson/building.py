"""Building what is stale. A lock makes parallel calls safe; output is shown only where it helps."""
import fcntl
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager

from caisson import fetch, packages, paths, process
from caisson.errors import CannotStart

FLAVOURS = ("hypervisor", "unikernel")


def build(flavour: str, targets: tuple[str, ...] = (), verbose: bool = False) -> None:
    """Bring a flavour (and further make targets) up to date, or raise CannotStart."""
    _prepare()
    make(["FLAVOUR=" + flavour, "all", *targets], f"the {flavour} could not be built", verbose)


def build_guests() -> None:
    """Bring our own guest programs up to date."""
    _prepare()
    make(["guests"], "the guest programs could not be built")


def _prepare() -> None:
    packages.ensure("build")
    fetch.libfdt()


def make(words: list[str], failure: str, verbose: bool = False) -> None:
    """Run make under the lock. Its output is shown on a terminal, when asked for, or when it fails."""
    command = ["make", "-C", str(paths.ROOT), "--no-print-directory", "-s", f"-j{_jobs()}", *words]
    show = verbose or sys.stderr.isatty()
    with _lock():
        result = process.run(command, stdout=sys.stderr if show else subprocess.PIPE, stderr=subprocess.STDOUT)
    if result.returncode:
        if not show:
            sys.stderr.write(result.stdout.decode(errors="replace"))
        raise CannotStart(failure)


def clean() -> None:
    """Remove everything that was built."""
    with _lock():
        shutil.rmtree(paths.BUILD, ignore_errors=True)
        (paths.ROOT / "compile_commands.json").unlink(missing_ok=True)


def _jobs() -> int:
    return len(os.sched_getaffinity(0))


@contextmanager
def _lock():
    """Held while make runs. The tree's folder itself is locked, which survives `clean`."""
    fd = os.open(paths.ROOT, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("caisson: waiting for another build to end", file=sys.stderr)
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
