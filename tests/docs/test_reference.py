"""The pages of docs/reference that are made from code are up to date."""

from __future__ import annotations

import pytest

from docs.make_reference import FOLDER, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_up_to_date(name: str) -> None:
    assert (FOLDER / name).read_text() == PAGES[name](), "run `make docs`"
