"""The monitor as somebody at the terminal meets it: its key, its prompt, its answers."""

import pexpect

ESCAPE = "\x1d"
PROMPT = "caisson> "


def to_monitor(child) -> None:
    """From a VM's console to the monitor's prompt."""
    child.send(ESCAPE)
    child.expect(PROMPT)


def ask(child, line: str) -> str:
    """Type a command at the prompt; what it prints, without the line typed. The next prompt is there then."""
    child.send(line + "\r")
    child.expect_exact(line)
    child.expect(r"\n" + PROMPT)
    said = child.before if isinstance(child.before, str) else child.before.decode(errors="replace")
    return said.strip()


def end_of_run(child) -> int:
    """The status of a program that ends by itself. (close() would not wait for that, but send it a signal.)"""
    child.expect(pexpect.EOF)
    child.wait()
    return child.exitstatus


class Monitor:
    """Called with a command: what it prints. It begins at a VM's console."""

    def __init__(self, child):
        self.child = child
        to_monitor(child)

    def __call__(self, line: str) -> str:
        return ask(self.child, line)

    def order(self, line: str, report: str) -> None:
        """A command that is reported on when it is done, be that before or after the next prompt."""
        self.child.send(line + "\r")
        self.child.expect_exact(line)
        self.child.expect(report)
