"""H14: our own images, the same files as on the bare machine, as guests of the hypervisor."""
import pytest

from machines import batch, caisson, run


@pytest.mark.parametrize("name", ["hello", "yield", "sum", "memfaults", "queue-preemptive", "irq-state"])
def test_H14_a_unikernel_prints_what_it_prints_on_the_bare_machine(name):
    from caisson import building

    image = building.variant(app=name).image
    bare = caisson("app", "--icount", "--log-level", "error", name)
    guest = batch("--icount", "--kernel", image, "--memory", "128M", "--append", "loglevel=error")
    assert bare.status == 0 and bare.text
    assert (guest.status, guest.text.replace("\r", "")) == (0, bare.text.replace("\r", ""))


SCRIPT = ("busybox --install -s /bin; cd /tmp; seq 100 | sort -r | tail -3; mkdir a; echo x >a/b; find a; md5sum a/b; "
          "(exit 3); echo $?; i=0; while [ $i -lt 30 ]; do (exit 1); i=$((i + 1)); done; echo $i; echo end")


def pack(writer, busybox: bytes) -> None:
    """An initrd with busybox, for the monolith to run the script."""
    words = ("/bin/busybox", "sh", "-c", "echo begin; " + SCRIPT)
    writer.file(".caisson/argv", b"".join(word.encode() + b"\0" for word in words))
    writer.file(".caisson/env", b"PATH=/bin\0")
    writer.file("bin/busybox", busybox, 0o755)
    writer.finish()


@pytest.mark.parametrize("cpus", [1, 2])
def test_H14_the_monolith_runs_busybox_as_on_the_bare_machine(tmp_path, cpus):
    from caisson import building, cpio, fetch

    chosen = building.variant("monolith")
    building.build(chosen)
    archive = tmp_path / "root.cpio"
    with open(archive, "wb") as out:
        pack(cpio.Writer(out), (fetch.debian() / "busybox").read_bytes())
    bare = run(["qemu-system-riscv64", "-M", "virt", "-smp", cpus, "-m", "128M", "-nodefaults", "-display", "none", "-serial", "stdio",
                "-kernel", chosen.image, "-initrd", archive, "-append", "loglevel=error"])
    guest = batch("--kernel", chosen.image, "--initrd", archive, "--cpus", cpus, "--memory", "128M", "--append", "loglevel=error")
    said = bare.out.partition(b"begin\n")[2]
    assert said.endswith(b"3\n30\nend\n")
    assert (bare.status, guest.status) == (0, 0)
    assert guest.out.partition(b"begin\n")[2] == said


def test_H14_two_monoliths_side_by_side(tmp_path, toml):
    """Each prints what the other prints, whoever has the hart."""
    from caisson import building, cpio, fetch

    chosen = building.variant("monolith")
    building.build(chosen)
    archive = tmp_path / "root.cpio"
    with open(archive, "wb") as out:
        pack(cpio.Writer(out), (fetch.debian() / "busybox").read_bytes())
    files = [toml(name, kernel=str(chosen.image), initrd=str(archive), cpus=2, memory="128M", append="loglevel=error")
             for name in ("one", "two")]
    result = batch("--harts", 2, *files)
    assert result.status == 0
    said = {name: [line.removeprefix(f"[{name}] ") for line in result.text.replace("\r", "").splitlines() if line.startswith(f"[{name}]")]
            for name in ("one", "two")}
    of_one, of_two = (lines[lines.index("begin"):] for lines in said.values())
    assert of_one == of_two and of_one[-3:] == ["3", "30", "end"]
