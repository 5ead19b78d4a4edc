"""The options of every command: one parser for all, with help that says what a newcomer needs."""
import argparse
import re

from caisson import VERSION
from caisson.errors import UsageError

STATUS_HELP = """\
exit status:
  0  all VMs shut themselves down
  1  a VM crashed or failed (the reason is on standard error)
  2  bad usage or configuration
  3  something could not be installed, built or started
"""
_PROGRAM_STATUS_HELP = """\
exit status: the program's own; 2 bad usage; 3 a panic, or something could not be
installed, built or started (the reason is on standard error)
"""
_TOOL_STATUS_HELP = """\
exit status:
  0  done
  1  a test failed (of `test`), or a figure is worse (of `bench --check`)
  2  bad usage
  3  something could not be installed, fetched, built or started
"""
_STATUS_HELP_OF = {"run": STATUS_HELP, "debug": STATUS_HELP, "app": _PROGRAM_STATUS_HELP, "exec": _PROGRAM_STATUS_HELP}
LOG_LEVELS = ("error", "warn", "info", "debug", "trace")
VM_OPTIONS = ("initrd", "append", "dtb", "cpus", "memory", "disk", "net", "name", "entry", "load")

_RUN_TEXT = """\
Run virtual machines on the hypervisor, in QEMU.

  ./caisson run                     the demonstration: a Debian guest with two CPUs
                                    and a small guest of our own
  ./caisson run A.toml [B.toml ...] VMs described in files (docs/configuration.md)
  ./caisson run --kernel FILE ...   one VM without writing a file
  ./caisson run --check ...         say what would be done, or all that is wrong, and start nothing

Without --batch the terminal belongs to the guest, Ctrl-C included. Ctrl-] switches
between the guest and the monitor's prompt, where `help` shows the commands and
`poweroff` ends everything. With several guests: Ctrl-] then ] or [ goes to the next
or previous one, Ctrl-] then 0 to 9 to the one with that id. Ctrl-] three times
quickly ends QEMU at once.
"""
_COMMANDS_TEXT = """\
Caisson, a type-1 hypervisor for RISC-V.

  ./caisson run      stands you in a Debian guest's shell
  ./caisson test     builds and runs all tests

What is missing on this computer is installed with apt where that is allowed.
`./caisson COMMAND --help` tells more about each command.
"""


class _Parser(argparse.ArgumentParser):
    """argparse whose errors are ours: one line, status 2."""

    def __init__(self, *args, **kwargs):
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*args, allow_abbrev=False, **kwargs)

    def error(self, message):
        raise UsageError(f"{message} (see {self.prog} --help)")


def parse(words: list[str]) -> argparse.Namespace:
    """The command line as a namespace. Values are still text; the modules that use them check them."""
    parser, value_options = _build_parser()
    words, program_words = _split_program(words, value_options)
    options, unknown = parser.parse_known_args(_join_values(words, value_options))
    if unknown:
        raise UsageError(f"{unknown[0]}: no such option or argument (see ./caisson {options.command} --help)")
    if program_words is not None:
        options.arguments = program_words
    return options


def _split_program(words: list[str], value_options: set[str]) -> tuple[list[str], list[str] | None]:
    """In `app` and `exec`, everything after the program's name is the program's."""
    if not words or words[0] not in ("app", "exec"):
        return words, None
    position = 1
    while position < len(words) and words[position].startswith("-"):
        has_value = words[position] in value_options or _is_gdb_with_port(words, position)
        position += 2 if has_value else 1
    return words[: position + 1], words[position + 1:]


def _is_gdb_with_port(words: list[str], position: int) -> bool:
    return words[position] == "--gdb" and re.fullmatch("[0-9]+", "".join(words[position + 1: position + 2])) is not None


def _join_values(words: list[str], value_options: set[str]) -> list[str]:
    """`--append -x` -> `--append=-x`: an option's value may itself start with a dash."""
    joined, position = [], 0
    while position < len(words):
        word = words[position]
        following = words[position + 1] if position + 1 < len(words) else None
        position += 1
        if word == "--":
            return joined + words[position - 1:]
        if word == "--gdb":  # its port may be left out
            has_port = _is_gdb_with_port(words, position - 1)
            word += f"={following}" if has_port else "="
            position += bool(has_port)
        elif word in value_options:
            if following is None:
                raise UsageError(f"{word}: a value is missing")
            word += f"={following}"
            position += 1
        joined.append(word)
    return joined


