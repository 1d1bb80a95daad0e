"""The contract (``migrations/schemas/contract.json``).

It says which schema versions exist, and has their schemas. Migrations consume it and never repeat
it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from confmig.core.input_errors import Lines, no_lines, problems_of
from confmig.errors import Problem

Status = Literal["current", "supported", "deprecated", "removed"]
Dialect = Literal["yaml-1.2", "yaml-1.1", "go-yaml"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Version(_Model):
    """One schema version of a configuration. ``schema`` is a file below ``migrations/schemas``."""

    schema_file: str | None = None
    status: Status = "supported"
    introduced: str | None = None
    deprecated: str | None = None
    removed_after: str | None = None

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=lambda n: "schema" if n == "schema_file" else n
    )


class ConfigContract(_Model):
    """The versions of one configuration, and how its reader reads scalars."""

    dialect: Dialect = "yaml-1.2"
    secrets: tuple[str, ...] = ()
    versions: dict[int, Version] = {}


class Reads(_Model):
    """The versions a reader takes, both ends included."""

    min: int
    max: int


class Reader(_Model):
    """A release of the service and what it reads."""

    release: str
    config: str
    reads: Reads


class Contract(_Model):
    """Shape and compatibility of all configurations of a bundle."""

    configs: dict[str, ConfigContract] = {}
    readers: tuple[Reader, ...] = ()

    def of(self, config: str) -> ConfigContract:
        """The contract of one configuration; one not in it has no versions, and YAML 1.2."""
        return self.configs.get(config) or ConfigContract()


PLACE = "migrations/schemas/contract.json"


def read(raw: bytes | None, lines: Lines = no_lines) -> tuple[Contract, list[Problem]]:
    """The contract and every problem in it; no file is an empty contract.

    ``lines`` gives the line of each entry of a JSON text; it is asked only where a problem was
    found.
    """
    if raw is None:
        return Contract(), []
    try:
        return Contract.model_validate_json(raw), []
    except ValidationError as error:
        return Contract(), problems_of(
            error, Contract, code="contract_invalid", file=PLACE, lines=lines(raw)
        )
