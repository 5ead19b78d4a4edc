"""Child processes that never outlive this one, and signals that end it."""
import ctypes
import os
import signal
import subprocess
import sys

from caisson.errors import CannotStart, Interrupted

_PR_SET_PDEATHSIG = 1
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def install_signal_handlers() -> None:
    """SIGINT, SIGTERM and SIGHUP raise Interrupted, once; the clean-up is not disturbed again.

    SIGINT counts even where a shell started us in the background with it ignored;
    an ignored SIGHUP is nohup's wish and stays ignored.
    """
    def interrupt(signum, _frame):
        for other in _ENDING:
            signal.signal(other, signal.SIG_IGN)
        raise Interrupted(signum)

    for signum in _ENDING:
        if signum != signal.SIGHUP or signal.getsignal(signum) != signal.SIG_IGN:
            signal.signal(signum, interrupt)


def _die_with_parent():
    """For preexec_fn: the kernel kills the child when this process dies, even by SIGKILL."""
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def in_child():
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)
    return in_child


def spawn(command: list[str], **options) -> subprocess.Popen:
    """Start a child that dies with us.

    It has a process group of its own, so that the terminal's Ctrl-C reaches only
    us; `process_group=None` keeps it in ours.
    """
    options.setdefault("process_group", 0)
    options.setdefault("preexec_fn", _die_with_parent())
    try:
        return subprocess.Popen(command, **options)
    except OSError as error:
        raise CannotStart(f"{command[0]}: {error.strerror}") from None


def run(command: list[str], **options) -> subprocess.CompletedProcess:
    """Run a child to its end. It is killed when we are interrupted. Standard output never is ours."""
    options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("stdout", sys.stderr)
    child = spawn(command, **options)
    try:
        out, err = child.communicate()
    except BaseException:
        kill(child)
        raise
    return subprocess.CompletedProcess(command, child.returncode, out, err)


def run_to_its_own_end(command: list[str]) -> int:
    """Run a child that must not be killed, such as one that installs packages. Returns its status.

    When we are interrupted it is asked to end and waited for.
    """
    child = spawn(command, preexec_fn=None, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    try:
        return child.wait()
    except BaseException:
        try:
            os.killpg(child.pid, signal.SIGINT)
        except PermissionError:
            pass  # it runs as root
        child.wait()
        raise


def kill(child: subprocess.Popen) -> None:
    """End a child and its process group at once."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.wait()
