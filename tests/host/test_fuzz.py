"""Guests whose drivers lie, programs that are none: the fuzz targets of tests/fuzz, for a minute in all, or for an hour (docs/testing.md)."""
import fcntl
import os
import subprocess

import pytest
from caisson import paths, process

BUILD = paths.ROOT / "build" / "fuzz"
CORPUS = paths.ROOT / "tests" / "fuzz" / "corpus"
# How many inputs each gets, always the same ones. On an idle computer each target takes about ten seconds.
RUNS = {"ring": 30_000, "rng": 20_000, "console": 30_000, "blk": 30_000, "net": 12_000, "elf": 20_000, "path": 30_000}
LONG_SECONDS = 3600 // len(RUNS)
OPTIONS = ["-max_len=400", "-timeout=60", "-rss_limit_mb=3000", "-reload=0"]


def build(target: str):
    BUILD.mkdir(parents=True, exist_ok=True)
    with open(BUILD / "lock", "w") as lock:  # the targets share objects
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = process.run(["make", "-s", "-C", str(paths.ROOT), "-f", "tests/fuzz/fuzz.mk", f"build/fuzz/{target}"],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert made.returncode == 0, made.stdout


def what_failed(output: str) -> str:
    """The rule that was broken, where, and how to see it again."""
    lines = output.splitlines()
    first = next((n for n, line in enumerate(lines) if line.startswith("fuzz: ") or "ERROR" in line or "runtime error" in line), 0)
    return "\n".join(lines[first:first + 40])


def without_chance() -> list[str]:
    """Where addresses are not at random, inputs are the same in each run. Not all containers allow that."""
    words = ["setarch", "-R"]
    return words if process.run([*words, "true"], stderr=subprocess.DEVNULL).returncode == 0 else []


def fuzz(target: str, *options: str):
    build(target)
    failed = BUILD / "failed"
    failed.mkdir(exist_ok=True)
    before = set(failed.iterdir())
    ran = process.run([*without_chance(), str(BUILD / target), *OPTIONS, f"-artifact_prefix={failed}/{target}-", *options,
                       str(CORPUS / target)],
                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", cwd=paths.ROOT)
    if ran.returncode == 0:
        return
    inputs = sorted(set(failed.iterdir()) - before) or sorted(failed.glob(f"{target}-*"), key=os.path.getmtime)[-1:]
    replay = "\n".join(f"    FUZZ_TRACE=1 {BUILD / target} {name}" for name in inputs)
    pytest.fail(f"{what_failed(ran.stdout)}\n\nThis does it again, step by step:\n{replay}", pytrace=False)


@pytest.mark.parametrize("target", RUNS)
def test_what_a_target_has_to_bear(target, tmp_path):
    fuzz(target, "-seed=1", f"-runs={RUNS[target]}", str(tmp_path))


@pytest.mark.long
@pytest.mark.parametrize("target", RUNS)
def test_what_a_target_has_to_bear_for_long(target):
    finds = BUILD / "corpus" / target
    finds.mkdir(parents=True, exist_ok=True)
    fuzz(target, f"-max_total_time={LONG_SECONDS}", str(finds))


def test_every_target_is_run():
    assert {path.stem.removeprefix("fuzz_") for path in CORPUS.parent.glob("fuzz_*.c")} == set(RUNS)
    assert {path.name for path in CORPUS.iterdir()} == set(RUNS)
