"""The reference bundle for tests with settings.

This checkout, or, where others can change it (root in a checkout of another user), a copy that they
cannot.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

from confmig.adapters.files import trust

CHECKOUT = Path(__file__).resolve().parents[2]


def bundle(folder: Path = CHECKOUT) -> Path:
    """The directory of a bundle that settings may name."""
    if not trust.problem(folder / "manifest.json", trust.User.me()):
        return folder
    made = Path(tempfile.mkdtemp(prefix="confmig-bundle-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    for name in ("manifest.json", "manifest.sum"):
        shutil.copyfile(folder / name, made / name)
    shutil.copytree(folder / "migrations", made / "migrations", copy_function=shutil.copyfile)
    return made
