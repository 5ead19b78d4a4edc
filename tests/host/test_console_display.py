"""What the tool does with the VMs' consoles: log files, and a terminal where no line breaks into another."""
import os

import pytest
from caisson import demux
from caisson.screen import Screen

TWO = ("run", "--batch", "a.toml", "b.toml")


@pytest.fixture
def two(tool):
    tool.file("kernel")
    for name in "ab":
        tool.file(f"{name}.toml", 'kernel = "kernel"\n')
    return tool


def test_console_log_of_each_vm(two):
    os.mkdir(two.folder / "logs")
    script = r"""
frame(0, b'log\n'); frame(8, b'a1\r\n'); frame(73, b'hidden\x10\x00\xff'); frame(9, b'b1'); frame(72, b'a2'); frame(8, b'a3\n')
end(0)"""
    result = two.run(*TWO, "--console-log", "logs", script=script)
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout == b"[a] a1\r\n[a] a3\n[b] b1\n"
    assert (two.folder / "logs" / "a.log").read_bytes() == b"a1\r\na2a3\n"
    assert (two.folder / "logs" / "b.log").read_bytes() == b"hidden\x10\x00\xffb1"


def test_log_of_a_description_is_relative_to_it(two):
    os.mkdir(two.folder / "sub")
    two.file("sub/kernel")
    two.file("sub/c.toml", 'kernel = "kernel"\nlog = "c.out"\nscrollback = "64K"\n')
    two.run("run", "--batch", "a.toml", "sub/c.toml", script="frame(9, b'c'); end(0)")
    assert (two.folder / "sub" / "c.out").read_bytes() == b"c"
    assert not (two.folder / "a.log").exists()


def test_a_full_disk_does_not_end_the_run(two):
    two.file("a.toml", 'kernel = "kernel"\nlog = "/dev/full"\n')
    result = two.run(*TWO, script="frame(8, b'one\\n'); frame(8, b'two\\n'); end(0)")
    assert (result.returncode, result.stdout) == (0, b"[a] one\n[a] two\n")
    assert result.stderr.count(b"\n") == 1
    assert b"/dev/full: No space left on device; from here on the console of a is not logged" in result.stderr


@pytest.mark.parametrize("words, line, message", [
    (["--console-log", "none"], "", "--console-log none: there is no such folder"),
    (["--console-log", "kernel"], "", "--console-log kernel: is not a folder"),
    ([], 'log = "."', 'a.toml:2: log = ".": .: is a folder'),
    ([], 'log = "no/x"', 'a.toml:2: log = "no/x": no/x: its folder does not exist'),
    ([], 'log = "fifo"', 'a.toml:2: log = "fifo": fifo: is not a file'),
    ([], 'log = "b.out"', "b.out is the log of a already"),
    ([], 'log = ""', 'a.toml:2: log = "": the file name is empty'),
    ([], 'scrollback = "5K"', 'a.toml:2: scrollback = "5K": scrollback is a power of two from 4K to 1M'),
    ([], "scrollback = 2097152", "a.toml:2: scrollback = 2097152: scrollback is a power of two"),
])
def test_what_cannot_be_logged_is_said_before_anything_starts(two, words, line, message):
    os.mkfifo(two.folder / "fifo")
    two.file("a.toml", f'kernel = "kernel"\n{line}\n')
    if "b.out" in line:
        two.file("b.toml", f'kernel = "kernel"\nlog = "./b.out"\n')
    result = two.run(*TWO, *words)
    assert result.returncode == 2 and message in result.stderr.decode(), result.stderr
    assert not two.started()


@pytest.fixture
def screen():
    class Seen(Screen):
        def __init__(self, terminal=True):
            self.text = b""
            super().__init__(self._gather, terminal)

        def _gather(self, data):
            self.text += data

    return Seen


VM = demux.VM


def test_a_log_line_does_not_break_into_a_guests(screen):
    seen = screen()
    seen.put(VM, b"half a li")
    seen.put(demux.LOG, b"[0.1] wor")
    assert seen.text == b"half a li"
    seen.put(demux.LOG, b"d\n")
    seen.put(VM, b"ne\n")
    seen.put(demux.LOG, b"next\n")
    assert seen.text == b"half a li\r\x1b[K[0.1] word\nhalf a line\nnext\n"


def test_a_line_that_cannot_be_drawn_again_is_left(screen):
    for line in (b"\x1b[31mred", b"x" * 200):
        seen = screen()
        seen.put(VM, line)
        seen.put(demux.LOG, b"log\n")
        assert seen.text == line + b"\nlog\n"
    seen = screen(terminal=False)
    seen.put(VM, b"half")
    seen.put(demux.LOG, b"log\n")
    assert seen.text == b"half\r\nlog\n"


def test_the_prompt_is_not_drawn_by_us(screen):
    seen = screen()
    seen.put(demux.MONITOR, b"caisson> ")
    seen.put(demux.LOG, b"log\n")
    assert seen.text == b"caisson> \nlog\n"


def test_news_begin_a_line_and_replay_goes_on(screen):
    seen = screen()
    seen.put(VM, b"half")
    seen.put(demux.MONITOR, b"\a")
    seen.put(demux.MONITOR, b"[news]\r\n")
    seen.put(demux.MONITOR, b"half")
    seen.put(VM, b" a line\r\n")
    assert seen.text == b"half\a\n[news]\nhalf a line\n"
    seen.put(VM, b"half")
    seen.put(demux.MONITOR, b"\r\n[news]\r\n")
    assert seen.text.endswith(b"half\n[news]\n")


def test_the_terminal_adds_the_carriage_returns(screen):
    seen = screen()
    for piece in (b"a\r", b"\nb\r\r\n", b"c\rd\n", b"e\r"):
        seen.put(VM, piece)
    assert seen.text == b"a\nb\nc\rd\ne"
    seen.finish()
    assert seen.text.endswith(b"e\r")
    seen = screen(terminal=False)
    seen.put(VM, b"a\r\nb\r\r\n")
    assert seen.text == b"a\r\nb\r\r\n"


def test_an_unfinished_log_line_is_shown_at_the_end(screen):
    seen = screen()
    seen.put(demux.LOG, b"panic: no")
    seen.finish()
    assert seen.text == b"panic: no\n"


def test_a_crashs_registers_come_in_whole_lines(screen):
    seen = screen()
    seen.put(demux.ERROR, b"t6   0000")
    seen.put(demux.MONITOR, b"[news]\r\n")
    seen.put(demux.LOG, b"log\n")
    seen.put(demux.ERROR, b"0010\n")
    assert seen.text == b"[news]\nlog\nt6   00000010\n"


def test_whoever_writes_after_us_begins_a_line(screen):
    for line, end in ((b"caisson> ", b"\n"), (b"a line\n", b""), (b"\x1b[K", b"")):
        seen = screen()
        seen.put(demux.MONITOR, line)
        seen.finish()
        assert seen.text == line + end
