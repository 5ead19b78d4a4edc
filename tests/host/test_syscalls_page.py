"""docs/syscalls.md says which system calls there are, and which programs of tests/linux make them."""
import re

import pytest

import syscall_table
from hosttool import ROOT


def test_D2_the_page_has_the_calls_of_the_table_and_no_others():
    assert {number: name for number, (name, _) in syscall_table.documented().items()} == syscall_table.calls()


@pytest.mark.parametrize("number", syscall_table.calls())
def test_D2_the_programs_that_are_named_make_the_call(number):
    name, programs = syscall_table.documented()[number]
    texts = syscall_table.sources()
    assert not [program for program in programs if program not in texts]
    assert not [program for program in programs if not syscall_table.makes(texts[program], name)]


def test_the_programs_are_run_by_tests():
    tests = "".join(path.read_text() for path in (ROOT / "tests" / "system").glob("test_*.py"))
    named = {program for _, programs in syscall_table.documented().values() for program in programs}
    assert not [program for program in named if f'"{program}"' not in tests]


def test_the_count_of_the_page():
    text = (ROOT / "docs" / "syscalls.md").read_text()
    numbers = re.search(r"There are (\d+), of which (\d+) have a program", text)
    rows = syscall_table.documented().values()
    assert (int(numbers[1]), int(numbers[2])) == (len(rows), sum(bool(programs) for _, programs in rows))


def test_every_call_has_bad_arguments_tried():
    """The two programs that try every call know all numbers."""
    highest = max(syscall_table.calls())
    assert int(re.search(r"#define NUMBERS (\d+)", syscall_table.sources()["badpointers"])[1]) > highest
