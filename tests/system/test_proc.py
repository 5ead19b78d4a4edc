"""/proc on the monolith, as busybox's programs read it (P5)."""
import re

import pytest

from machines import caisson


@pytest.fixture(scope="module")
def shell():
    """Lines of a script's output. The programs stand in /bin, so that each has a process of its own."""
    from caisson import fetch

    busybox = str(fetch.debian() / "busybox")

    def run(script, *options):
        text = ("/busybox mkdir /bin; /busybox --install -s /bin; "
                "background() { \"$@\" </dev/null & until [ \"$(cat /proc/$!/comm)\" = $1 ]; do :; done; }; " + script)
        result = caisson("exec", *options, busybox, "sh", "-c", text)
        assert result.err == ""
        return result.text.splitlines()

    return run


def test_P5_ps_shows_arguments_and_states(shell):
    lines = shell("background sleep 1000; background sleep 2000; kill -STOP $!; /bin/ps -o pid,ppid,stat,vsz,args; kill -9 %1 %2")
    sleeps = {line.split(None, 4)[4]: line.split() for line in lines if "sleep " in line.split(None, 4)[4][:6]}
    assert sleeps["sleep 1000"][1] == sleeps["sleep 2000"][1] == "1"
    assert (sleeps["sleep 1000"][2], sleeps["sleep 2000"][2]) == ("S", "T")
    assert all(words[3] != "0" for words in sleeps.values())


def test_P5_the_programs_that_look_around(shell):
    lines = shell("background sleep 1000; background sleep 1000; /bin/pidof sleep | wc -w; /bin/free | grep -c Mem; /bin/uptime | grep -c load; "
                  "/bin/top -b -n1 | grep -c '[0-9]% sleep 1000' ; /bin/killall sleep; wait; /bin/pidof sleep || echo none; "
                  "/bin/df / | tail -1 | awk '{print $1, $6}'; /bin/mount | head -1; hostname; nproc")
    assert lines == ["2", "1", "1", "2", "none", "tmpfs /", "tmpfs on / type tmpfs (rw)", "caisson", "1"]


def test_P5_a_process_in_proc(shell):
    lines = shell("cd /tmp; background sleep 1000; cd /proc/$!; tr '\\0' ' ' <cmdline; echo; readlink cwd; readlink exe; readlink root; tr '\\0' '\\n' <environ | grep -c HOME; "
                  "grep -E '^(Name|State|Threads|PPid)' status; ls; ls fd task | tr '\\n' ' ' | sed \"s/$!/PID/\"; echo; awk '{print NF}' stat; "
                  "grep -o '\\[stack\\]' maps; grep -c r-xp maps; kill $!; wait; cat /proc/$!/comm 2>/dev/null || echo gone")
    assert lines == ["sleep 1000 ", "/tmp", "/busybox", "/", "1", "Name:\tsleep", "State:\tS (sleeping)", "PPid:\t1", "Threads:\t1",
                     "cmdline", "comm", "cwd", "environ", "exe", "fd", "maps", "mounts", "root", "stat", "statm", "status", "task",
                     "fd: 0 1 2  task: PID ", "52", "[stack]", "2", "gone"]


def test_P5_the_system_in_proc(shell):
    lines = shell("cat /proc/sys/kernel/ostype /proc/sys/kernel/pid_max; cat /proc/filesystems; grep -c ^processor /proc/cpuinfo; "
                  "grep -c ^cpu /proc/stat; cat /proc/loadavg; ls /proc/sys/kernel; ls /proc | grep -v '[0-9]' | tr '\\n' ' '", "--harts", "2")
    assert lines[:2] == ["Linux", "32768"]
    assert {"nodev\ttmpfs", "nodev\tproc", "nodev\tdevtmpfs", "\tvfat"} <= set(lines)
    place = lines.index("2")
    assert lines[place + 1] == "3" and re.fullmatch(r"\d+\.00 \d+\.00 \d+\.00 \d+/\d+ \d+", lines[place + 2])
    assert lines[place + 3:place + 8] == ["hostname", "osrelease", "ostype", "pid_max", "version"]
    assert lines[-1].split() == ["cmdline", "cpuinfo", "filesystems", "loadavg", "meminfo", "mounts", "self", "stat", "sys",
                                 "thread-self", "uptime", "version"]


def test_P5_standard_input_by_its_name(shell):
    assert shell("echo piped | cat /dev/stdin; echo filed >/tmp/f; cat /dev/fd/5 5</tmp/f; echo shown | tee /dev/stderr >/dev/null 2>/tmp/e; "
                 "cat /tmp/e") == ["piped", "filed", "shown"]


def test_P5_processes_that_end_while_they_are_looked_at(shell):
    """Whoever looks at a process that ends may be the last one to have its files, of /proc among them."""
    lines = shell("i=0; while [ $i -lt 40 ]; do (exec 5</proc/self/status; cat <&5 >/dev/null) & i=$((i + 1)); done; "
                  "for p in 1 2 3 4 5 6; do ls -lR /proc >/dev/null 2>&1; cat /proc/[0-9]*/* >/dev/null 2>&1; done; wait; "
                  "mount -o remount,ro /proc; set -- /proc/[0-9]*; echo $*", "--harts", "4")
    assert lines == ["/proc/1"]
