"""VMs whose harts are their own (`exclusive = true`): what must hold for the harts of all VMs."""
from caisson.errors import Errors
from caisson.machine import Machine
from caisson.vmconfig import VmConfig


def check(machine: Machine, vms: list[VmConfig], errors: Errors) -> None:
    """Each exclusive VM has a hart for each CPU that is nobody else's, and something is left for the others."""
    owners: dict[int, VmConfig] = {}
    for vm in [vm for vm in vms if vm.exclusive]:
        if _names_as_many_harts_as_cpus(vm, errors):
            _claim(machine, vm, owners, errors)
    for vm in [vm for vm in vms if vm.harts and not vm.exclusive]:
        if set(vm.harts) <= owners.keys():
            owner = owners[vm.harts[0]]
            errors.add(vm.fail("harts", f"none is left: they belong to other VMs alone ({owner.quotes['exclusive']})"))


def _names_as_many_harts_as_cpus(vm: VmConfig, errors: Errors) -> bool:
    if vm.harts is None:
        errors.add(vm.fail("exclusive", "say which harts: harts = [...], one for each CPU"))
    elif len(vm.harts) != vm.cpus:
        errors.add(vm.fail("exclusive", f"each of the {vm.cpus} CPUs needs one hart, and harts names {len(vm.harts)}"))
    else:
        return True
    return False


def _claim(machine: Machine, vm: VmConfig, owners: dict[int, VmConfig], errors: Errors) -> None:
    for hart in vm.harts:
        if hart in owners:
            errors.add(vm.fail("harts", f"hart {hart} belongs to another VM alone ({owners[hart].quotes['exclusive']})"))
        elif hart < machine.harts:
            owners[hart] = vm
    if len(owners) == machine.harts and vm in owners.values():
        errors.add(vm.fail("exclusive", f"no hart is left for everything else: --harts is {machine.harts}"))
