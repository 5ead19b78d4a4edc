"""What ./caisson run does around QEMU: its command, the channels, statuses, signals and input."""
import fcntl
import os
import pty
import re
import signal
import subprocess
import termios
import time

import pytest
from hosttool import PATIENCE, ROOT

RUN = ("run", "--batch", "--kernel", "kernel")


def wait_for(condition, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_command(tool):
    tool.run(*RUN, "--harts", "4", "--ram", "1G", "--cpu", "rv64,sstc=off", "--machine", "aia=aplic",
             "--qemu-arg", "-d", "--qemu-arg=int")
    words = tool.record()
    assert words[words.index("-smp") + 1] == "4"
    assert words[words.index("-m") + 1] == "1024M"
    assert words[words.index("-cpu") + 1] == "rv64,sstc=off"
    assert words[words.index("-M") + 1] == "virt,aia=aplic"
    assert words[-2:] == ["-d", "int"]
    assert words[words.index("-append") + 1].split() == ["framed", "loglevel=info", "batch"]
    assert "-icount" not in words and "-gdb" not in words


def test_icount_is_exact(tool):
    tool.run(*RUN, "--icount")
    assert "-icount shift=0,sleep=off -seed 1 -rtc base=2025-01-01T00:00:00,clock=vm" in " ".join(tool.record())


def test_default_ram_holds_everything(tool):
    tool.file("big", bytes(80 << 20))
    tool.run("run", "--batch", "--kernel", "big", "--memory", "2M")
    ram = int(tool.record()[tool.record().index("-m") + 1].rstrip("M"))
    assert ram >= 80 + 2 + 128


@pytest.mark.parametrize("words, level", [([], "info"), (["--debug"], "debug"), (["--log-level", "trace"], "trace"),
                                          (["--debug", "--log-level", "warn"], "warn")])
def test_D1_log_level(tool, words, level):
    result = tool.run(*RUN, *words)
    assert f"loglevel={level}" in tool.record()[tool.record().index("-append") + 1]
    assert (b"-nodefaults" in result.stderr) == ("--debug" in words)


@pytest.mark.parametrize("words, port", [(["--gdb"], 1234), (["--gdb", "4321"], 4321), (["--gdb=77"], 77)])
def test_gdb_port(tool, words, port):
    result = tool.run(*RUN, *words)
    assert f"-gdb tcp:127.0.0.1:{port} -S" in " ".join(tool.record())
    assert f"target remote :{port}" in result.stderr.decode()


def test_batch_output_is_the_guest_only(tool):
    script = r"""
raw(b'OpenSBI\r\n'); frame(0, b'log 1\n'); frame(1, b'monitor'); frame(8, b'a\r\n\x10\x00\xff'); frame(0, b'log 2\n')
frame(8, b'no end'); end(0)"""
    result = tool.run(*RUN, "--log", "log", script=script)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"a\r\n\x10\x00\xffno end", b"")
    assert (tool.folder / "log").read_bytes() == b"OpenSBI\r\nlog 1\nlog 2\n"


def test_several_vms_have_prefixes(tool):
    for name in ("one", "two"):
        tool.file(f"{name}.toml", 'kernel = "kernel"\n')
    script = r"frame(8, b'a'); frame(9, b'x\ny'); frame(8, b'b\n'); frame(9, b'z'); end(0)"
    result = tool.run("run", "--batch", "one.toml", "two.toml", script=script)
    assert sorted(result.stdout.splitlines()) == [b"[one] ab", b"[two] x", b"[two] yz"]


def test_interactive_shows_log_monitor_and_guest(tool):
    script = r"raw(b'fw\n'); frame(0, b'log\n'); frame(1, b'mon\n'); frame(8, b'guest\n'); end(0)"
    words = ("run", "--kernel", "kernel")
    assert tool.run(*words, script=script).stdout == b"fw\nlog\nmon\nguest\n"
    assert tool.run(*words, "--quiet", script=script).stdout == b"mon\nguest\n"
    assert tool.run(*words, "--log", "log", script=script).stdout == b"mon\nguest\n"
    assert (tool.folder / "log").read_bytes() == b"fw\nlog\n"


@pytest.mark.parametrize("status", [0, 1, 2, 3])
def test_status_is_the_hypervisors(tool, status):
    result = tool.run(*RUN, script=f"frame(0, b'why\\n'); frame(2, b'reason\\n'); end({status})")
    assert result.returncode == status
    assert result.stderr.startswith(b"reason\n")
    assert (b"why" in result.stderr) == (status == 3)


