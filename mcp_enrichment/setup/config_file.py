"""A configuration as a file: read whole, kept as it was beside it, and replaced in one step."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mcp_enrichment.setup.errors import SetupError


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfigFile:
    """A file that need not exist. A link is followed: what it leads to is what is changed.

    Where a file cannot be read or written, `OSError` is raised and nothing was changed.
    """

    path: Path
    content: bytes | None

    @property
    def text(self) -> str | None:
        """What stands in it, without a byte order mark: few clients read a file that has one.
        Raises `SetupError` where that is no text."""
        return None if self.content is None else _decoded(self.content, self.path)

    @property
    def backup(self) -> Path:
        """Where it is kept as it was before us."""
        return self.path.with_name(f"{self.path.name}.before-mcp-enrichment")

    def kept_text(self) -> str | None:
        """What it was before us, nothing at all included; None where nobody kept it."""
        kept = _read(self.backup)
        return None if kept is None else _decoded(kept, self.backup)

    def keep(self) -> None:
        """Keep it as it is now. That there is no file is kept as an empty one."""
        _write(self.backup, self.content or b"", like=self.path)

    def put_back(self) -> None:
        """Make it what it was before us, to the byte. Raises as `replace` does."""
        self.replace(_read(self.backup) or None)
        self.backup.unlink()

    def replace(self, text: str | bytes | None, *, private: bool = False) -> None:
        """Give it this content; None removes it. `private`: only its owner may read it from now on.
        Raises `SetupError` where somebody else has changed it since it was read."""
        if _read(self.path) != self.content:
            raise SetupError(f"{self.path} was changed by another program just now. Try again.")
        if text is None:
            self.path.unlink()
        else:
            content = text.encode() if isinstance(text, str) else text
            _write(self.path, content, like=None if private else self.path)


def read(path: Path) -> ConfigFile:
    """The file as it is now."""
    try:
        target = path.resolve()
    except RuntimeError:  # what Python 3.11 says of links that lead in a circle
        raise SetupError(f"{path} is a link that leads to itself. Nothing was changed.") from None
    if not target.parent.parent.is_dir():
        raise SetupError(f"The folder {target.parent} is missing. Nothing was changed. Make it.")
    return ConfigFile(path=target, content=_read(target))


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _write(path: Path, content: bytes, *, like: Path | None) -> None:
    """Write it in one step, readable for whom the other file is, and until then for its owner."""
    path.parent.mkdir(exist_ok=True)  # a project's .cursor, which nobody has needed so far
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


def _decoded(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SetupError(f"{path} is not UTF-8 text. Nothing was changed.") from None
