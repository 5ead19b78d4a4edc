"""`./caisson run`: from options to a running machine, and its exit status."""
import collections
import os
import re
import shlex
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from caisson import building, consolelog, demux, machine, paths, process
from caisson.errors import CANNOT_START, CannotStart, Errors, UsageError
from caisson.options import LOG_LEVELS
from caisson.relay import OutputClosed, Relay, Sink
from caisson.screen import Screen
from caisson.script import Script
from caisson.terminal import RawTerminal, SizeWatch, is_foreground_terminal, terminal_shown_to
from caisson.values import MIB

_APP_RAM = 128 * MIB
_PROGRAM_RAM = 256 * MIB
_TAIL_LINES = 15
_ESCAPE = 0x1D
_SIGPIPE_STATUS = 141  # what a shell says about a program whose reader went away


@dataclass
class Output:
    """What the options say about output, and about the monitor's script."""

    batch: bool = False
    log: str | None = None
    level: str = "info"
    show_command: bool = False
    quiet: bool = False
    script: Script | None = None


def output_from_options(options, errors: Errors | None = None) -> Output:
    level = options.log_level
    if level is not None and level not in LOG_LEVELS:
        (errors or Errors()).add(UsageError(f"--log-level {level}: not a log level ({', '.join(LOG_LEVELS)})"))
    return Output(options.batch, options.log, level or ("debug" if options.debug else "info"),
                  options.debug, options.quiet)


def run(vms, plan: machine.Machine, output: Output, image: Path) -> int:
    """Run the VMs to their end. Returns the exit status."""
    from caisson import bundle  # needs a package that set-up may just have installed

    log = _open_log(output.log)
    # A file without a name: nothing is left behind, however this process ends.
    with tempfile.TemporaryFile(prefix="caisson-") as archive:
        size = bundle.write(archive, vms, output.script)
        archive.flush()
        words = ["framed", f"loglevel={output.level}"] + (["batch"] if output.batch else []) + \
            (["script"] if output.script else [])
        command = machine.command(plan, machine.plan_ram(plan, vms, size), str(image),
                                  f"/proc/self/fd/{archive.fileno()}", " ".join(words))
        session = Session(command, output, [vm.name for vm in vms], log, (archive.fileno(),))
        session.console_logs = consolelog.open_all(vms)
        return session.run()


def run_app(arguments: list[str], plan: machine.Machine, output: Output, image: Path) -> int:
    """Run a unikernel, with words for its boot arguments. Its output is ours, and so is its exit status."""
    words = ["framed", f"loglevel={output.level}", *arguments]
    command = machine.command(plan, plan.ram or _APP_RAM, str(image), None, " ".join(words))
    return Session(command, output, [], _open_log(output.log), own_statuses=False).run()


def run_program(archive: str, plan: machine.Machine, output: Output, image: Path) -> int:
    """Run what an archive for the monolith says (programs.py). Its input, output and exit status are the program's."""
    words, early = ["framed", f"loglevel={output.level}"], None
    if machine.has_place_for_line(plan):
        early = os.pipe()
        words.append("console=virtio")
    command = machine.command(plan, plan.ram or _PROGRAM_RAM, str(image), archive, " ".join(words), early[1] if early else None)
    session = Session(command, output, [], _open_log(output.log), early[1:] if early else (), own_statuses=False)
    session.tell_end = True
    session.early = early
    return session.run()


def _open_log(path: str | None) -> int | None:
    if path is None:
        return None
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOCTTY, 0o666)
    except OSError as error:
        raise UsageError(f"--log {path}: {error.strerror}") from None


