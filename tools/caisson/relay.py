"""Between QEMU's pipes and ours: one poll loop that never lets QEMU wait for a slow reader."""
import collections
import errno
import fcntl
import os
import select
import stat
import time
from typing import Callable

from caisson import demux, process
from caisson.errors import CannotStart
from caisson.terminal import SizeWatch

_CHUNK = 1 << 16
_PIPE_BUF = 4096  # a pipe or terminal that polls as writable takes this much without blocking
_BACKLOG_LIMIT = 256 << 20  # beyond this, the machine is held back after all
_END_LIMIT = 2.0  # seconds that QEMU has to end when asked to
_INPUT_FALLBACK = 2.0  # seconds after the first frame; see Relay._input_may_flow


class Sink:
    """Buffered output to a file descriptor. A sink without one drops everything."""

    def __init__(self, fd: int | None):
        self.fd = fd
        self._queue: collections.deque[bytes] = collections.deque()
        self.pending = 0
        self._regular = fd is not None and stat.S_ISREG(os.fstat(fd).st_mode)

    def write(self, data: bytes) -> None:
        if self.fd is not None and data:
            self._queue.append(data)
            self.pending += len(data)

    def flush_some(self) -> None:
        """Write what goes without waiting. Call it when the descriptor polls as writable."""
        data = b"".join(self._queue) if self._regular else self._queue[0]
        piece = data if self._regular else data[:_PIPE_BUF]
        try:
            written = os.write(self.fd, piece)
        except BlockingIOError:
            return
        rest = data[written:]
        if self._regular:
            self._queue.clear()
        else:
            self._queue.popleft()
        if rest:
            self._queue.appendleft(rest)
        self.pending -= written


class OutputClosed(Exception):
    """Our own standard output has no reader any more."""


