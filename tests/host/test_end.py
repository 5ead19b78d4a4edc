"""A machine that says its exit status on the line, because it cannot end with it (docs/host.md, "End")."""
import pytest

BUSY = "; time.sleep(1000)"


def batch(tool, script: str):
    return tool.run("run", "--batch", "--kernel", "kernel", script=script)


@pytest.mark.parametrize("status", [0, 1, 2])
def test_the_status_that_was_said_counts_and_QEMU_is_ended(tool, status):
    result = batch(tool, f"frame(8, b'out\\n'); frame(3, b'{status}\\n')" + BUSY)
    assert (result.returncode, result.stdout, result.stderr) == (status, b"out\n", b"")


def test_it_counts_more_than_QEMUs_own(tool):
    assert batch(tool, "frame(3, b'1\\n'); end(0)").returncode == 1


def test_it_may_come_in_pieces(tool):
    assert batch(tool, "frame(3, b'2'); time.sleep(0.1); frame(3, b'\\n')" + BUSY).returncode == 2


def test_what_was_written_before_is_all_there(tool):
    result = batch(tool, "frame(8, b'x' * 3000000); frame(3, b'0\\n')" + BUSY)
    assert (result.returncode, len(result.stdout)) == (0, 3000000)


def test_QEMU_that_ignores_the_request_is_killed(tool):
    script = "signal.signal(signal.SIGTERM, signal.SIG_IGN); frame(3, b'1\\n')" + BUSY
    assert batch(tool, script).returncode == 1


def test_what_QEMU_says_about_its_end_is_not_shown(tool):
    script = ("signal.signal(signal.SIGTERM, lambda *_: (os.write(2, b'terminating\\n'), os._exit(0)));"
              "frame(3, b'0\\n')") + BUSY
    result = batch(tool, script)
    assert (result.returncode, result.stderr) == (0, b"")


@pytest.mark.parametrize("text", ["-1\\n", "status\\n", "\\n", "1234\\n"])
def test_what_is_not_a_status_is_none(tool, text):
    assert batch(tool, f"frame(3, b'{text}'); end(2)").returncode == 2


def test_it_could_not_start(tool):
    result = batch(tool, "frame(0, b'no luck\\n'); frame(3, b'3\\n')" + BUSY)
    assert result.returncode == 3 and b"could not start" in result.stderr and b"no luck" in result.stderr