@pytest.mark.parametrize("script, message", [
    ("import sys; print('bad option', file=sys.stderr); end(1)", "bad option"),
    ("raw(b'OpenSBI\\n'); end(0)", "the hypervisor did not start (QEMU's exit status: 0)"),
    ("frame(0, b'x\\n'); end(77)", "QEMU ended with status 77"),
    ("frame(0, b'last words\\n'); os.kill(os.getpid(), signal.SIGSEGV)", "QEMU was killed by signal 11"),
    ("frame(0, b'last words\\n'); os.kill(os.getpid(), signal.SIGSEGV)", "last words"),
])
def test_qemu_dies_by_itself(tool, script, message):
    result = tool.run(*RUN, script=script)
    assert result.returncode == 3
    assert message in result.stderr.decode()


def test_no_qemu(tool):
    tool.environment["CAISSON_QEMU"] = "/nonexistent/qemu"
    result = tool.run(*RUN)
    assert result.returncode == 3
    assert b"/nonexistent/qemu: no such program" in result.stderr


@pytest.mark.parametrize("signum, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_signals_end_batch(tool, signum, status):
    with tool.start(*RUN, script="frame(8, b'up'); time.sleep(1000)") as child:
        assert child.stdout.read(2) == b"up"
        child.send_signal(signum)
        assert child.wait(timeout=PATIENCE) == status
    assert not alive(int(tool.record()[0]))


def test_sigint_counts_in_the_background(tool):
    """A shell without job control starts background commands with SIGINT ignored."""
    ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        child = tool.start(*RUN, script="frame(8, b'up'); time.sleep(1000)")
    finally:
        signal.signal(signal.SIGINT, ignored)
    with child:
        assert child.stdout.read(2) == b"up"
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=PATIENCE) == 130


def test_qemu_never_outlives_a_killed_tool(tool):
    with tool.start(*RUN, script="frame(8, b'up'); time.sleep(1000)") as child:
        assert child.stdout.read(2) == b"up"
        child.kill()
    assert wait_for(lambda: not alive(int(tool.record()[0])))


def test_nothing_is_left_behind(tool):
    tool.environment["TMPDIR"] = str(tool.folder / "tmp")
    (tool.folder / "tmp").mkdir()
    tool.run(*RUN)
    with tool.start(*RUN, script="frame(8, b'up'); time.sleep(1000)") as child:
        child.stdout.read(2)
        child.kill()
    assert list((tool.folder / "tmp").iterdir()) == []


def test_input_goes_to_the_guest_once_it_is_taken(tool):
    """Bytes sent before the serial driver is up would be lost: they wait for the first word of the monitor or a VM."""
    script = r"""
frame(0, b'starting\n')
import select
early = bool(select.select([0], [], [], 0.5)[0])
frame(1, b'')
data = read(8)
frame(8, b'early ' + str(early).encode() + b' got ' + data); end(0)"""
    assert tool.run(*RUN, script=script, data=b"abc\n\x03\xff\x10").stdout == b"early False got abc\n\x03\xff\x10\x10"


def test_end_of_input_is_not_an_event(tool):
    script = r"frame(8, b'go\n'); time.sleep(0.3); frame(8, b'still here'); end(0)"
    assert tool.run(*RUN, script=script, data=b"").stdout == b"go\nstill here"


def test_closed_standard_files(tool):
    command = f"cd {tool.folder}; exec {ROOT}/caisson run --batch --kernel kernel <&- >out 2>&-"
    script = "frame(2, b'error\\n'); frame(8, b'fine'); end(0)"
    environment = {**tool.environment, "FAKE_QEMU_SCRIPT": script}
    assert subprocess.run(["sh", "-c", command], env=environment, timeout=PATIENCE, check=False).returncode == 0
    assert (tool.folder / "out").read_bytes() == b"fine"


def test_slow_reader_never_stops_qemu(tool):
    """QEMU writes 8 MB and ends while nobody reads; then all of it arrives."""
    script = r"frame(8, b'x' * (8 << 20)); open(os.environ['FAKE_QEMU_RECORD'] + '.done', 'w'); end(0)"
    with tool.start(*RUN, script=script) as child:
        assert wait_for((tool.folder / "record.done").exists)
        assert len(child.stdout.read()) == 8 << 20
        assert child.wait(timeout=PATIENCE) == 0


