"""Programs of tests/linux with Debian's glibc and musl start and end as their C library wants it (P5)."""
import pytest

import linux_programs
from machines import caisson


@pytest.mark.parametrize("library", linux_programs.LIBRARIES)
def test_P5_a_program_of_either_library(library):
    result = caisson("exec", linux_programs.build("threadless", library), "one", "two")
    assert result.status == 7, result.err
    assert result.text == ("3 arguments, the last is two\nthread-local 42 0\nerrno is ERANGE: yes\n3.143 with a homeat the end\n")
