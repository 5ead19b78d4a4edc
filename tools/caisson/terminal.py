"""The person's terminal while a guest has it: raw input, restored whatever happens."""
import atexit
import os
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


def is_foreground_terminal(fd: int) -> bool:
    """A terminal that this process may read from."""
    try:
        return os.isatty(fd) and os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return False
