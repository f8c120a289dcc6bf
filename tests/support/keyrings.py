"""Keyrings as on real systems: one that works, over a file, and one that stays locked."""

from __future__ import annotations

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError

FILE = "TESTS_KEYRING_FILE"


class FileKeyring(KeyringBackend):
    """Keeps everything in the file that the environment names."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        return self._kept().get(f"{service} {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._keep(self._kept() | {f"{service} {username}": password})

    def delete_password(self, service: str, username: str) -> None:
        kept = self._kept()
        if kept.pop(f"{service} {username}", None) is None:
            raise PasswordDeleteError
        self._keep(kept)

    def _kept(self) -> dict[str, str]:
        file = Path(os.environ[FILE])
        return json.loads(file.read_text("utf-8")) if file.exists() else {}

    def _keep(self, kept: dict[str, str]) -> None:
        Path(os.environ[FILE]).write_text(json.dumps(kept), "utf-8")


class LockedKeyring(KeyringBackend):
    """A keyring that the user does not unlock."""

    priority = 1

    def get_password(self, *_names: str) -> str | None:
        raise KeyringLocked("planted text of the system's")

    def set_password(self, *_names: str) -> None:
        raise KeyringLocked("planted text of the system's")
