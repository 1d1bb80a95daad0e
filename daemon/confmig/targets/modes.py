"""The modes by their names in the settings."""

from __future__ import annotations

from confmig.targets.in_place import InPlace
from confmig.targets.mode import Mode

MODES: dict[str, Mode] = {"in_place": InPlace()}
