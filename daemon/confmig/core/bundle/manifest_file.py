"""What may be in manifest.json, key by key.

``validation`` checks what goes beyond one key: the order of migrations, their dependencies, their
files. The JSON Schema of ``confmig schema manifest`` is made from these models.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from confmig.core.bundle.manifest import Class, Config, Format, Retired, Stamp

_LARGEST = 2**63 - 1
Text = Annotated[str, Field(min_length=1)]
Order = Annotated[int, Field(ge=1, le=_LARGEST, description="a whole number from 1")]
Version = Annotated[int, Field(ge=1, le=_LARGEST, description="a version: a whole number from 1")]
Unstamped = Annotated[int | None, Field(ge=0, le=_LARGEST, description="a version from 0")]
ID_WORDS = "four digits, `_` and a name of a-z, 0-9 and `_`, such as `0007_move_dns`"
_MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*\Z")
_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\[\],<>=!~; -]*\Z")


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class StampEntry(_Model):
    """Where the documents of a configuration keep their version."""

    path: Text
    absent: Unstamped = None
    empty: Unstamped = None


def _patterns(patterns: list[str], root: str) -> list[str]:
    for pattern in patterns:
        if not pattern:
            raise ValueError("a file pattern is empty")
        if pattern.startswith("/") or ".." in pattern.split("/"):
            raise ValueError(f"the pattern `{pattern}` leaves {root}; write it relative to that")
    return patterns


class ConfigEntry(_Model):
    """One configuration: its files, their format, and where they keep their version."""

    format: Format
    files: Annotated[
        list[str], Field(min_length=1, description='a list of file patterns such as `["app.yaml"]`')
    ]
    version: Annotated[
        StampEntry | None,
        Field(
            description='a mapping such as `{"path": "schema_version", "absent": 0}`, or null for '
            "files without a version"
        ),
    ]
    samples: Annotated[
        list[str],
        Field(description='a list of file patterns in the bundle such as `["samples/*.yaml"]`'),
    ] = []
    multi_document: bool = False
    inline_comments: Annotated[
        list[Literal[";", "#"]] | None, Field(description='a list of `";"` and `"#"`')
    ] = None
    repeated_keys: Literal["keep", "refuse"] | None = None
    continuation: Literal["indent", "backslash", "none"] | None = None
    encoding: Literal["utf-8", "latin-1"] | None = None
    documents: Literal["spring", "one"] | None = None

    @field_validator("files")
    @classmethod
    def _files_below_the_root(cls, files: list[str]) -> list[str]:
        return _patterns(files, "the root of the target")

    @field_validator("samples")
    @classmethod
    def _samples_in_the_bundle(cls, samples: list[str]) -> list[str]:
        return _patterns(samples, "the bundle")

    @field_validator(
        "multi_document",
        "inline_comments",
        "repeated_keys",
        "continuation",
        "encoding",
        "documents",
    )
    @classmethod
    def _only_for_its_format(cls, value: Any, info: ValidationInfo) -> Any:
        only = ONLY_FOR[str(info.field_name)]
        if value not in (None, False) and info.data.get("format", only) != only:
            raise ValueError(f"only files of the format `{only}` have it; remove it")
        return value

    def config(self, name: str) -> Config:
        """The configuration that the entry describes."""
        stamp = self.version
        lines = {key: getattr(self, key) for key, only in ONLY_FOR.items() if only != "yaml"}
        return Config(
            name,
            tuple(self.files),
            self.format,
            None if stamp is None else Stamp(stamp.path, stamp.absent, stamp.empty),
            self.multi_document,
            {key: value for key, value in lines.items() if value is not None},
            tuple(self.samples),
        )


# the keys of a configuration that only files of one format have
ONLY_FOR = {
    "multi_document": "yaml",
    "inline_comments": "ini",
    "repeated_keys": "ini",
    "continuation": "ini",
    "encoding": "properties",
    "documents": "properties",
}


class MigrationEntry(_Model):
    """One migration of the list."""

    id: Annotated[str, Field(pattern=r"^[0-9]{4}_[a-z0-9_]+$", description=ID_WORDS)]
    order: Order
    kind: Annotated[Class, Field(alias="class")]
    sets: Annotated[
        dict[str, Version],
        Field(min_length=1, description='a mapping of versions such as `{"app": 3}`'),
    ]
    depends_on: Annotated[list[str], Field(description="a list of ids")] = []
    description: str = ""
    impact: Literal["normal", "high"] = "normal"
    requires: Annotated[
        dict[str, str],
        Field(
            description="a mapping of Python modules to what pip installs, such as "
            '`{"bcrypt": "bcrypt>=4"}`'
        ),
    ] = {}

    @field_validator("requires")
    @classmethod
    def _modules(cls, requires: dict[str, str]) -> dict[str, str]:
        for module, requirement in requires.items():
            if not _MODULE.match(module):
                raise ValueError(f"`{module}` is not the name of a Python module")
            if not _REQUIREMENT.match(requirement):
                raise ValueError(f"pip cannot install `{requirement}` (for `{module}`)")
        return requires


class RetiredEntry(_Model):
    """The migrations that left the bundle. ``confmig retire --through ID`` writes it."""

    through: Order
    versions: dict[str, Version]
    sum: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="a digest of manifest.sum")]

    def retired(self) -> Retired:
        """The record that the entry describes."""
        return Retired(self.through, dict(self.versions), self.sum)


class ManifestFile(_Model):
    """The whole file."""

    config_version: Annotated[Literal[1], Field(alias="_config_version")]
    bundle: Text
    configs: Annotated[
        dict[str, ConfigEntry],
        Field(min_length=1, description="a mapping with at least one configuration"),
    ]
    migrations: Annotated[
        list[MigrationEntry], Field(min_length=1, description="a list of migrations")
    ]
    parameters: Annotated[
        dict[str, str],
        Field(
            description="a mapping of names to their default texts, such as "
            '`{"data_dir": "/var/lib/service"}`'
        ),
    ] = {}
    retired: RetiredEntry | None = None
