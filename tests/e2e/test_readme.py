"""The tour of the README is what the example really prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.world import REPOSITORY, confmig

pytestmark = pytest.mark.slow


def normal(text: str) -> list[str]:
    """Lines without what differs from run to run: transactions, times, digests."""
    text = re.sub(r"\b[0-9a-f]{26}\b", "TRANSACTION", text)
    text = re.sub(r"in \d+\.\d+ s", "in TIME", text)
    return [line.rstrip() for line in text.splitlines()]


def test_every_command_of_the_tour_prints_what_the_readme_shows() -> None:
    readme = (REPOSITORY / "README.md").read_text()
    tour = readme[readme.index("## A tour") : readme.index("## Commands")]
    blocks = re.findall(r"```(\w*)\n(.*?)```", tour, re.DOTALL)
    shown = [b for language, b in blocks if not language and b.startswith("$ confmig")]
    assert len(shown) >= 4
    done = confmig("demo")
    assert done.code == 0, done
    printed = normal(done.out)
    for block in shown:
        lines = normal(block)
        starts = [n for n, line in enumerate(printed) if line == lines[0]]
        assert any(printed[n : n + len(lines)] == lines for n in starts), block


def test_the_files_of_the_tour_are_those_of_the_example() -> None:
    readme = (REPOSITORY / "README.md").read_text()
    example = REPOSITORY / "daemon" / "confmig" / "example"
    blocks = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
    shop, policy = (example / "shop.yaml").read_text(), (example / "policy.yaml").read_text()
    assert any(block in shop for block in blocks)
    assert any(block in policy for block in blocks)


def test_every_command_is_in_the_readme() -> None:
    from confmig.cli import COMMANDS

    readme = (REPOSITORY / "README.md").read_text()
    for name in COMMANDS:
        if name != "version":
            assert re.search(rf"`{name}\b|`[a-z-]+ .*`, `{name}|confmig {name}\b", readme), name


def test_the_error_of_the_readme_is_real(tmp_path: Path) -> None:
    readme = (REPOSITORY / "README.md").read_text()
    (tmp_path / "confmig.yaml").write_text(
        "taget:\n  - {name: shop, root: config, bundle: bundle}\nstate_dir: state\n"
    )
    done = confmig("plan", cwd=tmp_path)
    assert done.code == 2
    assert done.err in readme
