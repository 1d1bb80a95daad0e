"""Random edits of real files; see ``real_files``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.documents.real_files import real_files, run

SHARED = Path(os.environ.get("SHARED_DIR", Path(__file__).resolve().parents[3] / "shared"))
CORPORA = SHARED / "corpora"
COUNT = int(os.environ.get("REAL_EDITS", "15"))


@pytest.mark.skipif(not CORPORA.is_dir(), reason=f"no corpora: {CORPORA} (set SHARED_DIR)")
def test_random_edits_of_real_files_give_no_wrong_value() -> None:
    found = run(real_files(CORPORA), COUNT)
    print(found.report())
    assert found.files.total() > 20
    assert not found.wrong, "\n".join(found.wrong[:20])
    assert found.items["edited"] > 50
    assert not found.items["refused"], found.refused
    allowed = {"shared_node", "wrong_type"}
    assert all(set(codes) <= allowed for codes in found.refused.values()), found.refused