class Session:
    """One life of QEMU: its channels go to where the options say.

    own_statuses: the exit status means what the hypervisor's statuses mean; otherwise
    any status is the program's.
    """

    def __init__(self, command, output: Output, names: list[str], log: int | None, pass_fds=(), own_statuses=True):
        self._own_statuses = own_statuses
        self._command, self._output, self._pass_fds = command, output, pass_fds
        self._stdout, self._stderr, self._log = Sink(_usable(1)), Sink(_usable(2)), Sink(log)
        self._demux = demux.Demultiplexer(self._deliver)
        self._tail: collections.deque[bytes] = collections.deque(maxlen=_TAIL_LINES)
        self._tail_rest = b""
        self._end_text = b""
        self.tell_end = False
        self.early: tuple[int, int] | None = None  # a pipe for what comes before the line is there
        self._end: Callable[[], None] = lambda: None
        self._escapes: list[float] = []
        self._log_on_terminal = not output.batch and log is None and not output.quiet
        self.console_logs: dict[int, consolelog.ConsoleLog] = {}  # by the VM's number
        self._screen = Screen(self._stdout.write, os.isatty(1))
        self._errors_on_screen = not output.batch and os.isatty(1) and os.isatty(2)
        self._prefixers = {}
        if output.batch and len(names) > 1:
            self._prefixers = {demux.VM + index: demux.LinePrefixer(name, self._stdout.write)
                               for index, name in enumerate(names)}

    def run(self) -> int:
        if self._output.show_command:
            print("caisson:", shlex.join(self._command), file=sys.stderr, flush=True)
        child = process.spawn(self._command, stdin=-1, stdout=-1, stderr=-1, bufsize=0, pass_fds=self._pass_fds)
        relay = Relay(child, self._demux.feed, [self._stdout, self._stderr, self._log], Sink(_usable(2)))
        relay.input_ready = lambda: bool(self._demux.channels_seen - {demux.LOG, demux.ERROR})
        relay.started = lambda: bool(self._demux.channels_seen)
        relay.tell_end = self.tell_end
        if self.early:
            os.close(self.early[1])
            before = demux.Demultiplexer(self._deliver)
            before.channels_seen = self._demux.channels_seen
            relay.take_early_output(self.early[0], before.feed)
        self._end = relay.end
        try:
            self._relay(relay, child)
        except OutputClosed:
            return _SIGPIPE_STATUS
        finally:
            if child.poll() is None:
                process.kill(child)
        return self._status(child, relay)

    def _relay(self, relay: Relay, child) -> None:
        terminal = terminal_shown_to()
        with SizeWatch(terminal) if terminal is not None else nullcontext() as watch:
            if watch:
                relay.take_size_from(watch)
            self._relay_input(relay, child)
        for prefixer in self._prefixers.values():
            prefixer.finish()
        self._screen.finish()
        relay.run()  # what the prefixers still had
        child.wait()

    def _relay_input(self, relay: Relay, child) -> None:
        ours = is_foreground_terminal(0)
        if ours or not os.isatty(0):  # in the background, reading from a terminal would stop us
            relay.take_input_from(0)
        elif self.tell_end:
            relay.take_input_from(os.open(os.devnull, os.O_RDONLY))
        if ours and not self._output.batch:
            relay.on_input = lambda data: self._watch_escape(data, child)
            with RawTerminal(0):
                relay.run()
        else:
            relay.run()

    def _deliver(self, channel: int, data: bytes) -> None:
        if channel == demux.LOG:
            self._remember(data)
            if self._log_on_terminal:
                self._screen.put(channel, data)
            else:
                self._log.write(data)
        elif channel == demux.ERROR and not self._errors_on_screen:
            self._stderr.write(data)
        elif channel == demux.END:
            self._end_text += data
            if self._said_status() is not None:
                self._end()
        elif channel >= demux.VM and self._own_statuses:
            self._deliver_console(channel, data)
        elif not self._output.batch:
            self._screen.put(channel, data)
        elif not self._own_statuses:
            self._stdout.write(data)

    def _deliver_console(self, channel: int, data: bytes) -> None:
        """What a VM wrote. On its hidden channel it is for its log file only."""
        hidden = channel >= demux.HIDDEN
        log = self.console_logs.get(channel - (demux.HIDDEN if hidden else demux.VM))
        if log:
            log.write(data)
        if hidden:
            return
        if channel in self._prefixers:
            self._prefixers[channel].feed(data)
        elif self._output.batch:
            self._stdout.write(data)
        else:
            self._screen.put(channel, data)

    def _said_status(self) -> int | None:
        """The exit status that the machine said on its line, because it has no other way. Firmware adds a CR."""
        said = re.match(rb"([0-9]{1,3})\r*\n", self._end_text)
        return int(said[1]) & 0xFF if said else None

    def _remember(self, data: bytes) -> None:
        """Keep the log's last lines for a failure's message."""
        *lines, self._tail_rest = (self._tail_rest + data).split(b"\n")
        self._tail_rest = self._tail_rest[-4096:]
        self._tail.extend(lines)

    def _watch_escape(self, data: bytes, child) -> None:
        """Ctrl-] three times within a second ends a machine that no longer listens."""
        for byte in data:
            self._escapes = [*self._escapes, time.monotonic()][-3:] if byte == _ESCAPE else []
        if len(self._escapes) == 3 and self._escapes[2] - self._escapes[0] < 1:
            process.kill(child)

    def _status(self, child, relay: Relay) -> int:
        """QEMU's exit status, if it is the hypervisor's; else what went wrong with QEMU."""
        said = self._said_status()
        status = child.returncode if said is None else said
        if len(self._escapes) == 3 and status < 0:
            print("caisson: QEMU ended by Ctrl-] three times", file=sys.stderr)
            return CANNOT_START
        if status < 0:
            reason = f"QEMU was killed by signal {-status}"
        elif not self._demux.channels_seen:
            reason = f"the hypervisor did not start (QEMU's exit status: {status})"
        elif not self._own_statuses:
            if status == CANNOT_START and self._panicked():
                print("caisson: the application ended in a panic", file=sys.stderr)
                self._show_tail()
            return status
        elif status > CANNOT_START:
            reason = f"QEMU ended with status {status}, which is not one of ours"
        elif status == CANNOT_START:
            reason = "the hypervisor could not start or go on"
        else:
            return status
        print(f"caisson: {reason}", file=sys.stderr)
        self._show_tail()
        return CANNOT_START

    def _panicked(self) -> bool:
        return any(b" error panic: " in line for line in [*self._tail, self._tail_rest])

    def _show_tail(self) -> None:
        lines = [line for line in [*self._tail, self._tail_rest] if line.strip()][-_TAIL_LINES:]
        if lines and not self._log_on_terminal:
            print("caisson: the last lines of the log:", file=sys.stderr)
            for line in lines:
                print("  " + line.rstrip(b"\r").decode(errors="replace"), file=sys.stderr)


def _usable(fd: int) -> int | None:
    """Standard descriptors may be closed."""
    try:
        os.fstat(fd)
        return fd
    except OSError:
        return None


def image_to_run(variant: building.Variant) -> Path:
    """The image to start, brought up to date. CAISSON_IMAGE stands for the hypervisor as it is, if it is set."""
    given = os.environ.get("CAISSON_IMAGE")
    if given and variant.flavour == "hypervisor" and not variant.app:
        if not os.path.isfile(given):
            raise CannotStart(f"CAISSON_IMAGE={given}: no such file")
        return Path(given)
    building.build(variant)
    return variant.image
