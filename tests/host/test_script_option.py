"""--script: what is wrong with one is said before anything starts, and the bundle brings the rest."""
import pytest

from hosttool import Tool


@pytest.fixture
def tool(tmp_path):
    return Tool(tmp_path)


@pytest.mark.parametrize("text, said", [
    (b'vm list\nvm "list\n', "s.txt:2: a quote is not closed"),
    (b"echo 'a\" b\n", "s.txt:1: a quote is not closed"),
    (b"\n\nvm \x1b[A\n", "s.txt:3: the line has a control character"),
    (b"x" * 256, "s.txt:1: the line has 256 bytes; the monitor takes 255"),
    (b"# fine\n" + b"a " * 17, "s.txt:2: a line has at most 16 words"),
    (b"a\0", "--script s.txt: this is not a script of at most 64 KiB"),
    (b"#" * 65537, "--script s.txt: this is not a script of at most 64 KiB"),
    (b"", "--script s.txt: is empty"),
    (None, "--script s.txt: no such file"),
])
def test_script_bad_lines_are_named(tool, text, said):
    tool.file("kernel")
    if text is not None:
        tool.file("s.txt", text)
    for more in ([], ["--check"]):
        done = tool.run("run", "--batch", "--kernel", "kernel", "--script", "s.txt", *more)
        assert done.returncode == 2 and said in done.stderr.decode()
    assert not tool.started()


def test_script_good_lines_are_taken(tool):
    tool.file("kernel")
    tool.file("s.txt", b"# it's \x01 a comment\r\n\tvm list\r\n- echo \"it's\" 'a \"b\"' c'd'e\n" + b"x" * 255 + b"\n" + b"a " * 16)
    done = tool.run("run", "--batch", "--kernel", "kernel", "--script", "s.txt")
    assert b"s.txt" not in done.stderr and tool.started()


def test_script_may_start_what_waits(tool):
    tool.file("kernel")
    tool.file("vm.toml", 'kernel = "kernel"\nautostart = false\n')
    tool.file("s.txt", "vm start vm\n")
    tool.run("run", "--batch", "vm.toml", "--script", "s.txt")
    assert tool.started()
