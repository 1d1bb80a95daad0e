"""The pages of docs/reference that are made from code: ``make docs`` writes them."""

from __future__ import annotations

from pathlib import Path

from confmig.codes import SECTIONS

FOLDER = Path(__file__).parent / "reference"


def codes_page() -> str:
    """``codes.md``: every reason and error code with its meaning and what to do."""
    lines = [
        "# Reasons and error codes",
        "",
        "`make docs` makes this page from `daemon/confmig/codes.py`. A message ends with its code",
        "in brackets. JSON has it as `code` (errors, problems) or `reason` (migrations). Most",
        "messages say more than this page: the file, the line, and what to do in this very case.",
    ]
    for section, codes in SECTIONS.items():
        lines += ["", f"## {section}", "", "| code | means | what to do |", "|---|---|---|"]
        lines += [f"| `{code}` | {c.meaning} | {c.help or '-'} |" for code, c in codes.items()]
    return "\n".join(lines) + "\n"


PAGES = {"codes.md": codes_page}


if __name__ == "__main__":
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page())