def test_input_is_not_read_ahead_without_bound(tool):
    """A guest that takes no input leaves it with the sender."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    with tool.start(*RUN, script="frame(8, b'up'); time.sleep(1000)", stdin=read_end) as child:
        child.stdout.read(2)
        sent, quiet_since = 0, time.monotonic()
        while time.monotonic() - quiet_since < 0.5 and sent < 4 << 20:
            try:
                sent += os.write(write_end, bytes(65536))
                quiet_since = time.monotonic()
            except BlockingIOError:
                time.sleep(0.02)
        child.kill()
    os.close(read_end)
    os.close(write_end)
    assert sent < 1 << 20


def test_reader_that_goes_away(tool):
    with tool.start(*RUN, script="frame(8, b'up\\n'); time.sleep(0.3); frame(8, b'more'); time.sleep(1000)") as child:
        assert child.stdout.readline() == b"up\n"
        child.stdout.close()
        assert child.wait(timeout=PATIENCE) == 141
    assert not alive(int(tool.record()[0]))


def test_terminal_is_raw_and_restored(tool):
    """Keys arrive one by one, Ctrl-C included; afterwards the terminal is as it was."""
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    termios.tcsetwinsize(master, (25, 80))
    script = r"""
frame(1, b'ready')
assert read(8) == b'\x10S80x25\n'
data = read(3)
frame(8, repr(data).encode())
end(0)"""
    with tool.start("run", "--kernel", "kernel", script=script, stdin=slave, stdout=slave, start_new_session=True,
                    preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)) as child:
        seen = b""
        while b"ready" not in seen:
            seen += os.read(master, 100)
        os.write(master, b"a\x03\x04")
        while b"\\x04'" not in seen:
            seen += os.read(master, 100)
        assert child.wait(timeout=PATIENCE) == 0
    assert b"b'a\\x03\\x04'" in seen
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


def test_terminal_size_is_told(tool):
    """At the start, as soon as the machine takes input, and when it changes; whoever has the input."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(master, (25, 80))
    script = r"""
time.sleep(0.2)
frame(1, b'ready')
first = read(8)
frame(8, repr(first).encode())
frame(8, repr(read(9)).encode())
end(0)"""
    with tool.start(*RUN, script=script, stdin=subprocess.DEVNULL, stdout=slave, start_new_session=True,
                    preexec_fn=lambda: fcntl.ioctl(1, termios.TIOCSCTTY, 0)) as child:
        seen = b""
        while b"80x25\\n'" not in seen:
            seen += os.read(master, 100)
        termios.tcsetwinsize(master, (43, 132))  # which sends SIGWINCH
        while b"132x43\\n'" not in seen:
            seen += os.read(master, 100)
        assert child.wait(timeout=PATIENCE) == 0
    assert rb"\x10S80x25\n" in seen and rb"\x10S132x43\n" in seen
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize("end", ["SIGTERM", "escape"])
def test_terminal_is_restored_after(tool, end):
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    with tool.start("run", "--kernel", "kernel", script="frame(1, b'ready'); time.sleep(1000)", stdin=slave,
                    stdout=slave, start_new_session=True,
                    preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)) as child:
        seen = b""
        while b"ready" not in seen:
            seen += os.read(master, 100)
        if end == "SIGTERM":
            child.terminate()
        else:
            os.write(master, b"\x1d\x1d\x1d")
        assert child.wait(timeout=PATIENCE) == (143 if end == "SIGTERM" else 3)
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize("words", [[], ["run"], ["test"], ["bench"], ["debug"], ["build"], ["clean"], ["app"],
                                   ["exec"], ["fetch"], ["image"], ["setup"]])
def test_help_everywhere(tool, words):
    result = tool.run(*words, "--help")
    assert result.returncode == 0
    assert b"exit status" in result.stdout
    assert result.stderr == b""


def test_usage(tool):
    assert re.fullmatch(rb"caisson \d+\.\d+\.\d+\n", tool.run("--version").stdout)
    for words in ([], ["dance"], ["build", "nothing"], ["app", "nothing"], ["setup", "nothing"],
                  ["exec", "nothing-there"], ["exec", "--root", "/nowhere", "/bin/true"], ["exec", "/"], ["exec", "/dev/null"]):
        result = tool.run(*words)
        assert result.returncode == 2, words
        assert result.stdout == b""
        assert result.stderr.startswith(b"caisson: ")
