"""`./caisson run --costs`: a build that counts the instructions executed outside guests, on a machine that can."""
import dataclasses

from caisson import machine
from caisson.errors import Errors, UsageError

SWITCHES = {"total": "COSTS=y", "causes": "COSTS_BY_CAUSE=y"}
_NEEDS = "sscofpmf"  # a counter that stands still in guests


def switches(wanted: str | None) -> list[str]:
    """Of the build."""
    return [SWITCHES[wanted]] if wanted in SWITCHES else []


def machine_for(plan: machine.Machine, wanted: str | None, errors: Errors) -> machine.Machine:
    """The same machine with that counter; it stays as it is where nothing is counted or where that cannot be."""
    cpu = plan.cpu or plan.platform.cpu
    if wanted is None:
        return plan
    if wanted not in SWITCHES:
        errors.add(UsageError(f"--costs {wanted}: not one of {', '.join(SWITCHES)}"))
    elif cpu is None:
        errors.add(UsageError(f"--costs {wanted}: the CPUs of {plan.platform.name} cannot be chosen, and may lack {_NEEDS}"))
    elif _NEEDS not in cpu:
        return dataclasses.replace(plan, cpu=f"{cpu},{_NEEDS}=on")
    return plan
