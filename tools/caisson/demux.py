"""The framing of the machine's one serial line (include/caisson/console.h): undone for output, done for input."""
from typing import Callable

LOG, MONITOR, ERROR, END, VM, HIDDEN = 0, 1, 2, 3, 8, 72
_DLE = 0x10
_FIRST, _LAST = 0x40, 0xBF


def typed(data: bytes) -> bytes:
    """Input bytes as the machine wants them."""
    return data.replace(b"\x10", b"\x10\x10")


END_OF_INPUT = b"\x10E"  # tells the machine that there is no more to come


def terminal_size(columns: int, rows: int) -> bytes:
    """What tells the machine how large the terminal is."""
    return b"\x10S%dx%d\n" % (columns, rows)


class Demultiplexer:
    """Hands each run of bytes to `deliver(channel, bytes)`.

    What comes before the first frame is the firmware's and goes to the log.
    """

    def __init__(self, deliver: Callable[[int, bytes], None]):
        self._deliver = deliver
        self._channel = LOG
        self._after_dle = False
        self.channels_seen: set[int] = set()

    def feed(self, data: bytes) -> None:
        position = 0
        if self._after_dle and data:
            self._control(data[0])
            position = 1
        while position < len(data):
            dle = data.find(_DLE, position)
            end = dle if dle >= 0 else len(data)
            if end > position:
                self._deliver(self._channel, data[position:end])
            if dle < 0:
                return
            self._after_dle = True
            if end + 1 < len(data):
                self._control(data[end + 1])
            position = end + 2

    def _control(self, byte: int) -> None:
        """The byte after a DLE: a channel, or the second half of a 0x10 that is data."""
        self._after_dle = False
        if _FIRST <= byte <= _LAST:
            self._channel = byte - _FIRST
            self.channels_seen.add(self._channel)
        elif byte == _DLE:
            self._deliver(self._channel, b"\x10")
        else:  # not of our making: keep both bytes, so that nothing is hidden
            self._deliver(self._channel, bytes((_DLE, byte)))


class LinePrefixer:
    """Gathers one VM's bytes into lines that start with its name."""

    LONGEST = 1 << 16  # a longer line is broken here, so that a flood cannot fill memory

    def __init__(self, name: str, write: Callable[[bytes], None]):
        self._prefix = f"[{name}] ".encode()
        self._write = write
        self._partial = b""

    def feed(self, data: bytes) -> None:
        *lines, rest = (self._partial + data).split(b"\n")
        self._write(b"".join(self._prefix + line + b"\n" for line in lines))
        while len(rest) >= self.LONGEST:
            self._write(self._prefix + rest[: self.LONGEST] + b"\n")
            rest = rest[self.LONGEST:]
        self._partial = rest

    def finish(self) -> None:
        """An unfinished line is shown too."""
        if self._partial:
            self._write(self._prefix + self._partial + b"\n")
            self._partial = b""
