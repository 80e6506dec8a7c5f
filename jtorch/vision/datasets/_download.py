"""Files from the web: resumed, shown as they come, and kept only if their checksum is right."""

from __future__ import annotations

import gzip
import hashlib
import os
import sys
import tarfile
import urllib.error
import urllib.request


def md5_of(path: str) -> str:
    """The MD5 checksum of a file."""
    with open(path, "rb") as f:
        return hashlib.file_digest(f, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def check(path: str, md5: str) -> bool:
    """Whether the file is there and is the right one."""
    return os.path.isfile(path) and md5_of(path) == md5


def fetch(urls: list[str], path: str, md5: str) -> None:
    """Bring a file from the first address that has it."""
    if check(path, md5):
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    problems = []
    for url in urls:
        try:
            _fetch(url, path + ".part")
        except (urllib.error.URLError, OSError) as e:
            problems.append(f"{url}: {e}")
            continue
        if md5_of(path + ".part") == md5:
            os.replace(path + ".part", path)
            return
        os.remove(path + ".part")
        problems.append(f"{url}: the file has another checksum than {md5}")
    raise RuntimeError(
        f"Error downloading {os.path.basename(path)}:\n" + "\n".join(problems)
        + f"\nWithout a network, put the file at {path} by hand."
    )  # fmt: skip


def _fetch(url: str, part: str) -> None:
    start = os.path.getsize(part) if os.path.exists(part) else 0
    headers = {"User-Agent": "jtorch"} | ({"Range": f"bytes={start}-"} if start else {})
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        resumed = start and response.status == 206
        start = start if resumed else 0
        total = start + int(response.headers.get("Content-Length") or 0)
        with open(part, "ab" if resumed else "wb") as f:
            while chunk := response.read(1 << 16):
                f.write(chunk)
                start += len(chunk)
                _show(url, start, total)


def _show(url: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        percent = f"{100 * done // total}%" if total else f"{done >> 20} MiB"
        end = "\n" if done == total else ""
        sys.stderr.write(f"\r{os.path.basename(url)} {percent}{end}")


def gunzip(path: str) -> str:
    """Unpack `x.gz` to `x`."""
    target = path.removesuffix(".gz")
    with gzip.open(path) as f:
        content = f.read()
    with open(target + ".part", "wb") as f:
        f.write(content)
    os.replace(target + ".part", target)
    return target


def untar(path: str, folder: str) -> None:
    """Unpack an archive; names that lead out of the folder are refused."""
    with tarfile.open(path) as archive:
        archive.extractall(folder, filter="data")
