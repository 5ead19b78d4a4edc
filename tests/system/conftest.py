"""What the system tests share: everything is built once, then run in QEMU."""
import pytest

import machines


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes long; runs only with --long")


@pytest.fixture(scope="session", autouse=True)
def built():
    """Build the hypervisor and the guests. The builds take a lock, so parallel workers may do it at once."""
    from caisson import building

    building.build(building.Variant())
    building.build_guests()


@pytest.fixture(scope="session")
def debian():
    """The folder with Debian's kernel (vmlinux), busybox and initramfs."""
    from caisson import fetch
    from caisson.errors import CannotStart

    try:
        return fetch.debian()
    except CannotStart as error:
        pytest.skip(f"Debian's packages are not to be had: {error}")


@pytest.fixture
def toml(tmp_path):
    """Write a VM's TOML file: toml("name", kernel=..., cpus=2) -> its path. Nothing is added."""
    def write(name: str, /, **values) -> str:
        def literal(value):
            if isinstance(value, list):
                return "[" + ", ".join(map(literal, value)) + "]"
            return str(value).lower() if isinstance(value, (bool, int)) else '"' + str(value) + '"'

        path = tmp_path / f"{name}.toml"
        path.write_text("".join(f"{key} = {literal(value)}\n" for key, value in values.items()))
        return str(path)

    return write


@pytest.fixture
def spawn():
    """Start ./caisson on a terminal, for pexpect. It is killed when the test ends."""
    import pexpect

    children = []

    def start(*words, timeout=machines.PATIENCE, **options):
        child = pexpect.spawn(machines.CAISSON, [str(word) for word in words], env=machines.ENVIRONMENT,
                              timeout=timeout, dimensions=(40, 120), **options)
        child.delaybeforesend = 0.05
        children.append(child)
        return child

    yield start
    for child in children:
        try:
            child.close(force=True)
        except pexpect.ExceptionPexpect:  # it is killed, but did not end within a tenth of a second
            child.ptyproc.wait()
