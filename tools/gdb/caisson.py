"""gdb's command `caisson`: the start before paging, harts, tasks and VMs, read from the kernel's structures.

./caisson debug loads it. By hand: (gdb) source tools/gdb/caisson.py
"""
import gdb

ENTRY = 0x8020_0000  # where QEMU's firmware jumps to
TASK_STATES = {0: "ready", 1: "running", 2: "blocked", 3: "exited"}
VM_STATES = {0: "created", 1: "booted", 2: "running", 3: "ending", 4: "ended"}
HSM_STATES = {0: "started", 1: "stopped", 2: "starting", 3: "stopping", 4: "suspended", 5: "suspending", 6: "resuming"}


def elements(head, container, member):
    """The structures in a list of the kernel's (include/caisson/list.h)."""
    kind = gdb.lookup_type(container)
    offset = next(field.bitpos // 8 for field in kind.fields() if field.name == member)
    node = head["next"]
    while int(node) != int(head.address):
        yield (node.cast(gdb.lookup_type("char").pointer()) - offset).cast(kind.pointer()).dereference()
        node = node["next"]


def text(array):
    return array.string(errors="replace") if array.type.code != gdb.TYPE_CODE_PTR or int(array) else "-"


def variable(name):
    """A global of the kernel's, or None: that component is not in this image."""
    try:
        return gdb.parse_and_eval(name)
    except gdb.error:
        return None


def harts():
    """(number, struct hart) of each hart that the kernel knows."""
    count = int(gdb.parse_and_eval("'arch/riscv64/hart.c'::n_harts"))
    table = gdb.parse_and_eval("harts")
    return [(number, table[number]) for number in range(count)]


def tasks():
    head = variable("'core/task/task.c'::all")
    if head is None:
        raise gdb.GdbError("this image has no tasks")
    return sorted(elements(head, "struct task", "all_node"), key=lambda task: int(task["id"]))


def place(address):
    """`function+offset (file:line)` of a code address."""
    where = gdb.find_pc_line(address)
    block = gdb.block_for_pc(address)
    function = block
    while function is not None and function.function is None:
        function = function.superblock
    name = function.function.name if function is not None else hex(address)
    return f"{name} ({where.symtab.filename}:{where.line})" if where.symtab else name


def register(name):
    return int(gdb.parse_and_eval(f"${name}")) & (1 << 64) - 1


class on_thread:
    """Look at the machine as one of gdb's threads (harts) does; afterwards as before."""

    def __init__(self, thread):
        self._thread, self._before = thread, gdb.selected_thread()

    def __enter__(self):
        self._thread.switch()

    def __exit__(self, *_):
        self._before.switch()


def threads_by_hart():
    """Which of gdb's threads is which hart, for those that are in the kernel now: tp points to their struct hart."""
    table = {int(hart.address): number for number, hart in harts()}
    found = {}
    for thread in gdb.selected_inferior().threads():
        with on_thread(thread):
            number = table.get(register("tp"))
        if number is not None:
            found[number] = thread
    return found


def need_kernel_memory():
    """A hart in the firmware or in a guest does not see the kernel's memory: take one that does."""
    for thread in [gdb.selected_thread(), *gdb.selected_inferior().threads()]:
        thread.switch()
        try:
            gdb.parse_and_eval("harts[0].index").fetch_lazy()
            return
        except gdb.MemoryError:
            pass
    raise gdb.GdbError("no hart sees the kernel's memory now: all are in a guest, in the firmware, or before paging")


class Caisson(gdb.Command):
    """What the kernel is doing: start, harts, tasks, vms."""

    def __init__(self):
        super().__init__("caisson", gdb.COMMAND_STATUS, prefix=True)


class Start(gdb.Command):
    """caisson start [ADDRESS]: run to the kernel's first instruction, before paging, with source lines.

    ADDRESS is where the image was loaded (0x80200000). From now on the symbols are known
    there as well, so a breakpoint on a function has two locations: paging decides which counts.
    """

    def __init__(self):
        super().__init__("caisson start", gdb.COMMAND_RUNNING)

    def invoke(self, argument, from_tty):
        entry = int(gdb.parse_and_eval(argument)) if argument else ENTRY
        linked = int(gdb.parse_and_eval("(unsigned long)&__image_start")) & (1 << 64) - 1
        gdb.execute(f"add-symbol-file {gdb.objfiles()[0].filename} -o {(entry - linked) % (1 << 64):#x}", to_string=True)
        gdb.execute(f"thbreak *{entry:#x}", to_string=True)
        gdb.execute("continue")


class Harts(gdb.Command):
    """caisson harts: each hart, the task it runs, and where it is."""

    def __init__(self):
        super().__init__("caisson harts", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        need_kernel_memory()
        threads = threads_by_hart()
        print("hart    id  online  task                     at")
        for number, hart in harts():
            current = hart["current"]
            name = text(current["name"]) if int(current) else "-"
            print(f"{number:4}  {int(hart['hwid']):4}  {'yes' if hart['online'] else 'no':6}  {name:23}  "
                  f"{self._where(threads.get(number))}")

    @staticmethod
    def _where(thread):
        if thread is None:
            return "not in the kernel (guest, firmware or stopped)"
        with on_thread(thread):
            return place(register("pc"))


class Tasks(gdb.Command):
    """caisson tasks [bt]: every task with its state and hart; with bt also where it is."""

    def __init__(self):
        super().__init__("caisson tasks", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        if argument not in ("", "bt"):
            raise gdb.GdbError("caisson tasks [bt]")
        need_kernel_memory()
        threads = threads_by_hart()
        print("  id  name                     state    hart  kind")
        for task in tasks():
            kind = text(task["ext"]["ops"]["name"]) if int(task["ext"]) else "task"
            state = TASK_STATES.get(int(task["state"]), "?")
            print(f"{int(task['id']):4}  {text(task['name']):23}  {state:8} {int(task['hart']):4}  {kind}")
            if argument:
                self._backtrace(task, threads)

    @staticmethod
    def _backtrace(task, threads):
        if not task["on_hart"]:
            show_saved_backtrace(task["ctx"])
        elif int(task["hart"]) in threads:
            with on_thread(threads[int(task["hart"])]):
                gdb.execute("backtrace")
        else:
            print("      in a guest or in the firmware")


def show_saved_backtrace(context):
    """A task that does not run: the hart is shown its saved registers for a moment."""
    saved = {"ra": context["ra"], "sp": context["sp"], **{f"s{n}": context["s"][n] for n in range(12)}, "pc": context["ra"]}
    gdb.newest_frame().select()
    before = {name: register(name) for name in saved}
    try:
        set_registers({name: int(value) & (1 << 64) - 1 for name, value in saved.items()})
        gdb.execute("backtrace")
    finally:
        set_registers(before)


def set_registers(values):
    for name, value in values.items():
        gdb.newest_frame().select()  # each change may make another frame the selected one
        gdb.execute(f"set ${name} = {value:#x}")


class Vms(gdb.Command):
    """caisson vms: every VM with its vCPUs."""

    def __init__(self):
        super().__init__("caisson vms", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        need_kernel_memory()
        head = variable("'vmm/vm/list.c'::vms")
        if head is None:
            raise gdb.GdbError("this image has no VMs")
        for vm in elements(head, "struct vm", "node"):
            print(f"VM {int(vm['id'])} {text(vm['config']['name'])}: {VM_STATES.get(int(vm['state']), '?')}, "
                  f"{int(vm['ram_size']) >> 20} MiB, {int(vm['active'])} of {int(vm['n_vcpus'])} vCPUs active")
            for number in range(int(vm["n_vcpus"])):
                self._show_vcpu(vm["vcpus"][number])

    @staticmethod
    def _show_vcpu(vcpu):
        task, on = vcpu["task"], int(vcpu["running_on"])
        state = HSM_STATES.get(int(vcpu["hsm_state"]), "?")
        where = f"in the guest on hart {on}" if on >= 0 else TASK_STATES.get(int(task["state"]), "?") if int(task) else "-"
        print(f"  vCPU {int(vcpu['id'])}: {state}, {where}, {sum(int(vcpu['exits'][n]) for n in range(*exit_kinds(vcpu)))} "
              f"exits, last seen at pc {int(vcpu['ctx']['sepc']):#x}")


def exit_kinds(vcpu):
    first, last = vcpu["exits"].type.range()
    return first, last + 1


gdb.execute("set backtrace past-main on")
for command in (Caisson, Start, Harts, Tasks, Vms):
    command()
