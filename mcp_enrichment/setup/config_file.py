"""A configuration file: read whole, backed up beside itself, and replaced atomically."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mcp_enrichment.contract.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator


class SetupError(CommandError):
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

    def change(
        self, content: bytes | None, *, backup: bytes | None = None, private: bool = False
    ) -> None:
        """Write this content, or delete the file if it is None; before that, write the backup, if
        one is given. `private`: make the file readable by its owner only. Raises `SetupError` if
        another program has changed the file since it was read."""
        if _read(self.path) != self.content:
            raise SetupError(f"{self.path} was changed by another program just now. Try again.")
        if content is None:
            self.path.unlink()
            return
        has_backup = self.backup.exists()
        with _written(self.path, content, like=None if private else self.path) as new:
            try:
                if backup is not None:
                    self.write_backup(backup)
                new.replace(self.path)
            except OSError:
                if not has_backup:
                    self.backup.unlink(missing_ok=True)
                raise

    def write_backup(self, content: bytes) -> None:
        """Write the backup; empty for a file that is missing."""
        with _written(self.backup, content, like=self.path) as new:
            new.replace(self.backup)

    def restore(self) -> None:
        """Restore the backup byte for byte, and delete it. Raises as `change` does."""
        self.change(_read(self.backup) or None)
        self.backup.unlink()


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


@contextmanager
def _written(path: Path, content: bytes, *, like: Path | None) -> Iterator[Path]:
    """A new file with this content, to be moved to the path within the block. It has the
    permissions of `like`, else its owner's alone. An error leaves neither file nor folder."""
    with ExitStack() as undo:
        if not path.parent.exists():  # such as a project's .cursor
            path.parent.mkdir()
            undo.callback(path.parent.rmdir)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        new = Path(name)
        undo.callback(new.unlink, missing_ok=True)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if like and like.exists():
            shutil.copymode(like, new)
        yield new
        undo.pop_all()


def _decode(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SetupError(f"{path} is not UTF-8 text. Nothing was changed.") from None