def _build_parser():
    parser = _Parser(prog="./caisson", description=_COMMANDS_TEXT, epilog=STATUS_HELP)
    parser.add_argument("--version", action="version", version=f"caisson {VERSION}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)

    run = _command(commands, "run", "run virtual machines", _RUN_TEXT)
    _add_run_options(run)
    run.add_argument("--script", metavar="FILE",
                     help="commands for the monitor, run in order from the start on; with --batch what they print goes to\n"
                          "standard error (docs/monitor.md)")
    run.add_argument("--check", action="store_true",
                     help="only say what would be done, or everything that is wrong; start, fetch and build nothing")
    debug = _command(commands, "debug", "run with a debugger attached",
                     "Start QEMU halted and gdb attached to it, with the hypervisor's symbols.\n"
                     "The options are those of `run`; what follows `--` is given to gdb. The machine's\n"
                     "output goes to standard error. In gdb, `help caisson` lists our own commands.\n\n"
                     "  ./caisson debug app [options of app] NAME [ARG...]   a unikernel application")
    _add_run_options(debug)
    debug.set_defaults(check=False, script=None)
    _add_app(commands)
    _add_exec(commands)
    _add_maintenance(commands)
    value_options = {name for sub in commands.choices.values() for action in sub._actions
                     if action.nargs != 0 for name in action.option_strings} - {"--gdb"}
    return parser, value_options


def _command(commands, name, summary, text=None):
    return commands.add_parser(name, help=summary, description=text or summary.capitalize() + ".",
                               epilog=_STATUS_HELP_OF.get(name, _TOOL_STATUS_HELP))


def _add_run_options(parser) -> None:
    parser.add_argument("files", nargs="*", metavar="FILE.toml", help="a VM's description")
    vm = parser.add_argument_group("one VM without a file")
    vm.add_argument("--kernel", metavar="FILE", help="RISC-V Image, ELF or raw image; may be packed with gzip")
    vm.add_argument("--initrd", metavar="FILE", help="initial RAM disk, handed over as it is")
    vm.add_argument("--append", metavar="STR", help="the whole of the guest's boot arguments (default: empty)")
    vm.add_argument("--dtb", metavar="FILE", help="device tree for the guest instead of the generated one")
    vm.add_argument("--cpus", metavar="N", help="CPUs of the VM, 1 to 8 (default: 1)")
    vm.add_argument("--memory", metavar="SIZE", help="memory of the VM (default: 256M)")
    vm.add_argument("--disk", metavar="FILE[,ro]", action="append",
                    help="a disk with this image (vda, vdb ...); ro: read-only; may be repeated. Also FILE,overlay: what is\n"
                         "written is kept in memory; FILE,serial=S (docs/configuration.md)")
    vm.add_argument("--net", action="store_const", const="", help="a network device on the switch `lan`, which has the machine's network")
    vm.add_argument("--name", metavar="NAME", help="the VM's name (default: guest)")
    vm.add_argument("--entry", metavar="ADDR", help="guest-physical address of the first instruction")
    vm.add_argument("--load", metavar="ADDR", help="guest-physical address of the image")
    _add_machine_options(parser)
    parser.add_argument("--costs", metavar="WHAT", help="causes: `vm stats` says how many instructions outside the guest each cause of exits took,\n"
                                                       "which makes exits longer; total: their sum alone, which does not (docs/monitor.md)")
    consoles = parser.add_argument_group("consoles")
    consoles.add_argument("--console-log", metavar="DIR", help="write what each VM prints to DIR/NAME.log, shown or not")


def _add_machine_options(parser) -> None:
    machine = parser.add_argument_group("the machine that QEMU plays")
    machine.add_argument("--platform", metavar="NAME", help="a file of configs/platforms (default: virt)")
    machine.add_argument("--harts", metavar="N", help="harts of the machine (default: 1)")
    machine.add_argument("--ram", metavar="SIZE", help="its memory (default: what the VMs need and some more)")
    machine.add_argument("--cpu", metavar="STR", help="given to QEMU's -cpu (default: the platform's)")
    machine.add_argument("--machine", metavar="STR", help="given to QEMU's -M virt,STR (or another platform's)")
    machine.add_argument("--uplink", metavar="STR", help="QEMU's -netdev STR of the machine's network (default: user)")
    machine.add_argument("--icount", action="store_true", help="time follows the instructions executed, so that runs repeat")
    machine.add_argument("--gdb", metavar="PORT", nargs="?", help="wait for gdb on this port (default: 1234)")
    machine.add_argument("--qemu-arg", metavar="ARG", action="append", default=[],
                         help="one more word for QEMU's command line; may be repeated")
    both = parser.add_argument_group("output")
    both.add_argument("--batch", action="store_true",
                      help="no monitor: standard output carries the guest's bytes and nothing else")
    both.add_argument("--log", metavar="FILE", help="write the hypervisor's log there")
    both.add_argument("--log-level", metavar="LEVEL", help=", ".join(LOG_LEVELS) + " (default: info)")
    both.add_argument("--debug", action="store_true", help="a build with checks of our own; log level debug; show QEMU's command line")
    both.add_argument("--quiet", action="store_true", help="no log on the terminal, no progress messages")


def _add_app(commands) -> None:
    app = _command(commands, "app", "run a unikernel application",
                   "Run one of apps/ as a unikernel. Standard output and the exit status are the application's\n"
                   "(docs/applications.md). Without NAME: list the applications.")
    app.add_argument("name", metavar="NAME", nargs="?", help="a folder of apps/")
    app.add_argument("arguments", nargs="*", metavar="ARG", help="everything after NAME is the application's")
    app.add_argument("--disk", metavar="FILE[,ro]", action="append", default=[],
                     help="a virtual disk (vda, vdb ...) with this image; ro: read-only; may be repeated")
    app.add_argument("--net", action="store_true", help="a network device (net0) on QEMU's user network")
    app.add_argument("--sched", metavar="CLASS", help="scheduling class: fifo, rr (default) or cfs")
    _add_set(app)
    _add_machine_options(app)


def _add_set(parser) -> None:
    parser.add_argument("--set", metavar="SWITCH=VALUE", action="append", default=[],
                        help="build with another value of a configuration switch, as in SMP=n; may be repeated")


def _add_exec(commands) -> None:
    program = _command(commands, "exec", "run a static RISC-V Linux program on the monolith")
    program.add_argument("--root", metavar="DIR", help="its root folder, of which it gets a copy (default: an empty one)")
    program.add_argument("--disk", metavar="FILE[,ro]", action="append", default=[],
                         help="a disk (/dev/vda, /dev/vdb ...) with this image, to be mounted if FAT is on it; ro: read-only; may be\n"
                              "repeated")
    _add_machine_options(program)
    program.add_argument("program", metavar="PROGRAM", help="a file on this computer")
    program.add_argument("arguments", nargs="*", metavar="ARG")


def _add_maintenance(commands) -> None:
    test = _command(commands, "test", "build and run the tests",
                    "Build everything and run the unit tests, the tool's tests and the system tests.")
    test.add_argument("names", nargs="*", metavar="NAME", help="a behaviour's id (H10) or part of a test's name")
    test.add_argument("--long", action="store_true", help="the tests that take long too")
    bench = _command(commands, "bench", "count instructions per operation",
                     "Run the bench guest under QEMU's instruction counter and print the table beside the targets.")
    bench.add_argument("--quick", action="store_true", help="without the whole Debian boot")
    instead = bench.add_mutually_exclusive_group()
    instead.add_argument("--jitter", action="store_true", help="instead: how late a guest's timer fires, shared and alone")
    instead.add_argument("--check", action="store_true", help="instead: fail if a row is worse than in tests/bench/figures.json")
    instead.add_argument("--scale", action="store_true", help="instead: 1 to 64 small VMs on two harts")
    instead.add_argument("--html", metavar="FILE", help="instead: all of it, with the rivals' figures, as one page with plots")
    instead.add_argument("--locks", action="store_true", help="instead: how many locks an operation takes (of a debug build)")
    instead.add_argument("--save", action="store_true", help="instead: write that file")
    instead.add_argument("--release", action="store_true", help="instead: write it, and docs/figures/VERSION.json: the figures of this release")
    build = _command(commands, "build", "build a flavour")
    build.add_argument("flavour", nargs="?", default="hypervisor", metavar="FLAVOUR",
                       help="hypervisor (default), unikernel or monolith")
    _add_set(build)
    build.add_argument("--verbose", action="store_true", help="show what is compiled")
    _command(commands, "clean", "remove everything that was built")
    fetch = _command(commands, "fetch", "fetch the guests that the demonstration uses",
                     "Fetch Debian's riscv64 kernel and busybox into the cache, signatures checked.")
    fetch.add_argument("--update", action="store_true", help="look for newer versions than the cached ones")
    image = _command(commands, "image", "make a disk image with an installed system",
                     "Write FILE, a disk image with Debian 13 installed on it, for a VM's --disk (docs/installed.md). The\n"
                     "first time, packages are fetched, their signatures checked, and configured in a VM, which takes some\n"
                     "minutes; later images are copies of what is then in the cache. Log in as root, password: caisson.")
    image.add_argument("system", choices=["debian"], help="what is installed: debian")
    image.add_argument("file", metavar="FILE", help="the image to write; it must not exist yet")
    image.add_argument("--size", metavar="SIZE", help="size of the disk (default: 2G, which is the least)")
    image.add_argument("--packages", metavar="A,B", help="more packages of Debian's, with what they need")
    image.add_argument("--update", action="store_true", help="make it anew, of the newest packages")
    setup = _command(commands, "setup", "install the packages that a command needs",
                     "Install with apt what a command needs. Every command does this for itself where it may;\n"
                     "`sudo ./caisson setup` does it where it may not.")
    setup.add_argument("action", nargs="?", default="test", metavar="COMMAND",
                       help="run, test, bench, debug or build (default: test, which includes the others)")
