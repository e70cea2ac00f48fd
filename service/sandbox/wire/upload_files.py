"""Uploaded files: which names are accepted, how large they may be, and whether the content is what the name says."""

import re
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

# Reference: the provider's API reference on jobs, for types and limits.
FILE_MOST_BYTES = 25 * 1024 * 1024
PAGES_MOST = 150
MEDIA_TYPES = {"pdf": "application/pdf", "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg"}
_SIGNATURES = {
    "application/pdf": b"%PDF-",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
}
# A page object, not the tree of pages; pages inside compressed object streams are not seen.
_PAGE = re.compile(rb"/Type\s*/Page(?![A-Za-z])")


def media_type(name: str) -> str | None:
    """Return the media type of a file by its name; None for one that the provider does not accept."""
    return MEDIA_TYPES.get(PurePosixPath(name).suffix.lower().removeprefix("."))


def faults_of_file(name: str, content: bytes) -> list[str]:
    """Return why the provider refuses a file; empty for one that it accepts."""
    if media_type(name) is None:
        return [f"File type is not supported. Supported types: {', '.join(MEDIA_TYPES)}."]
    if not content:
        return ["The submitted file is empty."]
    if len(content) > FILE_MOST_BYTES:
        return ["Ensure the file is no larger than 25 MB."]
    if media_type(name) == "application/pdf" and len(_PAGE.findall(content)) > PAGES_MOST:
        return [f"Ensure the PDF has no more than {PAGES_MOST} pages."]
    return []


def faults_of_url(url: str) -> list[str]:
    """Return why the provider refuses the file at an address, which is not downloaded; empty for one it accepts."""
    # An address may say nothing of the file's type: `/download?id=7`.
    name = name_in(url)
    return faults_of_file(name, b"not downloaded") if PurePosixPath(name).suffix else []


def is_what_it_says(name: str, content: bytes) -> bool:
    """Tell whether the content begins as a file of that type does."""
    return content.startswith(_SIGNATURES.get(media_type(name) or "", b"\x00no such type"))


def name_in(url: str) -> str:
    """Return the name of the file that an address is of; empty where its path names none."""
    return PurePosixPath(unquote(urlsplit(url).path)).name


def safe_name(name: str) -> str:
    """Return the last part of a file name without control characters; browsers may send a whole path."""
    last = re.split(r"[\\/]", name)[-1]
    return "".join(each for each in last if each.isprintable())[:255]
