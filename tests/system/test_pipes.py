"""Pipes: tests/linux/pipes.c, and what a shell does with them (P5)."""
import hashlib

import pytest

import linux_programs
from machines import caisson

TEXT = """\
killed by 13, -1 (32), told 1
800 records, 0 mixed
3 700 of 700
room 1 1
-1 (11)
0 1
nobody reads: -1 (6)
7 through, then 0, 0
8, 0
met 300 times
numbers 1 1
"""


@pytest.mark.parametrize("library", linux_programs.LIBRARIES)
def test_P5_pipes_of_a_program(library):
    result = caisson("exec", linux_programs.build("pipes", library))
    assert (result.text, result.status) == (TEXT, 0), result.err


def test_P5_much_through_pipes():
    from caisson import fetch

    script = ("/busybox mkdir /bin; /busybox --install -s /bin; PATH=/bin; dd if=/dev/zero bs=1M count=20 2>/dev/null | tr '\\0' x | md5sum; "
              "mkfifo /tmp/f; (cat </tmp/f | wc -c) & seq 100000 >/tmp/f; wait; ls -l /tmp/f | cut -c1; yes | head -1; "
              "seq 10 | while read n; do echo $n; done | tail -1")
    result = caisson("exec", str(fetch.debian() / "busybox"), "sh", "-c", script)
    assert result.text == f"{hashlib.md5(b'x' * (20 << 20)).hexdigest()}  -\n588895\np\ny\n10\n", result.err
