"""Threads of programs: tests/linux/threads.c and robust.c with either C library, on one hart and on several (P4, issue 6 point 1)."""
import shutil

import pytest

import linux_bare
import linux_programs
from machines import caisson

SAID = {
    "mutex": "counted 16000, mine is still 5\n-> 0",
    "cond": "taken 1600\n-> 0",
    "timeout": "condition: timed out\nmutex: timed out\n-> 0",
    "barrier": "rounds 50, once 1, at most 3 inside\n-> 0",
    "detached": "300 came and went\n-> 0",
    "fp": "right sums 8\n-> 0",
    "exit": "main returns\n-> 0",
    "exec": "executed by the process it was, thread one\n-> 0",
    "main-leaves": "main has gone, and I have joined it\n-> 6",
    "fork": "the child had one thread and ended with 3\n-> 0",
    "tlb": "0 of a page that was gone\n0 changes of a page that could only be read\n-> 0",
    "stop": "stopped: all\nwent on, and ended when it was stopped\n-> 0",
    "crash": "-> 139",
    "signals": "for the process: the thread that does not block it\nfor a thread: that one\n"
               "for a thread that is gone: no such one\n-> 0",
    "robust": "its owner has died: said so\n-> 0",
    "shared": "its owner has died: said so\n-> 0",
}


@pytest.fixture(scope="module")
def busybox():
    from caisson import fetch

    return fetch.debian() / "busybox"


@pytest.mark.parametrize("library, harts, debug", [("glibc", 1, False), ("musl", 2, False), ("glibc", 4, False), ("musl", 4, True)])
def test_P4_threads(library, harts, debug, busybox, tmp_path):
    (tmp_path / "sh").write_bytes(busybox.read_bytes())
    (tmp_path / "sh").chmod(0o755)
    for name in ("threads", "robust"):
        shutil.copy(linux_programs.build(name, library), tmp_path / name)
    script = f"for t in {' '.join(SAID)} 'harts {harts}'; do echo == $t; case $t in robust|shared) /robust $t;; *) /threads $t;; esac; echo \"-> $?\"; done"
    result = caisson("exec", "--root", str(tmp_path), "--harts", str(harts), *(["--debug"] if debug else []), str(tmp_path / "sh"),
                     "-c", script, timeout=300)
    assert result.status == 0, result.err
    got = dict(part.split("\n", 1) for part in result.text.split("== ")[1:])
    assert {name: text.strip() for name, text in got.items()} == {
        **SAID, f"harts {harts}": f"ran on {harts} harts of {harts}\nnow on hart {harts - 1}\n-> 0"}


@pytest.mark.parametrize("harts", [1, 2])
def test_P4_calls_of_threads_say_what_linux_says(harts, tmp_path):
    """futex with its errors, robust lists that lie, numbers, scheduling: line by line."""
    program = linux_programs.build("futex")
    result = caisson("exec", "--harts", str(harts), program)
    assert result.status == 0, result.err
    assert result.text == linux_bare.output(program, tmp_path)
