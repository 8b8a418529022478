"""Where the reaper reads and writes a small text: a file, or an object of S3 where no disk lasts, as in a Lambda."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from clusterlab.errors import InputError, Problem, StorageError
from clusterlab.reaper.cloud import ERRORS, Cloud, code_of, told
from clusterlab.run import write_atomically

S3 = "s3://"
PATH_RULE = "allowed: a file, or s3://bucket/key"


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A file's path, or `s3://bucket/key`.

    Raises:
        InputError: it is neither.
    """

    path: str
    cloud: Cloud

    def __post_init__(self) -> None:
        bucket, _, key = self.path.removeprefix(S3).partition("/")
        if not self.path or (self.path.startswith(S3) and not (bucket and key)):
            raise InputError(Problem(path=self.path or "''", message=f"is no place; {PATH_RULE}"))

    def read(self) -> str | None:
        """The text; None where there is none.

        Raises:
            InputError: it cannot be read.
        """
        try:
            if self.path.startswith(S3):
                return self._read_object()
            return Path(self.path).read_text() if Path(self.path).exists() else None
        except (OSError, UnicodeDecodeError, *ERRORS) as error:
            raise InputError(Problem(path=self.path, message=f"cannot be read: {told(error)}")) from error

    def write(self, text: str) -> None:
        """Put the text there, whole or not at all.

        Raises:
            StorageError: it cannot be written.
        """
        try:
            if self.path.startswith(S3):
                self._s3().put_object(**self._object(), Body=text.encode())
            else:
                Path(self.path).parent.mkdir(parents=True, exist_ok=True)
                write_atomically(Path(self.path), text)
        except (OSError, *ERRORS) as error:
            raise StorageError(f"{self.path}: cannot be written: {told(error)}") from error

    def _read_object(self) -> str | None:
        try:
            return str(self._s3().get_object(**self._object())["Body"].read().decode())
        except ClientError as error:
            if code_of(error) == "NoSuchKey":
                return None
            raise

    def _s3(self) -> Any:
        return self.cloud.client("s3", self.cloud.home)

    def _object(self) -> dict[str, str]:
        bucket, _, key = self.path.removeprefix(S3).partition("/")
        return {"Bucket": bucket, "Key": key}
