"""Configuration files of any size, the same on every machine, and what can be counted in them.

Each is a head of settings, which the migrations of ``chains`` change, and a list of devices that
is as long as it takes. A comment begins with ``#`` after white space or at the start of a line;
the one other ``#`` stands in quotes, so that counting is exact.
"""

from __future__ import annotations

import json
import re
from collections import Counter

HEAD = """\
# configuration of {name}, written by hand
schema_version: 1

# --- name resolution
dns:
  port: 53  # standard
  bind_host: 0.0.0.0  # every interface
  upstream: 9.9.9.9
  # seconds
  cache_ttl: 300
  blocking: 'on'

# --- log
log_file: /var/log/app.log
log_size: 100  # MB
log_compress: "false"
# days
query_log: 90

# --- web
bind_host: 127.0.0.1
bind_port: 80  # http
language: en
theme: auto
accent: '#1e90ff'
session_ttl: 720

# --- devices
clients:
"""
CLIENT = """\
  # device {number}
  - name: device-{number}
    ip: 192.168.{high}.{low}  # fixed
    tags: [lan, 'trusted']
    use_global_settings: true
"""
TOML_HEAD = """\
# configuration of {name}, written by hand
schema_version = 1
accent = "#1e90ff"

# --- name resolution
[dns]
port = 53  # standard
bind_host = "0.0.0.0"  # every interface
# seconds
cache_ttl = 300

# --- devices
"""
TOML_CLIENT = """\
# device {number}
[[clients]]
name = "device-{number}"
ip = "192.168.{high}.{low}"  # fixed
tags = ["lan", 'trusted']
use_global_settings = true

"""
_COMMENT = re.compile(r"^(?:#|.*?\s#)", re.MULTILINE)


def _grown(head: str, client: str, size: int, name: str) -> bytes:
    parts = [head.format(name=name)]
    length, number = len(parts[0]), 0
    while length < size:
        parts.append(client.format(number=number, high=number // 256 % 256, low=number % 256))
        length += len(parts[-1])
        number += 1
    return "".join(parts).encode()


def yaml_of(size: int, name: str = "home") -> bytes:
    """A commented YAML file of about ``size`` bytes."""
    return _grown(HEAD, CLIENT, size, name)


def toml_of(size: int) -> bytes:
    """A commented TOML file of about ``size`` bytes."""
    return _grown(TOML_HEAD, TOML_CLIENT, size, "home")


def json_of(size: int) -> bytes:
    """A JSON file of about ``size`` bytes, with short lists on one line as people write them."""
    client = (
        '    {{\n      "name": "device-{number}",\n      "ip": "192.168.{high}.{low}",\n'
        '      "tags": ["lan", "trusted"],\n      "use_global_settings": true\n    }},\n'
    )
    head = '{{\n  "schema_version": 1,\n  "dns": {{\n    "port": 53,\n    "cache_ttl": 300\n  }},\n'
    text = _grown(head + '  "clients": [\n', client, size, "home").decode()
    data = (text.rstrip(",\n") + "\n  ]\n}\n").encode()
    json.loads(data)
    return data


def comments(data: bytes) -> int:
    """How many lines carry a comment."""
    return len(_COMMENT.findall(data.decode()))


def lines_gone(before: bytes, after: bytes) -> int:
    """How many lines of the one text are not in the other."""
    return sum((Counter(before.splitlines()) - Counter(after.splitlines())).values())
