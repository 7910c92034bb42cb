"""What a Glue job brings along from S3: its script, its libraries, its zip of wheels."""

import hashlib
import shutil
import tempfile
import threading
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

from botocore.client import BaseClient
from botocore.exceptions import ClientError

from emulator import settings

_WHEELS_SUFFIX = ".gluewheels.zip"

_unpacking = threading.Lock()


class LaunchError(Exception):
    """A run cannot start; the message is what Glue shows after "LAUNCH ERROR |"."""


class Artifacts:
    """Fetches objects by their s3:// URL, with the rights of the job's role, into one directory."""

    def __init__(self, s3: BaseClient, directory: Path) -> None:
        self._s3 = s3
        self._directory = directory

    def fetch(self, url: str) -> Path:
        """The object as a file of the same name."""
        parts = urlsplit(url)
        bucket, key = parts.netloc, parts.path.lstrip("/")
        if parts.scheme != "s3" or not bucket or not key:
            raise LaunchError(f"{url} is not the URL of an S3 object (s3://bucket/key)")
        file = self._directory / Path(key).name
        self._directory.mkdir(parents=True, exist_ok=True)
        try:
            response = self._s3.get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            raise LaunchError(
                f"Error downloading from S3 for bucket: {bucket}, key: {key}. "
                f"{error.response['Error']['Message']} (Service: Amazon S3; "
                f"Status Code: {error.response['ResponseMetadata']['HTTPStatusCode']}; "
                f"Error Code: {error.response['Error']['Code']}). Please refer logs for details."
            ) from error
        with file.open("wb") as target:
            shutil.copyfileobj(response["Body"], target)
        return file

    def fetch_all(self, urls: str) -> list[Path]:
        """The objects of a comma-separated list, in its order."""
        return [self.fetch(url.strip()) for url in urls.split(",") if url.strip()]


def unpack_wheels(archive: Path) -> Path:
    """Unpack the wheels of a zip, which is how a wheel is installed, into a directory to import them from.

    The zip holds every module that the job needs beyond what Glue ships. One zip is unpacked once an emulator.
    """
    if not archive.name.endswith(_WHEELS_SUFFIX):
        raise LaunchError(f"{archive.name}: the emulator takes modules only from a zip of wheels, *{_WHEELS_SUFFIX}")
    modules = settings.current().directory("glue-modules") / hashlib.sha256(archive.read_bytes()).hexdigest()
    with _unpacking:
        if not modules.exists():
            with tempfile.TemporaryDirectory(dir=modules.parent) as temporary:
                target = Path(temporary, "modules")
                _unpack(archive, Path(temporary, "wheels"), target)
                target.rename(modules)
    return modules


def _unpack(archive: Path, wheels: Path, target: Path) -> None:
    with zipfile.ZipFile(archive) as zipped:
        zipped.extractall(wheels)
    target.mkdir()
    for wheel in wheels.rglob("*.whl"):
        with zipfile.ZipFile(wheel) as zipped:
            zipped.extractall(target)
