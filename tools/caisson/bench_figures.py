"""`./caisson bench --check`: today's figures beside those that were saved with the release (tests/bench/figures.json).

An instruction count depends on the compiler, the firmware and QEMU; the file says which ones it holds for. With others
the rows still have to be there, and what differs is said, but nothing fails of it. With another kernel of Debian's, or
without one, this is so of that kernel's rows alone, and those may be missing.
"""
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from caisson import VERSION, bench, bench_io, bench_outside, bench_processes, bench_release, bench_vms, fetch, machine, paths, process

FILE = paths.ROOT / "tests" / "bench" / "figures.json"
SHARE, LEAST = 0.02, 5.0  # a row may be worse by this share, or by so many instructions, whichever is more
_TOOLS = "holds for"
_ROWS = "rows"
_DEBIAN = "outside Debian"   # the table whose rows depend on Debian's kernel, too, and are missing where it is not to be had
_KERNEL = "Debian's kernel"


def run(save: bool, release: bool = False) -> int:
    """Measure and compare, or save, also as this release's. @return 0, or 1 with the reasons on standard error."""
    bench.prepare()
    with tempfile.TemporaryDirectory(prefix="caisson-") as folder:
        rows = measure(Path(folder))
    if save:
        for file in [FILE, *([bench_release.file_of(VERSION)] if release else [])]:
            file.parent.mkdir(exist_ok=True)
            file.write_text(text_of(tools(), rows))
            print(f"{len(rows)} rows saved in {file.relative_to(paths.ROOT)}")
        return 0
    return check(FILE, tools(), rows)


def measure(work: Path) -> dict[str, float]:
    """All rows that repeat exactly, of what is ours: "TABLE ROW" -> instructions (or bytes)."""
    guest = bench.guest_rows(work)
    tables = {"guest": guest["caisson"], "guest, no Sstc": guest["caisson-no-sstc"]}
    tables |= {f"base {sched.upper()}": rows for sched, rows in bench.base_rows(work).items()}
    tables["memory"] = {title: float(value) for title, (value, _) in bench_vms.memory(work).items()}
    tables["processes"] = bench_processes.on_caisson(bench_processes.build(work))
    tables |= bench_io.kept(work)
    outside = bench_outside.measure(work, bench.init_program(work), totals=False)
    if outside:
        tables[_DEBIAN] = bench_outside.rows(outside)
    return {f"{table}: {row}": value for table, rows in tables.items() for row, value in rows.items()}


def tools() -> dict[str, str]:
    """What the counts depend on besides this tree."""
    return {"compiler": _first_line(["riscv64-unknown-elf-gcc", "--version"]),
            "QEMU": _version(_first_line([machine.qemu_program(), "--version"])),
            _KERNEL: fetch.debian_kernel() or "none"}


def _first_line(command: list[str]) -> str:
    result = process.run(command, stdout=subprocess.PIPE)
    return (result.stdout.decode(errors="replace").splitlines() or [""])[0]


def _version(line: str) -> str:
    """Without the package's revision."""
    found = re.search(r"version (\d+\.\d+\.\d+)", line)
    return found[1] if found else line


def text_of(now: dict[str, str], rows: dict[str, float]) -> str:
    """One row a line, so that a difference can be read."""
    return json.dumps({_TOOLS: now, _ROWS: rows}, indent=1) + "\n"


def check(file: Path, now: dict[str, str], rows: dict[str, float]) -> int:
    """Say what differs. @return 0 or 1"""
    try:
        saved = json.loads(file.read_text())
        before, old = dict(saved[_TOOLS]), {name: float(value) for name, value in saved[_ROWS].items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        print(f"caisson: {file}: these are no figures ({error}); ./caisson bench --save makes some", file=sys.stderr)
        return 1
    others = [f"{name}: {value}, not {before.get(name)}" for name, value in now.items() if before.get(name) != value]
    loose = _DEBIAN if all(other.startswith(_KERNEL) for other in others) else ""
    failures, better = compare(old, rows, loose=loose if others else None)
    for line in better:
        print(f"caisson: {line}")
    for line in others:
        whose = f"figures of {loose}" if loose else "figures"
        print(f"caisson: the {whose} hold for other tools, so that none of them fails: {line}", file=sys.stderr)
    for line in failures:
        print(f"caisson: {line}", file=sys.stderr)
    print(f"{len(rows)} rows: " + (f"{len(failures)} differ too much" if failures else "none is worse than what was saved"))
    return 1 if failures else 0


def compare(old: dict[str, float], new: dict[str, float], loose: str | None) -> tuple[list[str], list[str]]:
    """What is worse or missing, and what else is worth a line. Rows that begin with `loose` may be worse; Debian's missing, too."""
    def strict(name: str) -> bool:
        return loose is None or not name.startswith(loose)

    failures = [f"{name}: was not measured" for name in old if name not in new and (strict(name) or not name.startswith(_DEBIAN))]
    failures += [f"{name}: there is no figure to compare with; ./caisson bench --save keeps it" for name in new
                 if name not in old and (strict(name) or not name.startswith(_DEBIAN))]
    notes = []
    for name in old.keys() & new.keys():
        margin = max(LEAST, old[name] * SHARE)
        difference = new[name] - old[name]
        line = f"{name}: {new[name]:,.1f}, was {old[name]:,.1f} ({_percent(difference, old[name])})"
        if difference > margin and strict(name):
            failures.append(line)
        elif abs(difference) > margin:
            notes.append(line)
    return sorted(failures), sorted(notes)


def _percent(difference: float, of: float) -> str:
    return f"{100 * difference / of:+.1f} %" if of else "from 0"
