"""What our own pages load: scripts, sheets and pictures. Their folder's name is a digest of all of them.

Scripts import each other by name. If each kept its address over an upgrade, a browser would mix those of its cache with
new ones for five minutes, and a script that lacks what another one imports ends the page.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path


def _read_all() -> Mapping[str, bytes]:
    folder = Path(__file__).parent.parent / "static"
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def digest_of(files: Mapping[str, bytes]) -> str:
    """Return a name for these files, which is another one if any of them is."""
    lines = (f"{name} {hashlib.sha256(content).hexdigest()}" for name, content in sorted(files.items()))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


# Read at the start: no path from outside ever reaches the file system.
FILES = _read_all()
DIGEST = digest_of(FILES)
FOLDER = f"/static/{DIGEST}"  # where this version's pages find them
