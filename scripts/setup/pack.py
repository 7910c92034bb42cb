"""Packs downloaded wheels into one of the zip files that AWS Glue takes, byte for byte the same each time.

Usage: python pack.py {wheels|modules} DIRECTORY ZIP
"wheels": the wheels as they are, for --additional-python-modules. "modules": what they contain, importable from the zip
as it stands, for --extra-py-files.
"""

import sys
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

# The earliest date that a zip file can hold.
FIXED_DATE = (1980, 1, 1, 0, 0, 0)


def pack_wheels(wheels: list[Path]) -> dict[str, bytes]:
    return {wheel.name: wheel.read_bytes() for wheel in wheels}


def pack_modules(wheels: list[Path]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for wheel in wheels:
        if not wheel.name.endswith("-none-any.whl"):
            raise SystemExit(f"{wheel.name} is not pure Python: it cannot be imported from a zip file")
        with ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name in files:
                    raise SystemExit(f"{wheel.name} brings {name}, which another wheel brings too")
                files[name] = archive.read(name)
    return files


def main(kind: str, directory: str, target: str) -> None:
    files = {"wheels": pack_wheels, "modules": pack_modules}[kind](sorted(Path(directory).glob("*.whl")))
    # Stored, not compressed: compressed bytes differ from one version of zlib to another.
    with ZipFile(target, "w", ZIP_STORED) as archive:
        for name in sorted(files):
            archive.writestr(ZipInfo(name, FIXED_DATE), files[name])


if __name__ == "__main__":
    main(*sys.argv[1:])
