"""U: every application does what its folder says that it does (docs/applications.md).

Nothing here knows an application: apps/NAME/expected is what it prints, and apps/NAME/test.toml,
where there is one, how it is run.
"""
import itertools
import re
import signal
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from machines import CAISSON, PATIENCE, ROOT, alive, caisson, kill_all, qemu_below, start, wait_for_text

APPS = ROOT / "apps"


@dataclass
class Run:
    """One way to run an application. The fields from `args` on are the keys of test.toml."""

    app: str
    number: int | None           # which of several [[run]]
    sched: str | None
    harts: int
    args: list[str] = field(default_factory=list)
    status: int = 0
    icount: bool = True
    log: list[str] = field(default_factory=list)
    qemu: list[str] = field(default_factory=list)
    files: dict = field(default_factory=dict)
    disks: list[str] = field(default_factory=list)  # names of files, perhaps with ,ro
    net: bool = False
    ids: list[str] = field(default_factory=list)
    long: bool = False
    expected: str = "expected"

    @property
    def name(self) -> str:
        words = ["U", self.app, *self.ids, self.number, self.sched, f"{self.harts}harts" if self.harts > 1 else None]
        return "-".join(str(word) for word in words if word is not None)

    @property
    def expectation(self) -> list[str]:
        """A scheduling class may have an expectation of its own."""
        own = APPS / self.app / f"{self.expected}.{self.sched}"
        return (own if own.exists() else APPS / self.app / self.expected).read_text().splitlines()


def runs_of(app: str) -> list[Run]:
    """Every run of test.toml, under each scheduling class and with each number of harts that it names."""
    file = APPS / app / "test.toml"
    common = tomllib.loads(file.read_text()) if file.exists() else {}
    tables = common.pop("run", [{}])
    runs = []
    for number, table in enumerate(tables, 1):
        keys = {**common, **table}
        schedulers, harts = keys.pop("sched", [None]), keys.pop("harts", [1])
        runs += [Run(app, number if len(tables) > 1 else None, sched, count, **keys)
                 for sched, count in itertools.product(schedulers, harts)]
    return runs


def all_runs():
    apps = sorted({file.parent.name for file in APPS.glob("*/expected*")})
    for run in itertools.chain.from_iterable(map(runs_of, apps)):
        yield pytest.param(run, id=run.name, marks=[pytest.mark.long] if run.long else [])


def written(files: dict, folder: Path) -> dict[str, Path]:
    """Files of the sizes and with the texts that test.toml asks for."""
    for name, wanted in files.items():
        text = wanted.get("text", "").encode()
        (folder / name).write_bytes(text.ljust(wanted.get("size", 0), b"\0"))
    return {name: folder / name for name in files}


def assert_lines(found: list[str], expected: list[str]) -> None:
    """Line for line; an expected line that begins with ~ is a regular expression."""
    assert len(found) == len(expected), f"{len(expected)} lines were expected:\n" + "\n".join(found)
    for number, (line, wanted) in enumerate(zip(found, expected, strict=True), 1):
        same = re.fullmatch(wanted[1:], line) if wanted.startswith("~") else line == wanted
        assert same, f"line {number} is {line!r}, expected was {wanted!r}:\n" + "\n".join(found)


def words_for(run: Run, folder: Path) -> list[str]:
    files = written(run.files, folder)
    words = ["--harts", str(run.harts), "--log", str(folder / "log")]
    words += ["--icount"] if run.icount else []
    words += ["--sched", run.sched] if run.sched else []
    words += [f"--disk={folder / disk}" for disk in run.disks]
    words += ["--net"] if run.net else []
    return words + [f"--qemu-arg={word.format(**files)}" for word in run.qemu]


@pytest.mark.parametrize("run", all_runs())
def test_app(run, tmp_path):
    result = caisson("app", *words_for(run, tmp_path), run.app, *run.args)
    assert result.status == run.status, f"{result.text}\n{result.err}"
    log = (tmp_path / "log").read_text(errors="replace")
    assert_lines(result.text.splitlines(), run.expectation)
    for pattern in run.log:
        assert re.search(pattern, log, re.MULTILINE), f"the log has no {pattern!r}:\n{log[-3000:]}"


def test_every_application_is_described_and_tested():
    listed = caisson("app").text.splitlines()
    assert {line.split()[0] for line in listed} == {file.parent.name for file in APPS.glob("*/defconfig")}
    for line in listed:
        name, _, text = line.partition(" ")
        assert len(text.strip()) > 20, f"the head of apps/{name}/main.c does not say what it shows"


def test_build_failure_is_told():
    result = caisson("app", "--set", "NO_SUCH=y", "hello")
    assert result.status == 3 and "NO_SUCH: no such switch" in result.err


def test_log_level(tmp_path):
    sizes = []
    for level in ("error", "info", "trace"):
        result = caisson("app", "--log", tmp_path / level, "--log-level", level, "hello")
        assert (result.status, result.text) == (0, "hello from Caisson\n"), result.err
        sizes.append(len((tmp_path / level).read_bytes()))
    assert sizes[0] < sizes[1] <= sizes[2]


def test_panic_is_told():
    result = caisson("app", "trap", "fatal")
    assert result.status == 3
    assert "caisson: the application ended in a panic\n" in result.err
    assert "trap: store page fault (cause 15)" in result.err and "panic: unhandled trap" in result.err


def test_many_arguments():
    arguments = [f"word-{n}" for n in range(1000)] + ["x" * 255]
    result = caisson("app", "args", *arguments)
    assert result.text.splitlines() == [f"[{word}]" for word in arguments]


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_it(number, status, tmp_path):
    log = tmp_path / "log"
    assert caisson("app", "sleep").status == 0  # builds it
    child = start([CAISSON, "app", "--log", log, "sleep", "3600000"])
    try:
        wait_for_text(log, " boot: main", child)
        below = qemu_below(child.pid)
        assert below
        child.send_signal(number)
        assert child.wait(timeout=PATIENCE) == status
        assert not any(alive(pid) for pid in below)
    finally:
        kill_all(child)
