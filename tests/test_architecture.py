"""The rules of the layout that import-linter does not know."""

from __future__ import annotations

import grimp

PACKAGES = ("confmig", "confmig_otel")


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Also not for type checkers only, and not inside of functions."""
    graph = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=False)
    left = {m: set(graph.find_modules_directly_imported_by(m)) for m in graph.modules}
    assert len(left) > 150
    while True:
        leaves = {module for module, imports in left.items() if not imports & left.keys()}
        if not leaves:
            break
        left = {module: imports for module, imports in left.items() if module not in leaves}
    assert left == {}
