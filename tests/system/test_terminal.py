"""The terminal of programs: Debian's busybox on it, as a person uses it (P5)."""
import signal

import pexpect
import pytest


@pytest.fixture(scope="module")
def busybox():
    from caisson import fetch

    return str(fetch.debian() / "busybox")


class Shell:
    """An interactive shell with the tools by name. Its prompt says what the last command's status was."""

    def __init__(self, child):
        self.child = child
        child.expect_exact("# ")
        self.line("PS1='<'; PS1='$?<'$PS1")
        self.prompt()
        self.run("/busybox mkdir /bin; /busybox --install -s /bin; PATH=/bin; cd /tmp")

    def line(self, text: str) -> None:
        self.child.send(text + "\r")

    def prompt(self) -> tuple[int, str]:
        """Status and output of what was typed last."""
        self.child.expect(r"\r\n(\d+)<<|(\d+)<<")
        return int(self.child.match[1] or self.child.match[2]), self.child.before

    def run(self, text: str) -> tuple[int, str]:
        self.line(text)
        status, output = self.prompt()
        return status, output.partition("\n")[2].replace("\r", "")

    def until(self, good, text: str) -> str:
        """Type it again until its status and output are good; all the output."""
        said = ""
        for _ in range(1000):
            status, output = self.run(text)
            said += output
            if good(status, output):
                return said
            self.run("sleep 0.1")
        raise AssertionError(said[-1000:])

    def job_is(self, state: str) -> str:
        """Wait until a job is said to be in a state; all that was shown meanwhile."""
        return self.until(lambda status, output: state in output, "jobs")


@pytest.fixture
def shell(spawn, busybox):
    child = spawn("exec", busybox, "sh", "-i", encoding="utf-8")
    yield Shell(child)
    if child.isalive():
        child.kill(signal.SIGTERM)
        child.expect(pexpect.EOF)
        child.wait()


def test_P5_characters_that_send_signals(shell):
    for key, status in [("\x03", 130), ("\x1c", 131)]:
        shell.line("echo go; sleep 1000")
        shell.child.expect_exact("go\r\n")
        shell.child.send(key)
        assert shell.prompt()[0] == status
    shell.line("trap 'echo caught' INT; echo go; cat")
    shell.child.expect_exact("go\r\n")
    shell.child.send("line\r")
    shell.child.expect_exact("line\r\nline\r\n")
    shell.child.send("\x04")
    assert shell.prompt()[0] == 0
    shell.child.send("\x03")
    shell.child.expect_exact("caught")


def test_P5_jobs_stop_and_go_on(shell):
    shell.line("echo go; cat >out")
    shell.child.expect_exact("go\r\n")
    shell.child.send("one\r")
    shell.child.expect_exact("one\r\n")
    shell.child.send("\x1a")
    assert shell.prompt()[0] == 148
    status, text = shell.run("jobs")
    assert "Stopped" in text and "cat 1>out" in text
    shell.line("fg")
    shell.child.expect_exact("cat 1>out\r\n")
    shell.child.send("two\r\x04")
    assert shell.prompt()[0] == 0
    assert shell.run("cat out") == (0, "one\ntwo")
    shell.run("sleep 1000 &")
    shell.run("kill -STOP %1")
    shell.job_is("Stopped")
    shell.run("bg %1")
    shell.job_is("Running")
    assert shell.run("kill %1; wait %1")[0] == 143


def test_P5_the_background_neither_reads_nor_writes_unasked(shell):
    shell.run("cat &")
    shell.job_is("Stopped")
    shell.run("kill -9 %1; wait")
    assert "aloud" in shell.run("(echo al''oud) & wait")[1]
    shell.run("stty tostop")
    assert "aloud" not in shell.run("(echo al''oud) &")[1] + shell.job_is("Stopped")
    shell.line("fg")
    shell.child.expect_exact("aloud\r\n")
    assert shell.prompt()[0] == 0


def test_P5_a_stopped_orphan_is_let_go(shell):
    """Its shell ends: it gets SIGHUP, and SIGCONT so that it can take that."""
    shell.run("echo 'kill -STOP $$; echo survived >/tmp/bad' >job; echo 'set -m; sh job & until grep -q \"^State:.T\" /proc/$!/status; do sleep 0.1; done; echo $! >pid' >leader")
    shell.run("sh leader")
    shell.until(lambda status, output: status == 1, "kill -0 $(cat pid)")
    assert shell.run("cat bad")[0] == 1


