"""JSON, JSONC and JSON5 text -> tree with positions: one scanner, no recursion.

Sources: RFC 8259; the JSON5 1.0.0 specification; JSONC as editors read it (JSON with comments and
trailing commas).
"""

from __future__ import annotations

import gc
import json
import re
import unicodedata
from typing import Any

from confmig.documents.model.document import Caps, Document
from confmig.documents.model.encoding import decode, newline_of
from confmig.documents.model.tree import Entry, Mapping, Sequence, SourceNode
from confmig.errors import Refused

COMMENT = r"//[^\n\r\u2028\u2029]*+|/\*(?:[^*]|\*(?!/))*+\*/"
_TOKEN = re.compile(
    rf"""
    (?P<punct>[{{}}\[\]:,])
  | (?P<string>"[^"\\\n\r]*+(?:\\(?:\r\n|[\s\S])[^"\\\n\r]*+)*+"
             |'[^'\\\n\r]*+(?:\\(?:\r\n|[\s\S])[^'\\\n\r]*+)*+')
  | (?P<comment>{COMMENT})
  | (?P<word>[^\s{{}}\[\]:,"'/\ufeff]++)
    """,
    re.VERBOSE,
)
_SPACE = {
    "json": re.compile(r"[ \t\r\n]*+"),
    "jsonc": re.compile(r"[ \t\r\n]*+"),
    "json5": re.compile(
        r"[\t\n\v\f\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]*+"
    ),
}
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}
_INT = re.compile(r"-?(?:0|[1-9][0-9]*+)\Z")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?\Z")
_NUMBER5 = re.compile(
    r"[+-]?(?:(?P<word>Infinity|NaN)|(?P<hex>0[xX][0-9a-fA-F]++)|(?P<int>0|[1-9][0-9]*+)"
    r"|(?:(?:0|[1-9][0-9]*+)(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?)\Z"
)
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(\r\n|[\n\r\u2028\u2029])|([\s\S]))"
)
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "0": "\0"}
DIGITS = 4000  # Python refuses to turn longer digit strings into an int


def parse(data: bytes, *, grammar: str, caps: Caps) -> Document:
    """Parse a file. Raises ``Refused`` and names line and reason if it cannot be read."""
    text, bom = decode(data, caps.size)
    document = Document(text, bom=bom, newline=newline_of(text), format=grammar, dialect="")
    document.caps = caps
    enabled = gc.isenabled()
    gc.disable()  # all objects of a tree are new: garbage collection meanwhile only costs time
    try:
        _Scanner(document, grammar, caps).scan()
    finally:
        if enabled:
            gc.enable()
    return document


# what may come next
VALUE, VALUE_OR_END, KEY, KEY_OR_END, COLON, COMMA, END = range(7)


