"""`./caisson test`: the unit tests (cmocka, on the host), then pytest on tests/."""
import os
import re
import signal
import subprocess
import sys
from importlib import util

from caisson import building, packages, paths, process
from caisson.errors import Interrupted, UsageError
from caisson.selection import is_id

_NOTHING_COLLECTED = 5  # pytest's status
_MOST_WORKERS = 4


def run(names: list[str], long: bool) -> int:
    """Run everything, or what the names choose. 0 only if all of it passed."""
    packages.ensure("test")
    building.build(building.Variant())
    building.build_guests()
    units, units_passed = _run_units(names)
    status = _run_pytest(names, long)
    if names and not units and status == _NOTHING_COLLECTED:
        raise UsageError(f"{' '.join(names)}: no test has such a name")
    pytest_passed = status == 0 or (status == _NOTHING_COLLECTED and names)
    print(f"caisson: unit tests {_word(units_passed)}, host and system tests {_word(pytest_passed)}", flush=True)
    return 0 if units_passed and pytest_passed else 1


def _word(passed) -> str:
    return "passed" if passed else "FAILED"


def _run_units(names: list[str]) -> tuple[int, bool]:
    """How many unit tests ran, and whether all passed."""
    count, passed = 0, True
    for name in names or [""]:
        # the underscore keeps H1 from choosing H10
        chosen = f"{name}_" if is_id(name) else name
        command = ["make", "-C", str(paths.ROOT), "--no-print-directory", "-s", "-f", "tests/unit/unit.mk",
                   f"T={chosen}", f"-j{len(os.sched_getaffinity(0))}"]
        print("caisson: unit tests" + (f" named {name}" if name else ""), flush=True)
        with process.spawn(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True, errors="replace") as child:
            try:
                for line in child.stdout:
                    result = re.match(r"  PASS \S+ \((\d+)\)", line)
                    count += int(result[1]) if result else 0
                    if not (names and result and result[1] == "0"):
                        print(line, end="", flush=True)
            except BaseException:
                process.kill(child)
                raise
        passed = passed and child.returncode == 0
    print(f"caisson: {count} unit tests ran", flush=True)
    return count, passed


def _run_pytest(names: list[str], long: bool) -> int:
    """pytest's status. It shares our process group, so that Ctrl-C ends it in its own way."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "caisson.pytest_plugin",
               *_workers(), *(["--long"] if long else []), *(f"--named={name}" for name in names), "tests"]
    environment = {**os.environ, "PYTHONPATH": str(paths.ROOT / "tools")}
    child = process.spawn(command, process_group=None, cwd=paths.ROOT, env=environment, stdin=subprocess.DEVNULL)
    try:
        return child.wait()
    except Interrupted:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            child.kill()
        raise


def _workers() -> list[str]:
    """Several tests at a time, where pytest's extension for it is installed."""
    workers = min(_MOST_WORKERS, len(os.sched_getaffinity(0)))
    return ["-n", str(workers)] if workers > 1 and util.find_spec("xdist") else []
