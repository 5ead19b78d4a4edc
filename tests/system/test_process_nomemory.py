"""Out of memory in every place where a program's calls and faults need some (P4): the one that asked is refused or killed."""
import re

import pytest

import linux_programs
from machines import run

WORKS = ["touching", "growing", "forking", "executing", "files", "pipes", "threads", "handlers"]


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    from caisson import building, cpio

    chosen = building.Variant("monolith", switches=("DEBUG=y", "DEBUG_FAIL_ALLOC=y"))
    building.build(chosen)

    def go(*words):
        archive = tmp_path_factory.mktemp("initrd") / "root.cpio"
        with open(archive, "wb") as out:
            writer = cpio.Writer(out)
            writer.file(".caisson/argv", b"".join(word.encode() + b"\0" for word in ("/nomemory", *words)))
            writer.file("nomemory", open(linux_programs.build("nomemory"), "rb").read(), 0o755)
            writer.finish()
        return run(["qemu-system-riscv64", "-M", "virt", "-smp", 2, "-m", "128M", "-nodefaults", "-display", "none", "-serial",
                    "stdio", "-kernel", chosen.image, "-initrd", archive], timeout=300)

    return go


@pytest.fixture(scope="module")
def result(start):
    return start()


@pytest.mark.parametrize("work", WORKS)
def test_P4_every_allocation_of_a_program_fails_once(result, work):
    found = re.search(rf"^{work}: refused (\d+), wrong (\d+)\r?$", result.text, re.MULTILINE)
    assert found, result.text[-3000:]
    assert int(found[1]) > 2 and found[2] == "0", result.text


def leaks(result) -> set[str]:
    """By which places what is there at the end was allocated: the root's file system is."""
    return set(re.findall(r"leak: .* allocated by (0x[0-9a-f]+)", result.text))


def test_P4_nothing_is_lost_when_allocations_fail(result, start):
    assert result.status == 0, result.text[-3000:]
    assert not re.search(r"panic|assertion failed", result.text), result.text[-3000:]
    assert leaks(result) and leaks(result) == leaks(start("nothing"))