class Relay:
    """Runs until QEMU has closed its output and every sink has taken its bytes."""

    def __init__(self, child, feed: Callable[[bytes], None], sinks: list[Sink], warnings: Sink):
        self._child = child
        self._feed = feed
        self._sinks = sinks
        self._warnings = warnings
        self._open = {child.stdout.fileno(): self._from_machine, child.stderr.fileno(): self._from_qemu}
        self._early: tuple[int, Callable[[bytes], None]] | None = None
        self._input_fd: int | None = None
        self._size_watch: SizeWatch | None = None
        self._to_machine = b""
        self._first_frame = 0.0
        self._kill_at: float | None = None
        self.qemu_said = b""  # the end of QEMU's own messages
        self.input_ready: Callable[[], bool] = lambda: True
        self.tell_end = False  # whether the input's end is something that the machine wants to know
        self.on_input: Callable[[bytes], None] = lambda data: None
        self.started: Callable[[], bool] = lambda: True
        _enlarge(child.stdout.fileno())
        os.set_blocking(child.stdin.fileno(), False)

    def take_early_output(self, fd: int, feed: Callable[[bytes], None]) -> None:
        """What comes there was written before what comes from QEMU's standard output, and input need not wait for it."""
        os.set_blocking(fd, False)
        self._early = (fd, feed)
        self._open[fd] = self._from_early
        self.input_ready = lambda: True

    def take_input_from(self, fd: int) -> None:
        """Forward what can be read there. Its end is not an event."""
        self._input_fd = fd

    def take_size_from(self, watch: SizeWatch) -> None:
        """Tell the machine the terminal's size, now and whenever it changes."""
        self._size_watch = watch

    def end(self) -> None:
        """Have QEMU end; what its pipes still hold is relayed. What it says about the signal is nobody's business."""
        if self._kill_at is None:
            self._kill_at = time.monotonic() + _END_LIMIT
            self._child.terminate()

    def run(self) -> None:
        while self._open or any(sink.pending for sink in self._all_sinks()):
            self._turn()

    def _all_sinks(self) -> list[Sink]:
        return [*self._sinks, self._warnings]

    def _turn(self) -> None:
        poll, actions = select.poll(), {}

        def watch(fd, events, action):
            # One descriptor may be watched for both directions, and by several sinks.
            known = actions.setdefault(fd, [0, []])
            known[0] |= events
            known[1].append((events, action))

        if sum(sink.pending for sink in self._all_sinks()) < _BACKLOG_LIMIT:
            for fd, action in self._open.items():
                watch(fd, select.POLLIN, lambda fd=fd, action=action: action(fd))
        for sink in self._all_sinks():
            if sink.pending:
                watch(sink.fd, select.POLLOUT, lambda sink=sink: self._flush(sink))
        timeout = self._watch_input(watch) if self._kill_at is None else self._time_to_kill()
        for fd, (events, _) in actions.items():
            poll.register(fd, events)
        for fd, happened in poll.poll(timeout):
            for events, action in actions[fd][1]:
                if happened & (events | select.POLLHUP | select.POLLERR | select.POLLNVAL):
                    action()

    def _time_to_kill(self) -> int | None:
        """Milliseconds until QEMU has had its time to end by itself. After that it is killed."""
        if self._child.poll() is not None:
            return None
        left = self._kill_at - time.monotonic()
        if left > 0:
            return int(left * 1000) + 1
        process.kill(self._child)
        return None

    def _watch_input(self, watch) -> int | None:
        """Watch for input, or for room to pass it on. Returns the poll's timeout in milliseconds."""
        if not self._machine_open():
            return None
        if self._to_machine:
            watch(self._child.stdin.fileno(), select.POLLOUT, self._pass_on)
        elif self._input_fd is not None or self._size_watch is not None:
            if not self._input_may_flow():
                return 100
            if self._size_watch is not None:  # first, so that no key that was typed later is there earlier
                watch(self._size_watch.fileno(), select.POLLIN, self._read_size)
            if self._input_fd is not None:
                watch(self._input_fd, select.POLLIN, self._read_input)
        return None

    def _machine_open(self) -> bool:
        return self._child.stdout.fileno() in self._open

    def _input_may_flow(self) -> bool:
        """Bytes sent before the hypervisor's serial driver is up would be lost with the UART's reset.

        The hypervisor says when it takes input; one that does not is given some time.
        """
        if self.input_ready():
            return True
        if not self.started():
            return False
        self._first_frame = self._first_frame or time.monotonic()
        return time.monotonic() - self._first_frame > _INPUT_FALLBACK

    def _from_early(self, fd: int) -> None:
        if self._early is None:  # it has ended in this very turn
            return
        try:
            data = self._read(fd)
        except BlockingIOError:  # nothing at the moment
            return
        self._early[1](data)
        if not data:
            self._early = None

    def _from_machine(self, fd: int) -> None:
        data = self._read(fd)
        if self._early:
            self._from_early(self._early[0])
        if data:
            self._feed(data)

    def _from_qemu(self, fd: int) -> None:
        data = self._read(fd)
        if self._kill_at is None:
            self.qemu_said = (self.qemu_said + data)[-_CHUNK:]
            self._warnings.write(data)

    def _read(self, fd: int) -> bytes:
        data = os.read(fd, _CHUNK)
        if not data:
            del self._open[fd]
        return data

    def _read_input(self) -> None:
        try:
            data = os.read(self._input_fd, _PIPE_BUF)
        except OSError:  # closed, or a terminal that went away
            data = b""
        if data:
            self._to_machine += demux.typed(data)
            self.on_input(data)
        else:
            self._input_fd = None
            self._to_machine += demux.END_OF_INPUT if self.tell_end else b""

    def _read_size(self) -> None:
        self._to_machine += demux.terminal_size(*self._size_watch.size())

    def _pass_on(self) -> None:
        try:
            written = os.write(self._child.stdin.fileno(), self._to_machine)
            self._to_machine = self._to_machine[written:]
        except BlockingIOError:
            pass
        except BrokenPipeError:  # the machine is ending
            self._to_machine, self._input_fd, self._size_watch = b"", None, None

    def _flush(self, sink: Sink) -> None:
        if not sink.pending:
            return
        try:
            sink.flush_some()
        except OSError as error:
            if error.errno in (errno.EPIPE, errno.EIO, errno.EBADF):
                raise OutputClosed from None
            raise CannotStart(f"output cannot be written: {error.strerror}") from None


def _enlarge(fd: int) -> None:
    """As large a pipe as an ordinary user may have, so that QEMU seldom finds it full."""
    try:
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, 1 << 20)
    except OSError:
        pass  # the default size works too