class _Scanner:
    """Reads a text token by token.

    ============  =========================================  =====================================
    state         what may come                              the next state
    ============  =========================================  =====================================
    VALUE         a value                                    COMMA; END for the root; that of the
                                                             inside for ``{`` and ``[``
    VALUE_OR_END  a value, or ``]``                          as for VALUE; COMMA behind ``]``
    KEY           a key                                      COLON
    KEY_OR_END    a key, or ``}``                            COLON; COMMA behind ``}``
    COLON         ``:``                                      VALUE
    COMMA         ``,`` or the closing bracket               KEY or VALUE (with a trailing comma
                                                             allowed: KEY_OR_END, VALUE_OR_END)
    END           nothing but space and comments             END
    ============  =========================================  =====================================
    """

    def __init__(self, document: Document, grammar: str, caps: Caps) -> None:
        self.document = document
        self.text = document.text
        self.grammar = grammar
        self.caps = caps

    def scan(self) -> None:  # noqa: C901 - one loop over all tokens
        """Hang the tree into the document.

        This loop runs for every token, so it is written out: one more call for each value costs
        4 % of the time of parsing.
        """
        text, document, caps = self.text, self.document, self.caps
        space, token = _SPACE[self.grammar].match, _TOKEN.match
        loose = self.grammar != "json"
        stack: list[tuple[Any, SourceNode | None, tuple[str, SourceNode] | None]] = []
        top: Any = None
        here: SourceNode | None = None
        key: tuple[str, SourceNode] | None = None
        state, nodes, at, size = VALUE, 0, 0, len(text)
        keys, values = (KEY, KEY_OR_END), (VALUE, VALUE_OR_END)
        while True:
            at = space(text, at).end()  # type: ignore[union-attr]
            if at >= size:
                break
            match = token(text, at)
            if match is None:
                raise self._bad(at, "this cannot be read")
            kind, start, end = match.lastgroup, at, match.end()
            at = end
            if kind == "comment":
                if not loose:
                    raise self._bad(start, "JSON has no comments", "use format: jsonc")
                document.comments.append((start, end))
                if "\n" in match.group():
                    document.opaque.append((start, end))
                continue
            mark = text[start]
            if state in keys:
                if kind == "string" or kind == "word":
                    source_node = SourceNode(start, end, start, mark if kind == "string" else None)
                    key = (self._key(match.group(), kind, start), source_node)
                    if key[0] in top.entries:
                        twice = f"the key `{key[0]}` occurs twice"
                        raise self._refuse("duplicate_key", start, twice)
                    nodes += 1
                    state = COLON
                    continue
                if mark != "}" or state == KEY:
                    raise self._bad(start, "a key is expected")
            if state == COLON:
                if mark != ":":
                    raise self._bad(start, "a ':' is expected")
                state = VALUE
                continue
            if state == COMMA and mark == ",":
                if type(top) is Mapping:
                    state = KEY_OR_END if loose else KEY
                else:
                    state = VALUE_OR_END if loose else VALUE
                continue
            if kind == "punct" and mark in "}]":
                closes = "}" if type(top) is Mapping else "]"
                if top is None or mark != closes or state in (VALUE, KEY):
                    raise self._bad(start, f"`{mark}` is not expected here")
                assert here is not None
                here.end = end
                value, source_node = top, here
                top, here, key = stack.pop()
            elif state in values:
                nodes += 1
                if kind == "punct":
                    if mark not in "{[":
                        raise self._bad(start, "a value is expected")
                    if len(stack) >= caps.depth:
                        raise self._refuse("too_deep", start, f"nesting deeper than {caps.depth}")
                    stack.append((top, here, key))
                    here = SourceNode(start, -1, start, flow=True)
                    here.entries = []
                    is_map = mark == "{"
                    top = Mapping(document, here) if is_map else Sequence(document, here)
                    key = None
                    state = KEY_OR_END if is_map else VALUE_OR_END
                    continue
                if kind == "string":
                    value = self._string(match.group(), start)
                    source_node = SourceNode(start, end, start, mark)
                    if "\n" in match.group():
                        document.opaque.append((start, end))
                else:
                    value = self._word(match.group(), start)
                    source_node = SourceNode(start, end, start)
            else:
                raise self._bad(start, "a ',' or the end is expected")
            if nodes > caps.nodes:
                raise Refused("too_many_nodes", f"more than {caps.nodes} values")
            state = COMMA
            if top is None:
                document.root_entry = source_node.entry = Entry(
                    None, value, source_node, None, source_node
                )
                state = END
                continue
            assert here is not None
            entry = Entry(
                key[0] if key else None, value, source_node, key[1] if key else None, here
            )
            source_node.entry = entry
            here.entries.append(entry)
            if len(here.entries) > caps.entries:
                message = f"more than {caps.entries} entries"
                raise self._refuse("too_many_entries", start, message)
            if key is not None:
                top.entries[key[0]] = entry
                dict.__setitem__(top, key[0], value)
                key = None
            else:
                top.entries.append(entry)
                list.append(top, value)
            if type(source_node.entries) is list:
                value.up, value.entry = top, entry
        if state != END:
            raise self._bad(size, "the text ends too early")

    def _key(self, token: str, kind: str, start: int) -> str:
        if kind == "string":
            return self._string(token, start)
        name = token
        if "\\" in token and re.fullmatch(r"(?:[^\\]|\\u[0-9a-fA-F]{4})+", token):
            name = _ESCAPE.sub(_unescape, token)
        if self.grammar != "json5" or not is_identifier(name):
            raise self._bad(start, "a key must be quoted")
        return name

    def _string(self, token: str, start: int) -> str:
        if self.grammar == "json5":
            try:
                value = _ESCAPE.sub(_unescape, token[1:-1])
            except ValueError:
                raise self._bad(start, "an escape cannot be read") from None
            # two halves of a character outside the basic plane are one character
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        if "\\" not in token and token[0] == '"' and token.isprintable():
            return token[1:-1]
        if token[0] == "'":
            raise self._bad(start, "strings are written in double quotes")
        try:
            return str(json.loads(token))
        except ValueError as error:
            message = getattr(error, "msg", "it cannot be read")
            raise self._bad(start, f"a string: {message}") from None

    def _word(self, token: str, start: int) -> Any:
        if token in _WORDS:
            return _WORDS[token]
        if self.grammar != "json5":
            whole, match = _INT.match(token), _FLOAT.match(token)
        else:
            whole, match = None, _NUMBER5.match(token)
        if match is None:
            raise self._bad(start, "this is not a value")
        if len(token) > DIGITS:
            raise self._refuse("number_too_long", start, f"a number of {len(token)} digits")
        if self.grammar != "json5":
            return int(token) if whole else float(token)
        sign = -1 if token[0] == "-" else 1
        bare = token.lstrip("+-")
        if match["word"]:
            return sign * float("inf" if match["word"] == "Infinity" else "nan")
        if match["hex"]:
            return sign * int(bare, 16)
        return sign * int(bare) if match["int"] else sign * float(bare)

    def _bad(self, at: int, message: str, fix: str = "") -> Refused:
        name = self.grammar
        return self._refuse(f"not_{name}", at, message, fix or "correct the file, then run again")

    def _refuse(self, code: str, at: int, message: str, fix: str = "") -> Refused:
        line = self.text.count("\n", 0, at) + 1
        column = at - self.text.rfind("\n", 0, at)
        return Refused(code, f"{message} (column {column})", fix=fix, line=line)


_LETTERS = frozenset(("Lu", "Ll", "Lt", "Lm", "Lo", "Nl"))
_MARKS = frozenset(("Mn", "Mc", "Nd", "Pc"))


def is_identifier(name: str) -> bool:
    """Whether a key can be without quotes in JSON5: an identifier of ECMAScript 5.1."""
    for number, character in enumerate(name):
        kind = unicodedata.category(character)
        if character in "$_" or kind in _LETTERS:
            continue
        if not number or not (kind in _MARKS or character in "\u200c\u200d"):
            return False
    return bool(name)


def _unescape(match: re.Match[str]) -> str:
    if match[1] or match[2]:
        return chr(int(match[1] or match[2], 16))
    if match[3]:
        return ""
    follows = match.string[match.end() : match.end() + 1]
    if match[4] in "xu123456789" or (match[4] == "0" and follows in "0123456789" and follows):
        raise ValueError("escape")
    return _ESCAPED.get(match[4], match[4])