def test_P5_lines_are_edited(shell):
    shell.line("echo go; od -c -An")
    shell.child.expect_exact("go\r\n")
    keys = ["ab\x7fc", "\x15", "one two_3\x17x", "\x16\x03", "\x16\x7f", "\u00e9\x7f!", "\r"]
    for key in keys:
        shell.child.send(key)
    shell.child.send("half\x04 line\r\x04")
    status, text = shell.prompt()
    assert status == 0
    assert " ".join(text.split()[-17:]) == "o n e x 003 177 ! \\n h a l f l i n e \\n".replace("f l", "f l")


def test_P5_settings(shell):
    assert "speed 38400 baud; rows 40; columns 120;" in shell.run("stty -a")[1]
    assert "intr = ^C; quit = ^\\; erase = ^?; kill = ^U; eof = ^D;" in shell.run("stty -a")[1]
    shell.line("stty -echo; cat; stty echo")
    shell.child.expect_exact("stty echo\r\n")
    shell.child.send("unseen\r\x04")
    status, text = shell.prompt()
    assert text.count("unseen") == 1
    shell.line("stty raw -echo; echo go; dd bs=1 count=5 2>/dev/null | od -c -An; stty -raw echo")
    shell.child.expect("go\r?\n")
    shell.child.send("a\x03\r\x04\x1a")
    status, text = shell.prompt()
    assert text.split() == "a 003 \\r 004 032".split()
    shell.line("stty min 0 time 2 -icanon; echo go; cat; stty sane")
    shell.child.expect_exact("go\r\n")
    assert shell.prompt()[0] == 0  # nothing came, and that was its end


def test_P5_output_stops_and_goes_on(shell):
    shell.line("echo go; cat")
    shell.child.expect_exact("go\r\n")
    shell.child.send("\x13hidden\r")
    assert shell.child.expect_exact(["hidden\r\nhidden\r\n", pexpect.TIMEOUT], timeout=1) == 1
    shell.child.send("\x11")
    shell.child.expect_exact("hidden\r\n")
    shell.child.send("\x04")
    assert shell.prompt()[0] == 0


def test_P5_the_size_changes(shell):
    assert shell.run("stty size")[1] == "40 120"
    shell.line("trap 'stty size' WINCH; echo go; while :; do :; done")
    shell.child.expect_exact("go\r\n")
    shell.child.setwinsize(30, 90)
    shell.child.expect_exact("30 90\r\n")
    shell.child.send("\x03")
    shell.prompt()
    assert shell.run("trap - WINCH; stty rows 11 cols 22; stty size")[1] == "11 22"


def test_P5_a_long_line(shell):
    """Two lines of the most that there may be arrive whole, of a longer one its beginning and its end."""
    shell.line("stty -echo; echo go; cat >out; stty echo")
    shell.child.expect_exact("go\r\n")
    for n in 4095, 5000:
        for at in range(0, n, 500):
            shell.child.send("x" * min(500, n - at))
        shell.child.send("\r")
    shell.child.send("\x04")
    shell.prompt()
    assert shell.run("wc -c out; wc -l out")[1] == "8192 out\n2 out"


def test_P5_an_editor_and_a_pager(shell):
    shell.line("vi text")
    shell.child.expect_exact("text")
    shell.child.send("ifirst line\rsecond\x1b")
    shell.child.expect_exact("- text [Modified]")  # Escape and what follows at once would be one key
    shell.child.send("0cwlast\x1b")
    shell.child.expect_exact("- text [Modified]")
    shell.child.send(":wq\r")
    assert shell.prompt()[0] == 0
    assert shell.run("cat text") == (0, "first line\nlast")
    shell.line("seq 200 | less")
    shell.child.expect_exact("39")
    shell.child.send("G")
    shell.child.expect_exact("200")
    shell.child.send("q")
    assert shell.prompt()[0] == 0
    shell.line("seq 200 | more")
    shell.child.expect_exact("More")
    shell.child.send("q")
    shell.prompt()


def test_P5_the_terminal_belongs_to_a_session(shell):
    assert shell.run("tty; echo x >/dev/tty")[1].split() == ["/dev/console", "x"]
    status, text = shell.run("setsid sh -c 'echo y >/dev/tty' 2>&1 | cat")
    assert "y" not in text.split() and "/dev/tty" in text
