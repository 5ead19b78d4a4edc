"""Processes on the monolith: flat programs of our own (tests/programs), each in an address space of its own."""
import re

import pytest

from machines import ROOT, run

KILLED = 128


@pytest.fixture(scope="module")
def monolith(tmp_path_factory):
    """Run programs of the initrd: monolith("hello", "spin", "-9", harts=2)."""
    from caisson import building, cpio

    images = {}
    archive = tmp_path_factory.mktemp("initrd") / "programs.cpio"
    with open(archive, "wb") as out:
        writer = cpio.Writer(out)
        for program in sorted((ROOT / "build" / "programs").glob("*.bin")):
            writer.file(program.stem, program.read_bytes())
        writer.finish()

    def start(*words, harts=1, switches=()):
        if switches not in images:
            chosen = building.Variant("monolith", switches=switches)
            building.build(chosen)
            images[switches] = chosen.image
        return run(["qemu-system-riscv64", "-M", "virt", "-smp", harts, "-m", "64M", "-nodefaults", "-display", "none",
                    "-serial", "stdio", "-kernel", images[switches], "-initrd", archive, "-append",
                    "-- " + " ".join(words)])

    return start


def ends(result) -> list[int]:
    return [int(status) for status in re.findall(r"\d+ of \d+ ended with status (\d+)", result.text)]


def test_P1_a_program_runs_and_its_parent_gets_its_status(monolith):
    result = monolith("hello")
    assert result.status == 7 and "hello from U-mode\n" in result.text
    assert ends(result) == [7]


@pytest.mark.parametrize("program, signal, words", [
    ("kernel-read", 11, "load page fault at ffffffff80000000"),
    ("text-write", 11, "store page fault at 10000,"),
    ("data-run", 11, "instruction page fault at 40000000"),
    ("illegal", 4, "illegal instruction"),
    ("null", 11, "instruction page fault at 0,"),
    ("overflow", 11, "store page fault at 3fff7f"),
])
def test_P2_a_program_that_faults_harms_only_itself(monolith, program, signal, words):
    result = monolith("private", program, "private", harts=2)
    assert ends(result) == [0, KILLED + signal, 0]
    assert re.search(rf"process \d+ \({program}\): {words}.*: killed", result.text), result.text
    assert result.text.count("private\n") == 2


@pytest.mark.parametrize("harts", [1, 4])
def test_P2_user_halves_are_private(monolith, harts):
    result = monolith(*["private"] * 8, harts=harts)
    assert ends(result) == [0] * 8 and result.text.count("private\n") == 8


@pytest.mark.parametrize("harts, switches", [(1, ()), (4, ()), (1, ("SCHED_CFS=y",))])
def test_P1_a_spinning_program_is_preempted_and_can_be_killed(monolith, harts, switches):
    result = monolith("spin", "-9", "spin", "-11", "hello", "private", "spin", "-2", harts=harts, switches=switches)
    assert ends(result) == [KILLED + 9, KILLED + 11, 7, 0, KILLED + 2]


def test_P1_calls_with_arguments_that_cannot_be(monolith):
    result = monolith("calls")
    assert result.status == 0 and "PASS\n" in result.text, result.text


def test_P1_a_program_that_is_not_there(monolith):
    result = monolith("nosuch")
    assert result.status == 127 and "nosuch: no such program" in result.text
