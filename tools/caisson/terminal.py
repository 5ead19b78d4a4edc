"""The person's terminal while a guest has it: raw input, restored whatever happens."""
import atexit
import os
import signal
import termios


class RawTerminal:
    """A context in which each key goes through as it is, Ctrl-C included."""

    def __init__(self, fd: int):
        self._fd = fd
        self._saved = None

    def __enter__(self):
        self._saved = termios.tcgetattr(self._fd)
        atexit.register(self.restore)
        mode = termios.tcgetattr(self._fd)
        mode[0] &= ~(termios.IGNBRK | termios.BRKINT | termios.PARMRK | termios.ISTRIP | termios.INLCR
                     | termios.IGNCR | termios.ICRNL | termios.IXON)
        # Output processing stays on: guests that end lines with \n alone look right.
        mode[1] |= termios.OPOST | termios.ONLCR
        mode[3] &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self._fd, termios.TCSANOW, mode)
        return self

    def __exit__(self, *_):
        self.restore()

    def restore(self) -> None:
        if self._saved is None:
            return
        saved, self._saved = self._saved, None
        atexit.unregister(self.restore)
        try:
            termios.tcsetattr(self._fd, termios.TCSANOW, saved)
        except (termios.error, OSError):
            pass  # the terminal is gone


class SizeWatch:
    """A context in which a descriptor can be read whenever the terminal's size should be looked at: first at once."""

    def __init__(self, fd: int):
        self._terminal = fd
        self._before = None

    def __enter__(self):
        self._read_end, self._write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._before = signal.signal(signal.SIGWINCH, lambda *_: self._note())
        self._note()
        return self

    def __exit__(self, *_):
        signal.signal(signal.SIGWINCH, self._before or signal.SIG_DFL)
        os.close(self._read_end)
        os.close(self._write_end)

    def fileno(self) -> int:
        return self._read_end

    def size(self) -> tuple[int, int]:
        """Columns and rows now; zeros of a terminal that does not know or is gone."""
        try:
            os.read(self._read_end, 4096)
            return tuple(os.get_terminal_size(self._terminal))
        except OSError:
            return 0, 0

    def _note(self) -> None:
        try:
            os.write(self._write_end, b"w")
        except BlockingIOError:
            pass  # so much is there to be read that once more makes no difference


def terminal_shown_to() -> int | None:
    """The descriptor of the terminal that a person watches us on."""
    return next((fd for fd in (1, 0) if os.isatty(fd)), None)


def is_foreground_terminal(fd: int) -> bool:
    """A terminal that this process may read from."""
    try:
        return os.isatty(fd) and os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return False
