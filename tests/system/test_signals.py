"""Signals: tests/linux/signals.c on the monolith (P5)."""
import pytest

import linux_programs
from machines import caisson

# Numbers in brackets are errno's; 1000 and more is 1000 and the signal that killed.
TEXT = """\
deferred: 1 deep of 3
nested: 3 deep of 3
reset: 1010
read: -1 (4), again: 1 after 1
on the other stack: 1
0 1
-1 (12)
overflow: 42 1011, no stack: 1011
floating point: 1.5 2.5 after 1
odd: 1, kernel: 1011, forged: 1011, nowhere: 1011
queued: 1 2 3 1, at most: some (11)
ignored: 0, none: -1 (11) -1, child: 1 1 9
ignored: -1 (10)
not waited for: -1 (10), told 1
vfork: -1
stopped: 1 19, told 0, goes on: 1 18, told 0, ended: 1 5, again: 1, told 1, none: -1 (10)
-1 (22)
blocked: 0, suspended: 1, blocked again: 1
in parts: 0
"""
SIGTHREADS = """\
flushing: 0 1, 1 0
killing: 1 1
writing: -1, EPIPE: 1, then signal 13
stopping: it goes on
waiting: 50 rounds of 50
"""
GROUPS = """\
a group of its own: yes
another's: yes
it is there: 1, of the same session: 1
whose leader has ended: yes
that nobody has: EPERM
below 0: EINVAL
of nobody: ESRCH
asked of nobody: ESRCH
session of nobody: ESRCH
a leader's session: EPERM
of who has left its group to others: EPERM
when they have gone: yes
a session's leader into a group: EPERM
into a group of another session: EPERM
number, group and session are one: 1
"""


@pytest.mark.parametrize("library", linux_programs.LIBRARIES)
def test_P5_signals_of_a_program(library):
    result = caisson("exec", "--icount", linux_programs.build("signals", library))
    assert (result.text, result.status) == (TEXT, 0), result.err


@pytest.mark.parametrize("harts", [1, 2])
def test_P5_groups_and_sessions(harts):
    result = caisson("exec", "--harts", str(harts), linux_programs.build("groups"))
    assert (result.text, result.status) == (GROUPS, 0), result.err


@pytest.mark.parametrize("harts", [1, 2])
def test_P5_signals_that_meet_threads_and_stops(harts):
    result = caisson("exec", "--harts", str(harts), linux_programs.build("sigthreads"))
    assert (result.text, result.status) == (SIGTHREADS, 0), result.err
