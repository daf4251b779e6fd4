"""Programs without a way out, and what they tried: addresses and look-ups of names, other than on loopback (Linux).

subprocess.run(without_network((sys.executable, "-c", "…"), trace), check=True)
assert addresses(trace) == []
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

import pytest

_NAMESPACE = ("unshare", "--net", "--map-root-user")
_LOOPBACK_UP = (
    "import fcntl, os, socket, struct, sys; "
    "fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh', b'lo', 1)); "  # SIOCSIFFLAGS, IFF_UP
    "os.execvp(sys.argv[1], sys.argv[1:])"
)
_CALLS = "trace=connect,sendto,sendmsg,sendmmsg"
_ADDRESS = re.compile(r'sin6?_port=htons\((\d+)\).*?(?:inet_addr\("|inet_pton\(AF_INET6, ")([^"]+)"')
_NAME_SERVICE = 53


def _is_possible() -> bool:
    """Whether this system has strace, and lets this user make network namespaces."""
    if not all(map(shutil.which, ("strace", _NAMESPACE[0]))):
        return False
    return subprocess.run([*_NAMESPACE, "strace", "true"], capture_output=True, check=False).returncode == 0


needs_no_network = pytest.mark.skipif(not _is_possible(), reason="needs strace, and network namespaces (Linux)")


def without_network(program: Sequence[object], trace: Path) -> list[str]:
    """The command that runs a program with nothing but loopback; what it sends, and whereto, is written to `trace`."""
    return [
        *_NAMESPACE, sys.executable, "-c", _LOOPBACK_UP,
        "strace", "--follow-forks", "--seccomp-bpf", "-qq", f"--output={trace}", "-e", _CALLS, *map(str, program),
    ]  # fmt: skip


def addresses(trace: Path) -> list[str]:
    """The addresses in a trace, as `ADDRESS:PORT`, other than on loopback; and look-ups of names, also on loopback."""
    found = (_ADDRESS.findall(line) for line in trace.read_text(errors="replace").splitlines())
    return sorted({f"{address}:{port}" for line in found for port, address in line if _leaves(address, int(port))})


def _leaves(address: str, port: int) -> bool:
    return port == _NAME_SERVICE or not ip_address(address).is_loopback
