"""Out of memory at every point: the n-th allocation of a start fails, for each n until there is none left.

Whatever it hits, the machine either starts all the same and does its work, or says what it could not do and ends
with a status; it never hangs, crashes, or trips over an assertion.
"""
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from machines import CAISSON, ROOT, guest, run

SWITCHES = ("DEBUG=y", "DEBUG_FAIL_ALLOC=y")
INJECTED = "fails on purpose"
OUR_BUG = re.compile(r"panic|trap:|assertion failed|unhandled|overflow|double free", re.IGNORECASE)


def every_n(start, check, most=2000):
    """Call start(n) for n = 1, 2, ... until no allocation was left to fail; two at a time."""
    with ThreadPoolExecutor(2) as pool:
        for first in range(1, most, 8):
            for n, (status, log, out) in zip(range(first, first + 8), pool.map(start, range(first, first + 8))):
                if INJECTED not in log:
                    return n - 1
                assert not OUR_BUG.search(log), f"allocation {n}\n{log}"
                check(n, status, log, out)
    raise AssertionError("no end of allocations")


def said_why(log: str) -> str:
    """What the log has at levels error and warn after the injected failure."""
    after = log.split(INJECTED, 1)[1]
    return "\n".join(re.findall(r"^\[.*? (?:error|warn) .*$", after, re.MULTILINE))


@pytest.fixture(scope="module")
def build():
    from caisson import building

    def image(flavour):
        chosen = building.Variant(flavour, switches=SWITCHES)
        building.build(chosen)
        return chosen.image

    return image


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """An initrd with one program for the monolith."""
    from caisson import cpio

    path = tmp_path_factory.mktemp("initrd") / "programs.cpio"
    with open(path, "wb") as out:
        writer = cpio.Writer(out)
        writer.file("hello", (ROOT / "build" / "programs" / "hello.bin").read_bytes())
        writer.finish()
    return path


@pytest.mark.parametrize("flavour, done", [("unikernel", "hello from Caisson"), ("monolith", "hello from U-mode")])
def test_M1_every_allocation_of_a_start_fails_once(build, programs, flavour, done):
    image = build(flavour)

    def start(n):
        result = run(["qemu-system-riscv64", "-M", "virt", "-smp", "2", "-m", "64M", "-nodefaults", "-display", "none",
                      "-serial", "stdio", "-kernel", image, "-initrd", programs, "-append",
                      f"failalloc={n} -- hello"])
        return result.status, result.text[result.text.find("boot: entered"):], result.text

    def check(n, status, log, out):
        # Before the finisher's driver is bound, the firmware ends the machine, which QEMU reports as 0.
        if status in (0, 7) and "cannot start" not in log:
            assert done in out, f"allocation {n}: status {status}, but the program did not do its work\n{log}"
        else:
            assert said_why(log), f"allocation {n}: status {status} without a word\n{log}"

    assert every_n(start, check) > 10


def test_M1_every_allocation_of_a_vm_fails_once(build, tmp_path):
    image = build("hypervisor")

    def start(n):
        log = tmp_path / f"log{n}"
        result = run([CAISSON, "run", "--batch", "--log", log, "--kernel", guest("hello"), "--memory", "32M", "--harts", "2",
                      "--qemu-arg=-append", f"--qemu-arg=framed batch loglevel=info failalloc={n}"],
                     environment={"CAISSON_IMAGE": str(image)})
        text = log.read_text(errors="replace")
        log.unlink()
        return result.status, text, result.text + "\n" + result.err

    def check(n, status, log, out):
        if status == 0:
            assert "hello" in out, f"allocation {n}: status 0, but the guest did not do its work\n{log}"
        else:
            assert status in (1, 3) and (said_why(log) or re.search("memory|ENOMEM|-12", out)), f"allocation {n}: status {status} without a word\n{log}\n{out}"

    assert every_n(start, check) > 20
