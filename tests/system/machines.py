"""Running guests: in a VM with ./caisson, and on QEMU with its firmware alone, for comparison."""
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

ROOT = Path(__file__).resolve().parents[2]
CAISSON = str(ROOT / "caisson")
MEMORY = "256M"
PATIENCE = 400  # seconds: who needs longer hangs. It is long because a busy machine may take ten times as long as an idle one
_BANNER = re.compile(rb"(?:\r?\n)?OpenSBI v.*?Boot HART MEDELEG[^\n]*\n", re.DOTALL)
# What was built at the session's start is what all tests run; see conftest.py.
ENVIRONMENT = {"CAISSON_IMAGE": str(ROOT / "build" / "hypervisor" / "caisson.bin"), **os.environ}

_WAITED = "caisson: waiting for another build to end\n"  # tests run side by side

sys.path.insert(0, str(ROOT / "tools"))


@dataclass
class Result:
    """How a program ended, and what it wrote."""

    status: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode(errors="replace")


def guest(name: str) -> str:
    """The path of one of our own guest programs."""
    return str(ROOT / "build" / "guests" / f"{name}.bin")


def start(command: list, **options) -> subprocess.Popen:
    """A program in a session of its own, so that kill_all() reaches what it started."""
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    environment = {**ENVIRONMENT, **options.pop("environment", {})}
    return subprocess.Popen([str(word) for word in command], start_new_session=True, env=environment, **options)


def kill_all(child: subprocess.Popen) -> None:
    """Kill the program and everything in its session's group."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.kill()
    child.wait()


def run(command: list, data: bytes | None = None, timeout: float = PATIENCE, **options) -> Result:
    """Run a program to its end. One that takes too long is killed, and the test fails with its output."""
    if data is not None:
        options["stdin"] = subprocess.PIPE
    child = start(command, **options)
    try:
        out, err = child.communicate(data, timeout=timeout)
    except subprocess.TimeoutExpired:
        kill_all(child)
        out, err = child.communicate()
        raise AssertionError(f"no end after {timeout} s: {' '.join(map(str, command))}\n"
                             f"stdout: {out[-2000:]!r}\nstderr: {err[-2000:]!r}") from None
    except BaseException:
        kill_all(child)
        raise
    return Result(child.returncode, out, err.decode(errors="replace").replace(_WAITED, ""))


def wait_until(condition: Callable[[], Any], why: Callable[[], str]) -> Any:
    """Wait until this is true, and return what it is then. @param why: what the test fails with when that is never"""
    end = time.monotonic() + PATIENCE
    while not (result := condition()):
        assert time.monotonic() < end, why()
        time.sleep(0.05)
    return result


def wait_for_text(path, text: str, child: subprocess.Popen | None = None) -> str:
    """Wait until the file (a log) holds a text; all that it holds then. When the child that writes it has ended, no longer.

    What a program shows on two ways (its output, its log) arrives on the one sooner than on the other: having seen the
    one is no reason to read the other at once.
    """
    def content() -> str:
        return path.read_text(errors="replace") if path.exists() else ""

    def there() -> str | None:
        over = child and child.poll() is not None  # asked first, so that all it wrote is read below
        written = content()
        assert text in written or not over, f"ended with status {child.returncode} without {text!r}: {written[-3000:]}"
        return written if text in written else None

    return wait_until(there, lambda: f"never came {text!r}: {content()[-3000:]}")


def caisson(*words, **options) -> Result:
    return run([CAISSON, *words], **options)


def batch(*words, **options) -> Result:
    """./caisson run --batch ..."""
    return caisson("run", "--batch", *words, **options)


def vm(name: str, *words, append: str | None = None, **options) -> Result:
    """One of our own guests in a VM."""
    if append is not None:
        words = ("--append", append, *words)
    return batch("--kernel", guest(name), *words, **options)


def probe(test: str, *words, **options) -> Result:
    """A test of guests/probe in a VM. `test` may have further boot arguments after it."""
    return vm("probe", *words, append=f"test={test}", **options)


def bare_command(image: str, append: str = "", cpus: int = 1, memory: str = MEMORY, cpu: str = "rv64") -> list[str]:
    """QEMU with its firmware and the guest in our place."""
    return ["qemu-system-riscv64", "-M", "virt", "-cpu", cpu, "-smp", str(cpus), "-m", memory, "-nodefaults",
            "-display", "none", "-monitor", "none", "-serial", "stdio", "-kernel", image, "-append", append]


def without_banner(out: bytes) -> bytes:
    """The output without what the firmware printed."""
    return _BANNER.sub(b"", out)


def bare(name: str, append: str = "", data: bytes | None = None, timeout: float = PATIENCE, **machine) -> Result:
    """One of our own guests on bare QEMU."""
    result = run(bare_command(guest(name), append, **machine), data, timeout)
    return Result(result.status, without_banner(result.out), result.err)


def assert_passed(result: Result) -> None:
    """The guest's own checks all passed and it ended well."""
    failed = [line for line in result.text.splitlines() if not line.startswith("ok ")]
    assert result.status == 0 and re.search(r"^PASS \S+\s*\Z", result.text, re.MULTILINE), (
        f"status {result.status}\n" + "\n".join(failed[-40:]) + f"\n{result.err[-2000:]}")


def alive(pid: int) -> bool:
    """Whether the process is there and not a zombie."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def descendants(pid: int) -> list[int]:
    """All processes below this one."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, queue = [], [pid]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def qemu_below(pid: int) -> list[int]:
    """The QEMU processes that this one started."""
    def name(p):
        try:
            return Path(f"/proc/{p}/comm").read_text()
        except OSError:
            return ""
    return [p for p in descendants(pid) if name(p).startswith("qemu-system")]
