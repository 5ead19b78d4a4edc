"""What ./caisson does with its command line: one function per command, one place for errors."""
import dataclasses
import os
import re
import sys
import tempfile
import traceback
from pathlib import Path

from caisson import (applications, bench, bench_figures, bench_locks, bench_page, bench_scale, building, check, consolelog, costs, debugging,
                     disks, fetch, guests, installed, jitter, machine, networks, packages, partition, paths, process, programs, runner, script, testing,
                     tomlfile, vmconfig, vmdisks)
from caisson.errors import BAD_USAGE, CANNOT_START, CannotStart, Errors, Failure, Interrupted, UsageError
from caisson.options import VM_OPTIONS, parse


def main(words: list[str]) -> int:
    """Run one command. Returns the exit status."""
    _open_standard_files()
    try:
        process.install_signal_handlers()
        words, gdb_words = _split_gdb_words(words)
        debug = words[:1] == ["debug"]
        options = parse(words[1:] if words[:2] == ["debug", "app"] else words)
        options.words, options.gdb_words = words[1:], gdb_words
        building.quiet = getattr(options, "quiet", False)
        return command_debug(options) if debug else COMMANDS[options.command](options)
    except Failure as failure:
        _complain(str(failure))
        return failure.status
    except Interrupted as interrupted:
        return 128 + interrupted.signum
    except BrokenPipeError:
        return 141
    except OSError as error:  # say, a full disk: nothing that a traceback would explain better
        _complain(str(error))
        return CANNOT_START
    except Exception:  # a bug of the tool; status 1 would say that a VM crashed
        traceback.print_exc()
        return CANNOT_START


def _open_standard_files() -> None:
    """With 0, 1 or 2 closed, the next file opened would take its place and get our output."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdin = sys.stdin or open(0)
    sys.stdout = sys.stdout or open(1, "w")
    sys.stderr = sys.stderr or open(2, "w")


def _split_gdb_words(words: list[str]) -> tuple[list[str], list[str]]:
    """`debug ... -- WORDS`: gdb's own."""
    if words[:1] == ["debug"] and "--" in words:
        position = words.index("--")
        return words[:position], words[position + 1:]
    return words, []


