"""What cannot be executed: malformed ELF files, scripts, arguments, paths. Each is an error of execve() and nothing else."""
import pytest

import linux_bare
import linux_programs
from machines import caisson

EXPECTED = """\
as it is: runs
nothing: Exec format error
magic only: Exec format error
ident only: Exec format error
half a header: Exec format error
header only: Exec format error
one segment's header: Exec format error
headers only: Exec format error
half of the code: Exec format error
another magic: Exec format error
32 bits: Exec format error
big endian: Exec format error
x86: Exec format error
relocatable: Exec format error
core: Exec format error
no segments: Exec format error
65,535 segments: Exec format error
headers of 57 bytes: Exec format error
headers beyond everything: Exec format error
headers at the end: Exec format error
overlap: Exec format error
wrong order: Exec format error
absurd memory: Exec format error
all memory: Exec format error
most of user space: Exec format error
absurd file: Exec format error
more file than memory: Exec format error
offset beyond: Exec format error
in the kernel: Exec format error
in the stack: Exec format error
at null: Exec format error
not aligned: Exec format error
entry nowhere: Exec format error
entry in the kernel: Exec format error
entry in data: Exec format error
no code: Exec format error
dynamic: Exec format error
script: runs
script with an argument and spaces: runs
script without a line's end: runs
script whose interpreter is not there: No such file or directory
script without an interpreter: Exec format error
script of spaces: Exec format error
script by a folder: Permission denied
script by what is not executable: Permission denied
script by itself: Too many levels of symbolic links
script by a script: runs
script with a long argument: runs
script with a long interpreter: Exec format error
text: Exec format error
an argument of 200,000 bytes: Argument list too long
an environment of 200,000 bytes: Argument list too long
an argument of 60,000 bytes: runs
arguments of 2,400,000 bytes: Argument list too long
3,000 arguments: runs
a folder: Permission denied
no such file: No such file or directory
an empty path: No such file or directory
below a file: Not a directory
with a slash behind: Not a directory
not executable: Permission denied
a device: Permission denied
a link to itself: Too many levels of symbolic links
a link to nothing: No such file or directory
a link: runs
a path that is too long: File name too long
a name that is too long: File name too long
"""
# Linux finds these out when it is too late for an error, or does not mind.
KILLED_ON_LINUX = [
    "headers only", "half of the code", "overlap", "absurd memory", "all memory", "most of user space", "absurd file",
    "more file than memory", "offset beyond", "in the kernel", "in the stack", "at null", "not aligned",
    "entry nowhere", "entry in the kernel", "entry in data", "no code",
]
RUN_ON_LINUX = ["big endian", "wrong order"]


def by_name(text: str) -> dict[str, str]:
    return dict(line.rsplit(": ", 1) for line in text.splitlines())


def test_P3_what_cannot_be_executed_is_an_error():
    result = caisson("exec", linux_programs.build("badexec"))
    assert result.status == 0 and result.text == EXPECTED


def test_P3_errors_of_execve_are_those_of_linux(tmp_path):
    said = by_name(linux_bare.output(linux_programs.build("badexec"), tmp_path))
    known = dict.fromkeys(KILLED_ON_LINUX, "killed by 11") | dict.fromkeys(RUN_ON_LINUX, "runs")
    assert said == by_name(EXPECTED) | known


def broken(program: bytes, **changes) -> bytes:
    """An executable with other bytes at some offsets (of its header: at_18=b"...")."""
    data = bytearray(program)
    for where, what in changes.items():
        at = int(where.removeprefix("at_"))
        data[at:at + len(what)] = what
    return bytes(data)


@pytest.mark.parametrize("changes, why", [
    ({"at_18": b"\x3e\0"}, "not for 64-bit RISC-V"),
    ({"at_4": b"\1"}, "not for 64-bit RISC-V"),
    ({"at_16": b"\1\0"}, "not an executable"),
    ({"at_24": bytes(8)}, "its entry is not in a segment that can be executed"),
    ({"at_56": b"\0\0"}, "no program headers"),
    ({"at_64": b"\3\0\0\0"}, "it wants a dynamic linker; only static programs run"),
])
def test_P3_the_first_program_is_refused_with_a_reason(tmp_path, changes, why):
    path = tmp_path / "broken"
    path.write_bytes(broken(open(linux_programs.build("badexec"), "rb").read(), **changes))
    result = caisson("exec", path)
    assert result.status == 126 and f"/broken: {why}" in result.err
