"""Log files of the VMs' consoles: `log = "FILE"` of a VM, or --console-log DIR for those without one."""
import os
import stat
import sys

from caisson.errors import Errors, UsageError


class ConsoleLog:
    """All that one VM writes, in a file. A disk that fills up ends the log, not the run."""

    def __init__(self, name: str, path: str, fd: int):
        self._name, self._path, self._fd = name, path, fd

    def write(self, data: bytes) -> None:
        while data and self._fd >= 0:
            try:
                data = data[os.write(self._fd, data):]
            except OSError as error:
                self.close()
                print(f"caisson: {self._path}: {error.strerror}; from here on the console of {self._name} is not logged",
                      file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def plan(vms, folder: str | None, errors: Errors) -> None:
    """Give each VM its log file, without making any yet; no two may share one."""
    if folder is not None and not os.path.isdir(folder):
        why = "is not a folder" if os.path.exists(folder) else "there is no such folder"
        errors.add(UsageError(f"--console-log {folder}: {why}"))
        return
    seen: dict[str, str] = {}
    for vm in vms:
        if vm.log is None and folder is not None:
            vm.log = os.path.join(folder, vm.name + ".log")
        if vm.log is None:
            continue
        path = os.path.realpath(vm.log)
        if path in seen:
            errors.add(vm.fail("log", f"{vm.log} is the log of {seen[path]} already"))
        seen[path] = vm.name
        why = _unusable(path)
        if why:
            errors.add(vm.fail("log", f"{vm.log}: {why}"))


def _unusable(path: str) -> str | None:
    """What can be told without writing."""
    if os.path.isdir(path):
        return "is a folder"
    if os.path.exists(path) and not (stat.S_ISREG(os.stat(path).st_mode) or stat.S_ISCHR(os.stat(path).st_mode)):
        return "is not a file"
    return None if os.path.isdir(os.path.dirname(path)) else "its folder does not exist"


def open_all(vms) -> dict[int, ConsoleLog]:
    """Begin the files, by the VM's number."""
    return {number: ConsoleLog(vm.name, vm.log, _begin(vm)) for number, vm in enumerate(vms) if vm.log}


def _begin(vm) -> int:
    try:
        return os.open(vm.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK, 0o666)
    except OSError as error:
        raise vm.fail("log", f"{vm.log}: {error.strerror}") from None
