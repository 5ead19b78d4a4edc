"""Building what is stale. A lock makes parallel calls safe; output is shown only where it helps."""
import fcntl
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from caisson import fetch, packages, paths, process
from caisson.errors import CannotStart, UsageError

FLAVOURS = ("hypervisor", "unikernel", "monolith")
SCHEDULERS = ("fifo", "rr", "cfs")


@dataclass(frozen=True)
class Variant:
    """What to build: a flavour, or an application as a unikernel; and switches on top of its configuration."""

    flavour: str = "hypervisor"
    app: str | None = None
    switches: tuple[str, ...] = ()  # as in SCHED_CFS=y

    @property
    def name(self) -> str:
        return f"application {self.app}" if self.app else self.flavour

    @property
    def words(self) -> list[str]:
        """What make is told."""
        what = f"APP={self.app}" if self.app else f"FLAVOUR={self.flavour}"
        return [what, *(["SET=" + " ".join(self.switches)] if self.switches else [])]

    @property
    def image(self) -> Path:
        """Where the Makefile puts it."""
        suffix = "".join("+" + switch.replace("=", "-") for switch in self.switches)
        return paths.BUILD / ((f"apps/{self.app}" if self.app else self.flavour) + suffix) / "caisson.bin"


def variant(flavour: str = "hypervisor", app: str | None = None, debug: bool = False, sched: str | None = None,
            switches: list[str] | None = None) -> Variant:
    """The variant that the options ask for. Raises UsageError."""
    chosen = ["DEBUG=y"] if debug else []
    if sched is not None:
        if sched not in SCHEDULERS:
            raise UsageError(f"--sched {sched}: not a scheduling class ({', '.join(SCHEDULERS)})")
        chosen.append(f"SCHED_{sched.upper()}=y")
    for switch in switches or []:
        if not re.fullmatch(r"[A-Z][A-Z0-9_]*=[A-Za-z0-9_.-]+", switch):
            raise UsageError(f"--set {switch}: not of the form SWITCH=y (or =n, or =NUMBER)")
        chosen.append(switch)
    return Variant(flavour, app, tuple(chosen))


quiet = False  # --quiet: on a terminal, too, only what fails is shown


def build(what: Variant, verbose: bool = False) -> None:
    """Bring a variant up to date, or raise CannotStart."""
    _prepare()
    make([*what.words, "all"], f"the {what.name} could not be built", verbose)


def build_guests() -> None:
    """Bring our own guest programs up to date."""
    _prepare()
    make(["guests"], "the guest programs could not be built")


def _prepare() -> None:
    packages.ensure("build")
    fetch.libraries()


def make(words: list[str], failure: str, verbose: bool = False) -> None:
    """Run make under the lock. Its output is shown on a terminal, when asked for, or when it fails."""
    command = ["make", "-C", str(paths.ROOT), "--no-print-directory", "-s", f"-j{_jobs()}", *words]
    show = verbose or (sys.stderr.isatty() and not quiet)
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
