"""A real nginx with the configuration of `deploy/`, and its temporary files in a test's folder."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.fresh_copy import ROOT
from tests.support.optional_tools import do_without

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

NO_NGINX = (
    "nginx is not installed, so what stands in front of the services is left out of the tests. "
    "As root, `python3 tasks.py test` installs Debian's package; else install it yourself."
)


@contextmanager
def nginx(ports: Mapping[str, int], folder: Path, *, address: str = "127.0.0.1") -> Iterator[None]:
    """The nginx of `deploy/` in front of the processes on these ports, by name.

    `address`: from which it connects to them, as a container has one of its own.
    """
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        do_without(NO_NGINX)
    text = (ROOT / "deploy" / "nginx.conf").read_text("utf-8")
    for name in ("service-1:8700", "service-2:8700", "mcp:8701"):
        text = text.replace(name, f"127.0.0.1:{ports[name.partition(':')[0]]}")
    text = text.replace("listen 8080;", f"listen 127.0.0.1:{ports['nginx']};")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    added = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    added += f"proxy_bind {address};"
    (folder / "nginx.conf").write_text(text.replace("http {", f"http {{ {added}", 1))
    here = f"daemon off; pid {folder}/pid; error_log {folder}/error.log;"
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", here]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()
