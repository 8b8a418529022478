"""What an asset or an archive of Pulumi's holds, as bytes."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pulumi

from infra.emulated.account import RefusedError


def packed(part: pulumi.Asset | pulumi.Archive) -> bytes:
    """The bytes of an asset, or the ZIP file of an archive.

    Raises:
        RefusedError: it is not on this machine.
    """
    if isinstance(part, pulumi.Asset) or (isinstance(part, pulumi.FileArchive) and Path(part.path).is_file()):
        return _content(part)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        _pack(file, "", part)
    return buffer.getvalue()


def _pack(file: zipfile.ZipFile, name: str, part: pulumi.Asset | pulumi.Archive) -> None:
    if isinstance(part, pulumi.AssetArchive):
        for each, inner in part.assets.items():
            _pack(file, f"{name}/{each}".lstrip("/"), inner)
    elif isinstance(part, pulumi.FileArchive) and Path(part.path).is_dir():
        folder = Path(part.path)
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            file.writestr(f"{name}/{path.relative_to(folder)}".lstrip("/"), path.read_bytes())
    else:
        file.writestr(name, _content(part))


def _content(part: pulumi.Asset | pulumi.Archive) -> bytes:
    if isinstance(part, pulumi.StringAsset):
        return part.text.encode()
    if not isinstance(part, pulumi.FileAsset | pulumi.FileArchive):
        raise RefusedError(f"{type(part).__name__}: is not on this machine; allowed: files and texts")
    try:
        return Path(part.path).read_bytes()
    except OSError as error:
        raise RefusedError(f"{part.path}: {error.strerror}") from error
