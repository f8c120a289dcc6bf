"""A configuration file: read whole, backed up beside itself, and replaced atomically."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


class SetupError(Exception):
    """Nothing was changed. The message is a sentence with the cause and the remedy."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfigFile:
    """A file that may not exist. For a symbolic link, this is its target.

    If a file cannot be read or written, `OSError` is raised and nothing was changed.
    """

    path: Path
    content: bytes | None

    @property
    def text(self) -> str | None:
        """The content without a byte order mark, which few clients accept. Raises `SetupError` if
        it is not UTF-8."""
        return None if self.content is None else _decode(self.content, self.path)

    @property
    def backup(self) -> Path:
        """The path of the copy from before our first change."""
        return self.path.with_name(f"{self.path.name}.before-mcp-enrichment")

    def backup_text(self) -> str | None:
        """The text of the backup; empty if there was no file; None if there is no backup."""
        kept = _read(self.backup)
        return None if kept is None else _decode(kept, self.backup)

    def back_up(self) -> None:
        """Write the backup. A missing file is kept as an empty one."""
        _write(self.backup, self.content or b"", like=self.path)

    def restore(self) -> None:
        """Restore the backup byte for byte, and delete it. Raises as `replace` does."""
        self.replace(_read(self.backup) or None)
        self.backup.unlink()

    def replace(self, text: str | bytes | None, *, private: bool = False) -> None:
        """Write this content; None deletes the file. `private`: make it readable by its owner only.
        Raises `SetupError` if another program has changed the file since it was read."""
        if _read(self.path) != self.content:
            raise SetupError(f"{self.path} was changed by another program just now. Try again.")
        if text is None:
            self.path.unlink()
        else:
            content = text.encode() if isinstance(text, str) else text
            _write(self.path, content, like=None if private else self.path)


def read(path: Path) -> ConfigFile:
    """Read the file. Raises `SetupError` if its folder cannot exist."""
    try:
        target = path.resolve()
    except RuntimeError:  # Python before 3.13, for a circle of links
        target = path
    if target.is_symlink():
        raise SetupError(f"{path} is a link that leads to itself. Nothing was changed.")
    if target.exists() and not target.is_file():
        raise SetupError(f"{path} is not a regular file. Nothing was changed.")
    if not target.parent.parent.is_dir():
        raise SetupError(f"The folder {target.parent} is missing. Nothing was changed. Make it.")
    return ConfigFile(path=target, content=_read(target))


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _write(path: Path, content: bytes, *, like: Path | None) -> None:
    """Replace the file atomically, with the permissions of `like`, else private to the owner."""
    path.parent.mkdir(exist_ok=True)  # such as a project's .cursor
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if like and like.exists():
            shutil.copymode(like, name)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink(missing_ok=True)
        raise


def _decode(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SetupError(f"{path} is not UTF-8 text. Nothing was changed.") from None
