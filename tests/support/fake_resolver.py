"""The system's resolver, scripted for the names of tests; it resolves all other hosts as usual."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

OURS = (".example", ".example.com")


class FakeResolver:
    """Answers of look-ups: one list of IP addresses each; the last one is repeated.

    A name that begins with `slow` hangs until `end` is set.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
        self.asked: list[str] = []
        self.end = threading.Event()
        self._answers = list(answers)
        self._system = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._resolve)

    def _resolve(self, host: Any, port: Any, *args: Any, **options: Any) -> list[Any]:
        name = host.decode() if isinstance(host, bytes) else str(host)
        if not name.endswith(OURS):
            return list(self._system(host, port, *args, **options))
        self.asked.append(name)
        if name.startswith("slow"):
            self.end.wait()
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        found = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        kinds = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in found]
        return [
            (kind, 1, 6, "", (address, port)) for kind, address in zip(kinds, found, strict=True)
        ]
