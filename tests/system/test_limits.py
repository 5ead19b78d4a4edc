"""Programs that want too much harm only themselves, and what they had comes back (P3, issue 6 points 3 and 7)."""
import shutil

import pytest

import linux_programs
from machines import caisson

FREE = "free() { sed -n 's/MemFree: *\\([0-9]*\\).*/\\1/p' /proc/meminfo; }; "


@pytest.fixture
def shell(tmp_path):
    """Run a script of busybox's; /bin/limits is tests/linux/limits.c."""
    from caisson import fetch

    (tmp_path / "bin").mkdir()
    shutil.copy(fetch.debian() / "busybox", tmp_path / "bin" / "sh")
    (tmp_path / "bin" / "sh").chmod(0o755)
    (tmp_path / "bin" / "true").symlink_to("sh")
    shutil.copy(linux_programs.build("limits"), tmp_path / "bin" / "limits")

    def start(script, *options):
        return caisson("exec", "--root", str(tmp_path), *options, str(tmp_path / "bin" / "sh"), "-c", FREE + script, timeout=400)

    return start


def parts(text):
    """{name: its lines} of a text of "== name" and lines."""
    return {part.split("\n")[0]: part.split("\n")[1:-1] for part in text.split("== ")[1:]}


def test_P3_who_wants_too_much_gets_an_error_and_memory_comes_back(shell):
    """Processes, descriptors, open files of all, pipes of all, threads, memory, stack; the first two rounds make the stacks."""
    names = "threads forks opens all-opens pipes threads memory stack forks"
    script = f"for t in {names}; do echo == $t; setsid /bin/limits $t; echo $?; free; done; ulimit -u"
    result = shell(script, "--harts", "2", "--ram", "128M")
    assert result.status == 0, result.err
    most = result.text.rsplit("\n", 2)[1]
    got = parts(result.text)
    free = [int(lines[-1 if name != "forks" else 3]) for name, lines in got.items()]
    assert max(free) - min(free) < 512, got
    assert {name: lines[:-1] for name, lines in got.items() if name != "forks"} == {
        "threads": [f"{most} threads, then EAGAIN", "0"],
        "opens": ["1024 files, then EMFILE", "0"],
        "all-opens": ["a child got ENFILE, and so does its parent: ENFILE", "it can open again: yes", "0"],
        "pipes": ["pipes: then ENFILE", "0"],
        "memory": ["137"],
        "stack": ["139"],
    }
    assert got["forks"][:3] == [f"{most} processes, then EAGAIN", "0 are left", "0"]


@pytest.mark.parametrize("bomb", ["sh -c 'b() { b | b & }; b'", "/bin/limits bomb"])
def test_P3_a_fork_bomb_leaves_the_others_room(bomb, shell):
    """The kernel keeps the stacks that it made for so many: they are there before memory is compared."""
    script = (f"one() {{ setsid {bomb} 2>/tmp/err & bomb=$!; sleep 2; /bin/true && echo alive; kill -9 -$bomb; wait $bomb; "
              "i=0; while [ $(ls /proc | grep -c '^[0-9]') -gt 4 ] && [ $i -lt 3000 ]; do sleep 0.1; i=$((i+1)); done; "
              "echo settled; free; }; setsid /bin/limits forks >/dev/null; one; one")
    result = shell(script, "--ram", "128M")
    said = result.text.split()
    assert result.status == 0 and said[:2] == ["alive", "settled"] and said[3:5] == ["alive", "settled"], result.err
    assert abs(int(said[2]) - int(said[5])) < 512


def test_P3_out_of_memory_kills_who_asked(shell, tmp_path):
    log = tmp_path / "log"
    script = "free; tail /dev/zero; echo $?; /bin/limits memory; echo $?; free"
    result = shell(script, "--ram", "64M", "--log", str(log))
    before, tail, touched, after = map(int, result.text.split())
    assert (result.status, tail, touched) == (0, 137, 137)
    assert abs(before - after) < 256
    assert "(tail): out of memory" in log.read_text() and "(limits):" in log.read_text()


def test_P3_limits_are_inherited_and_kept(shell):
    script = ("ulimit -n 20; ulimit -u 30; ulimit -f 8; sh -c 'ulimit -n; ulimit -u; ulimit -f'; "
              "sh -c '/bin/limits opens; setsid /bin/limits forks & wait'; "
              "dd if=/dev/zero of=/tmp/x bs=1k count=100 2>/dev/null; echo $?; wc -c </tmp/x; "
              "(ulimit -v 20000; /bin/limits memory); (ulimit -S -n 25) 2>/dev/null || echo not higher; (ulimit -n 10; ulimit -n)")
    result = shell(script, "--ram", "128M")
    lines = result.text.split("\n")
    assert lines[:4] == ["20", "30", "8", "20 files, then EMFILE"], result.text + result.err
    assert lines[4:6] == ["30 processes, then EAGAIN", "0 are left"]
    assert lines[6:] == ["153", "4096", "ENOMEM", "not higher", "10", ""]


def test_P3_a_thousand_forks_leave_nothing(shell):
    """Alone, and with exec."""
    script = ("loop() { i=0; while [ $i -lt $1 ]; do (:); i=$((i+1)); done; }; "
              "run() { i=0; while [ $i -lt $1 ]; do /bin/true; i=$((i+1)); done; }; "
              "loop 20; run 20; free; loop 1000; free; run 1000; free")
    result = shell(script, "--ram", "64M")
    before, forked, executed = map(int, result.text.split())
    assert result.status == 0
    assert abs(before - forked) <= 16 and abs(before - executed) <= 16


def test_P4_numbers_of_processes_go_round():
    result = caisson("exec", linux_programs.build("numbers"), timeout=300)
    assert (result.text, result.status) == ("round 1, twice 0\n", 0), result.err
