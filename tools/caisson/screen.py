"""What a person at the terminal sees of the channels, when no line is to break into another."""
import re
from typing import Callable

from caisson import demux

_PLAIN = re.compile(rb"[\x20-\x7e\x80-\xff]{0,79}")  # short enough to be on one row, most likely
_CLEAR = b"\x1b[K"  # the rest of the row


class Screen:
    """Writes the channels' bytes. A line of one does not begin behind an unfinished one of another.

    terminal: it turns a line feed into CR LF by itself, so that ours would have two CRs.
    """

    def __init__(self, write: Callable[[bytes], None], terminal: bool):
        self._raw_write, self._terminal = write, terminal
        self._line = b""  # what stands on the last row and is not ended
        self._last = demux.MONITOR
        self._unwhole = {demux.LOG: b"", demux.ERROR: b""}  # a line of ours that is not whole yet
        self._held = b""  # a CR that may belong to the next LF

    def put(self, channel: int, data: bytes) -> None:
        if channel in self._unwhole:
            self._put_lines(channel, data)
            return
        # What the monitor prints while a guest is shown begins a line; what was replayed on its channel goes on.
        leaves_guest = channel == demux.MONITOR and self._last != demux.MONITOR
        if leaves_guest and self._line and data[:1] not in (b"\r", b"\n", b"\a"):
            self._write(b"\r\n")
            self._line = b""
        if data != b"\a":
            self._last = channel
        self._write(data)
        self._follow(data)

    def finish(self) -> None:
        """No more comes. Whoever writes next on the terminal finds a line of its own."""
        for channel, rest in self._unwhole.items():
            if rest:
                self._put_lines(channel, b"\n")
        if self._terminal and self._line.replace(_CLEAR, b""):
            self._write(b"\r\n")
        if self._held:
            self._raw_write(self._held)
            self._held = b""

    def _follow(self, data: bytes) -> None:
        self._line = (self._line + data).rsplit(b"\n", 1)[-1].rsplit(b"\r", 1)[-1][-4096:]

    def _put_lines(self, channel: int, data: bytes) -> None:
        *lines, self._unwhole[channel] = (self._unwhole[channel] + data).split(b"\n")
        if not lines:
            return
        text = b"".join(line + b"\n" for line in lines)
        if not self._line:
            self._write(text)
        elif self._last != demux.MONITOR and self._terminal and _PLAIN.fullmatch(self._line):
            self._write(b"\r" + _CLEAR + text + self._line)
        else:
            self._write(b"\r\n" + text)
            self._line = b""

    def _write(self, data: bytes) -> None:
        if self._terminal:
            data = self._held + data
            self._held = b"\r" if data.endswith(b"\r") else b""
            data = re.sub(rb"\r+\n", b"\n", data[:len(data) - len(self._held)])
        self._raw_write(data)
