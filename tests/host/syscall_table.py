"""Which system calls the monolith has, and which of our Linux programs make them. Run as a program it prints docs/syscalls.md's table."""
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / "tests" / "linux"
# These try every call, with arguments that are wrong: bad pointers, anything.
ALL_CALLS = ("badpointers", "callfuzz")
# Numbers that share a function, by what Linux calls them.
NAMES = {
    5: "setxattr", 6: "lsetxattr", 7: "fsetxattr", 8: "getxattr", 9: "lgetxattr", 10: "fgetxattr", 11: "listxattr", 12: "llistxattr",
    13: "flistxattr", 14: "removexattr", 15: "lremovexattr", 16: "fremovexattr", 83: "fdatasync", 174: "getuid", 175: "geteuid",
    176: "getgid", 177: "getegid", 439: "faccessat2",
}
# What C programs write for a call whose name is another.
WRITTEN = {
    "openat": ["open", "fopen"], "newfstatat": ["stat", "lstat", "fstatat"], "getdents64": ["readdir", "opendir"], "ppoll": ["poll"],
    "pselect6": ["select", "pselect"], "dup3": ["dup2"], "pipe2": ["pipe"], "clone": ["fork", "pthread_create"],
    "wait4": ["waitpid", "wait"], "prlimit64": ["prlimit", "getrlimit", "setrlimit"], "rt_sigaction": ["sigaction", "signal"],
    "rt_sigprocmask": ["sigprocmask", "pthread_sigmask"], "rt_sigpending": ["sigpending"], "rt_sigsuspend": ["sigsuspend"],
    "rt_sigtimedwait": ["sigtimedwait", "sigwaitinfo", "sigwait"], "rt_sigqueueinfo": ["sigqueue"], "rt_sigreturn": ["sigaction"],
    "exit_group": ["_exit", "exit", "main"], "exit": ["pthread_create"], "unlinkat": ["unlink", "rmdir"], "mkdirat": ["mkdir"],
    "symlinkat": ["symlink"], "linkat": ["link"], "renameat2": ["rename"], "faccessat": ["access"], "fchmodat": ["chmod"],
    "fchownat": ["chown"], "utimensat": ["futimens", "utimes"], "mknodat": ["mknod", "mkfifo"], "readlinkat": ["readlink"],
    "fadvise64": ["posix_fadvise"], "umount2": ["umount"], "brk": ["sbrk", "malloc"], "futex": ["pthread_create", "futex"],
    "set_tid_address": ["main"], "set_robust_list": ["main"], "getrandom": ["malloc"], "tkill": ["pthread_kill"], "tgkill": ["raise", "pthread_kill", "abort"],
    "gettid": ["raise"], "write": ["printf", "puts"], "pread64": ["pread"], "pwrite64": ["pwrite"], "clock_nanosleep": ["usleep", "sleep"],
    "setitimer": ["alarm"], "execve": ["execl", "execv"], "epoll_pwait": ["epoll_wait"], "sched_yield": ["pthread_yield"], "fdatasync": ["fsync"],
    "times": ["clock"], "faccessat2": ["faccessat"], "execveat": ["fexecve"], "epoll_create1": ["epoll_create"], "eventfd2": ["eventfd"],
    "inotify_init1": ["inotify_init"], "signalfd4": ["signalfd"], "getcwd": ["realpath"], "syslog": ["klogctl"],
}


def calls() -> dict[int, str]:
    """The table of process/syscall.c: number -> Linux's name."""
    found = re.findall(r"^\t\[(\d+)\] = sys_(\w+),", (ROOT / "process" / "syscall.c").read_text(), re.MULTILINE)
    assert found
    return {int(number): NAMES.get(int(number), name) for number, name in found}


def sources() -> dict[str, str]:
    return {path.stem: path.read_text() for path in sorted(PROGRAMS.glob("*.c"))}


def makes(source: str, name: str) -> bool:
    """Does the program make the call, as far as its text tells?"""
    words = [name, *WRITTEN.get(name, [])]
    return any(re.search(rf"\b{word} ?\(", source) for word in words) or re.search(rf"\b(SYS|__NR)_{name}\b", source) is not None


def documented() -> dict[int, tuple[str, list[str]]]:
    """docs/syscalls.md: number -> name, programs."""
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| (.*) \|$", (ROOT / "docs" / "syscalls.md").read_text(), re.MULTILINE)
    return {int(number): (name, re.findall(r"`(\w+)`", programs)) for number, name, programs in rows}


def main() -> None:
    texts = {name: text for name, text in sources().items() if name not in ALL_CALLS}
    for number, name in sorted(calls().items()):
        programs = [program for program, text in texts.items() if makes(text, name)][:5]
        print(f"| {number} | `{name}` | {', '.join(f'`{program}`' for program in programs)} |")


if __name__ == "__main__":
    main()
