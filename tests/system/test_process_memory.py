"""Memory of processes (P4): mmap and its relatives do what they do on Linux."""
import linux_bare
import linux_programs
from machines import caisson


def test_P4_memory_calls_do_what_they_do_on_linux(tmp_path):
    program = linux_programs.build("memory")
    result = caisson("exec", program, timeout=120)
    assert result.status == 0, result.err
    assert len(result.text.splitlines()) > 50
    assert result.text == linux_bare.output(program, tmp_path)