def _complain(message: str) -> None:
    """Messages quote files and options, whose control characters are not for the terminal."""
    shown = re.sub(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", lambda match: f"\\x{ord(match[0]):02x}", message)
    print("caisson: " + shown.encode(errors="backslashreplace").decode(), file=sys.stderr)


def command_run(options) -> int:
    if options.check:
        return _check_run(options)
    plan, output, vms = _read_run_options(options)
    vmdisks.make_stores(vms)
    vmdisks.lock(vms, Errors())
    packages.ensure("run")
    image = runner.image_to_run(_hypervisor(options, plan))
    _announce_gdb(plan, image)
    return runner.run(vms, plan, output, image)


def _check_run(options) -> int:
    errors = Errors(keep=True)
    plan, _, vms = _read_run_options(options, errors)
    check.look_into(vms, options, errors)
    vmdisks.lock(vms, errors)
    for error in errors.kept:
        _complain(str(error))
    if errors.kept:
        return BAD_USAGE
    sys.stdout.write(check.report(plan, vms, _hypervisor(options, plan)))
    return 0


def _hypervisor(options, plan: machine.Machine) -> building.Variant:
    return building.variant(debug=options.debug, switches=[*plan.platform.switches, *costs.switches(options.costs)])


def _announce_gdb(plan: machine.Machine, image: Path) -> None:
    if plan.gdb is not None:
        print(f"caisson: waiting for gdb on port {plan.gdb}; attach with: gdb-multiarch "
              f"{os.path.relpath(image.with_suffix('.elf'))} -ex 'target remote :{plan.gdb}'", file=sys.stderr, flush=True)


def _read_run_options(options, errors: Errors | None = None):
    """Everything that can be wrong with the options is found here, before anything is built."""
    errors = errors or Errors()
    plan = costs.machine_for(machine.from_options(options, errors), options.costs, errors)
    output = dataclasses.replace(runner.output_from_options(options, errors),
                                 script=script.read(options.script, errors))
    vms = _vms_from_options(options, errors)
    vmconfig.check_together(vms, options.batch and not options.script, errors)
    consolelog.plan(vms, options.console_log, errors)
    plan = dataclasses.replace(plan, disks=vmdisks.gather(vms, errors))
    machine.check_memory(plan, vms, errors)
    machine.check_harts(plan, vms, errors)
    partition.check(plan, vms, errors)
    plan = dataclasses.replace(plan, nets=len(networks.uplinks(vms)))
    machine.check_places(plan, errors)
    return plan, output, vms


def _vms_from_options(options, errors: Errors) -> list[vmconfig.VmConfig]:
    given = {key: value for key in VM_OPTIONS if (value := getattr(options, key)) is not None}
    locate = guests.find if options.check else guests.locate
    if options.kernel is not None:
        if options.files:
            errors.add(UsageError(f"{options.files[0]}: --kernel describes the one VM; give either it or files"))
        return [_vm_from_options({"kernel": options.kernel, **given}, locate, errors)]
    if given:
        key = next(iter(given))
        value = given[key][0] if isinstance(given[key], list) else given[key]
        errors.add(UsageError(f"--{key} {value}: belongs to a VM given with --kernel FILE"))
    if not options.files:
        return _demonstration(locate, options.check)
    vms = [tomlfile.read(path, locate, errors) for path in options.files]
    return [vm for vm in vms if vm]


def _demonstration(locate, check_only: bool) -> list[vmconfig.VmConfig]:
    """A Debian guest and one of our own. What cannot be had is said and left out."""
    if not check_only:
        packages.ensure("run")
    vms = []
    for name in DEMONSTRATION:
        try:
            vms.append(tomlfile.read(os.path.relpath(paths.ROOT / "configs" / "vms" / f"{name}.toml"), locate))
        except CannotStart as failure:
            _complain(f"starting without the guest {name!r}: {failure}")
    if not vms:
        raise CannotStart("no guest of the demonstration can be started")
    return vms


def _vm_from_options(values: dict[str, str], locate, errors: Errors) -> vmconfig.VmConfig:
    quotes = {key: f"--{key} {value}" for key, value in values.items()}
    quotes |= {f"disk.{number}": f"--disk {text}" for number, text in enumerate(values.get("disk", []))}
    quotes["memory"] = quotes.get("memory", f"--memory {vmconfig.DEFAULT_MEMORY >> 20}M (the default)")
    source = vmconfig.Source(origin=quotes["kernel"], quotes=quotes, typed=False)
    return vmconfig.build(values, source, default_name="guest", locate=locate, errors=errors)


def command_debug(options) -> int:
    """The words after `debug` are those of `app NAME ...` or of `run`."""
    if options.command == "app":
        plan, words = machine.from_options(options), options.words
        variant = _application(options, plan)
    else:
        plan, words = _read_run_options(options)[0], ["run", *options.words]
        variant = _hypervisor(options, plan)
    return debugging.run(words, plan.gdb, variant, options.gdb_words)


def command_app(options) -> int:
    if options.name is None:
        sys.stdout.write(applications.listing())
        return 0
    plan = dataclasses.replace(machine.from_options(options), disks=disks.parse_all(options.disk), nets=int(options.net))
    machine.check_places(plan, Errors())
    output = dataclasses.replace(runner.output_from_options(options), batch=True)
    words = applications.boot_words(options.arguments)
    variant = _application(options, plan)
    packages.ensure("app")
    image = runner.image_to_run(variant)
    _announce_gdb(plan, image)
    return runner.run_app(words, plan, output, image)


def _application(options, plan: machine.Machine) -> building.Variant:
    if options.name is None:
        raise UsageError("debug app: which application?")
    return building.variant(app=applications.checked(options.name), debug=options.debug, sched=options.sched,
                            switches=[*plan.platform.switches, *options.set])


def command_exec(options) -> int:
    programs.check(options.program, options.root)
    terminal = os.isatty(0) and os.isatty(1)
    plan = dataclasses.replace(machine.from_options(options), disks=disks.parse_all(options.disk))
    machine.check_places(plan, Errors())
    output = runner.output_from_options(options)
    output = dataclasses.replace(output, batch=not terminal, quiet=True, level=options.log_level or "warn")
    packages.ensure("exec")
    image = runner.image_to_run(building.variant("monolith", debug=options.debug, switches=list(plan.platform.switches)))
    with tempfile.NamedTemporaryFile(prefix="caisson-") as archive:
        programs.pack(archive, options.program, options.arguments, options.root, terminal)
        archive.flush()
        return runner.run_program(archive.name, plan, output, image)


def command_test(options) -> int:
    return testing.run(options.names, options.long)


def command_bench(options) -> int:
    if options.jitter:
        return jitter.run()
    if options.html is not None:
        return bench_page.run(options.html)
    if options.scale:
        return bench_scale.run()
    if options.locks:
        bench.prepare()
        return bench_locks.run()
    if options.check or options.save or options.release:
        return bench_figures.run(options.save or options.release, options.release)
    return bench.run(whole_boot=not options.quick)


def command_build(options) -> int:
    if options.flavour not in building.FLAVOURS:
        raise UsageError(f"{options.flavour}: not a flavour ({', '.join(building.FLAVOURS)})")
    building.build(building.variant(options.flavour, switches=options.set), verbose=options.verbose)
    return 0


def command_clean(_options) -> int:
    building.clean()
    return 0


def command_fetch(options) -> int:
    folder = fetch.debian(options.update)
    fetch.libraries()
    print(f"caisson: the guests are in {folder}", file=sys.stderr)
    return 0


def command_image(options) -> int:
    target = Path(options.file)
    chosen = installed.recipe(options.packages)
    installed.copy(chosen, target, options.size, options.update)
    print(f"caisson: {target} is an installed Debian; its kernel and initramfs are in {chosen.folder} "
          "(docs/installed.md)", file=sys.stderr)
    return 0


def command_setup(options) -> int:
    if options.action not in packages.NEEDS:
        raise UsageError(f"{options.action}: not a command that needs packages ({', '.join(packages.NEEDS)})")
    packages.ensure(options.action)
    return 0


DEMONSTRATION = ("debian", "tick")
COMMANDS = {
    "run": command_run,
    "debug": command_debug,
    "app": command_app,
    "exec": command_exec,
    "test": command_test,
    "bench": command_bench,
    "build": command_build,
    "clean": command_clean,
    "fetch": command_fetch,
    "image": command_image,
    "setup": command_setup,
}
