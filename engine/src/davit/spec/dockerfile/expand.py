"""Words of a Dockerfile: quotes, escapes and ``$variables``, as BuildKit's shell lexer has them.

Source: Dockerfile reference, "Environment replacement"; POSIX.1-2017, Shell Command Language,
2.6.2 "Parameter Expansion".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_SPECIAL = "@*#?-$!0"


class ExpansionError(ValueError):
    """A word cannot be expanded; the text says why."""


def expand(text: str, values: Mapping[str, str], escape: str = "\\") -> str:
    """Expand one word; blanks do not split it. Raises ExpansionError."""
    lexer = _Lexer(text, values, escape)
    return lexer.run()


def split(text: str, values: Mapping[str, str], escape: str = "\\") -> list[str]:
    """Expand and split at blanks that no quote or escape protects. Raises ExpansionError."""
    lexer = _Lexer(text, values, escape)
    lexer.run()
    return lexer.words.done()


class _Words:
    """Collects words while the lexer goes on."""

    def __init__(self) -> None:
        self._words: list[str] = []
        self._word = ""
        self._begun = False

    def add(self, text: str) -> None:
        """Blanks end a word."""
        for char in text:
            if char.isspace():
                self._end()
            else:
                self.protect(char)

    def protect(self, text: str) -> None:
        """Blanks are part of the word; an empty text makes one, too."""
        self._word += text
        self._begun = True

    def _end(self) -> None:
        if self._begun:
            self._words.append(self._word)
        self._word, self._begun = "", False

    def done(self) -> list[str]:
        self._end()
        return self._words


class _Lexer:
    def __init__(self, text: str, values: Mapping[str, str], escape: str) -> None:
        self._text = text
        self._at = 0
        self._values = values
        self._escape = escape
        self.words = _Words()

    def run(self) -> str:
        return self._until("")

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        char = self._peek()
        self._at += 1
        return char

    def _until(self, stop: str, *, raw: bool = False) -> str:
        """Expand up to ``stop``, which is taken; empty: to the end. raw: keep escapes."""
        out = ""
        while char := self._peek():
            if char == stop:
                self._at += 1
                return out
            if char == "'":
                piece = self._single_quoted()
                self.words.protect(piece)
            elif char == '"':
                piece = self._double_quoted()
                self.words.protect(piece)
            elif char == "$":
                piece = self._dollar()
                self.words.add(piece)
            elif char == self._escape:
                self._at += 1
                piece = self._next()
                self.words.protect(piece)
                piece = char + piece if raw else piece
            else:
                piece = self._next()
                self.words.add(piece)
            out += piece
        if stop:
            raise ExpansionError(f"syntax error: missing {stop!r} in {self._text!r}")
        return out

    def _single_quoted(self) -> str:
        end = self._text.find("'", self._at + 1)
        if end < 0:
            raise ExpansionError(
                "unexpected end of statement while looking for matching single-quote"
            )
        piece = self._text[self._at + 1 : end]
        self._at = end + 1
        return piece

    def _double_quoted(self) -> str:
        self._at += 1
        out = ""
        while char := self._peek():
            if char == '"':
                self._at += 1
                return out
            if char == "$":
                out += self._dollar()
                continue
            self._at += 1
            if char == self._escape:
                follower = self._peek()
                if follower in ('"', "$", self._escape) and follower:
                    char = self._next()
            out += char
        raise ExpansionError("unexpected end of statement while looking for matching double-quote")

    def _dollar(self) -> str:
        # What stands between the braces is split, if at all, as part of the value.
        words, self.words = self.words, _Words()
        try:
            return self._variable()
        finally:
            self.words = words

    def _variable(self) -> str:
        self._at += 1
        if self._peek() != "{":
            name = self._name()
            return self._values.get(name, "") if name else "$"
        self._at += 1
        if self._peek() in ("{", "}", ":", ""):
            raise ExpansionError(f"syntax error: bad substitution in {self._text!r}")
        name = self._name()
        return self._modified(name, self._next())

    def _modified(self, name: str, modifier: str) -> str:
        value = self._values.get(name)
        if modifier == "}":
            return value or ""
        if modifier == ":":
            modifier = self._next()
            if modifier not in "+-?" or not modifier:
                raise ExpansionError(f"unsupported modifier (:{modifier}) in substitution")
            value = value or None
        if modifier and modifier in "+-?":
            return self._default(name, modifier, value)
        if modifier and modifier in "#%":
            return self._trimmed(modifier, value)
        if modifier == "/":
            return self._replaced(value)
        raise ExpansionError(f"unsupported modifier ({modifier}) in substitution")

    def _default(self, name: str, modifier: str, value: str | None) -> str:
        word = self._until("}")
        if modifier == "+":
            return "" if value is None else word
        if value is not None:
            return value
        if modifier == "-":
            return word
        raise ExpansionError(f"{name}: {word or 'not allowed to be unset'}")

    def _trimmed(self, modifier: str, value: str | None) -> str:
        pattern = self._until("}", raw=True)
        longest = pattern.startswith(modifier)
        body = _pattern(pattern[longest:], greedy=longest)
        if modifier == "#":
            return re.sub(rf"\A{body}", "", value or "", count=1, flags=re.DOTALL)
        # The end of a match is fixed here, so the shortest one begins last.
        starts = range(len(value or "") + 1)
        for start in starts if longest else reversed(starts):
            if re.compile(rf"{body}\Z", re.DOTALL).match(value or "", start):
                return (value or "")[:start]
        return value or ""

    def _replaced(self, value: str | None) -> str:
        every = self._peek() == "/"
        self._at += every
        pattern = _pattern(self._until("/", raw=True), greedy=True)
        replacement = self._until("}")
        return re.sub(
            pattern, lambda _: replacement, value or "", count=0 if every else 1, flags=re.DOTALL
        )

    def _name(self) -> str:
        match = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+").match(self._text, self._at)
        if match:
            self._at = match.end()
            return match[0]
        return self._next() if self._peek() and self._peek() in _SPECIAL else ""


def _pattern(text: str, *, greedy: bool) -> str:
    """Translate a shell pattern (``*``, ``?``, backslashes) to a regular expression."""
    out = ""
    rest = iter(text)
    for char in rest:
        if char == "*":
            out += ".*" if greedy else ".*?"
        elif char == "?":
            out += "."
        else:
            out += re.escape(next(rest, "\\") if char == "\\" else char)
    return out
