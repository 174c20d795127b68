"""Pure: the part of Go's templates that Swarm's documentation shows.

Fields (``.Service.Name``), strings, whole numbers, parentheses, pipelines, ``if``, ``with``,
``range``, variables, the functions below, trimmed space and comments. What else Go has is refused
by its name, never left as it stands. How much a template may do is bounded: loops can be nested.
Source: text/template of Go; docker-service-create(1), "Create services using templates".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from davit.services.swarm.template_functions import FUNCTIONS, Fields, Function, Value, to_text

_DEEPEST = 50
_MOST_TURNS = 10_000
_COMMENT = re.compile(r"(?:-\s+)?/\*.*?\*/(?:\s+-)?\}\}", re.DOTALL)
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<end>(?<=\s)-\}\}|\}\})
    | (?P<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`)
    | (?P<number>[+-]?\d{1,18}(?![\w.]))
    | (?P<field>\$\w*(?:\.[A-Za-z_]\w*)*|(?:\.[A-Za-z_]\w*)+|\.(?![\w$.]))
    | (?P<word>[A-Za-z_]\w*)
    | (?P<mark>[()|,=]|:=)
    )""",
    re.VERBOSE,
)
_TRIM = re.compile(r"-\s")
_VARIABLE = re.compile(r"\$\w+\Z")
_CONSTANTS: Mapping[str, Value] = {"true": True, "false": False}
_BRANCHES = ("if", "range", "with")
_ENDS = ("|", ")", ",", "=", ":=")
_LATER = ("block", "break", "continue", "define", "template")


class TemplateError(Exception):
    """A template cannot be expanded. line: where. The reason never has a value in it."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


@dataclass(frozen=True)
class _Scope:
    """dot: ``.`` here. variables: by name, each in a box that inner scopes share.

    turns: of all loops so far, in a box for the whole template.
    """

    dot: Value
    variables: dict[str, list[Value]]
    functions: Mapping[str, Function]
    turns: list[int] = field(default_factory=lambda: [0])

    def within(self, dot: Value, names: Sequence[str], *values: Value) -> _Scope:
        """Return the scope of a body with variables of its own."""
        own = {name: [value] for name, value in zip(names, values, strict=False)}
        return replace(self, dot=dot, variables={**self.variables, **own})


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    line: int


_Node = Callable[[_Scope], Value]
_Part = Callable[[_Scope], str]


def expand(text: str, fields: Fields, functions: Mapping[str, Function] | None = None) -> str:
    """Return the text with its actions carried out. functions: besides the usual ones.

    A function refuses by raising ValueError with a reason. Raises TemplateError.
    """
    if "{{" not in text:
        return text
    parts = _Parser(text).parse()
    return parts(_Scope(fields, {"$": [fields]}, {**FUNCTIONS, **(functions or {})}))


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._tokens: list[_Token] = []
        self._trim = False
        self._line = 1
        self._counted = 0

    def parse(self) -> _Part:
        part, ended = self._body()
        if ended is not None:
            raise TemplateError(ended.line, f"unexpected {{{{{ended.text}}}}}")
        return part

    def _body(self) -> tuple[_Part, _Token | None]:
        """Read until ``else``, ``end`` or the end of the text."""
        parts: list[_Part] = []
        while True:
            text, is_last = self._plain()
            if text:
                parts.append(_constant(text))
            if is_last:
                return _all(parts), None
            self._tokens = self._action()
            if not self._tokens:
                continue
            first = self._tokens[0]
            if first.kind == "word" and first.text in ("else", "end"):
                del self._tokens[0]
                return _all(parts), first
            if first.kind == "word" and first.text in _BRANCHES:
                del self._tokens[0]
                parts.append(self._branch(first))
            elif first.kind == "word" and first.text in _LATER:
                raise TemplateError(first.line, f"{{{{{first.text}}}}} is not supported by davit")
            elif self._names(":="):
                parts.append(_declaration(self._take_names()[0], self._whole(first)))
            elif self._names("="):
                parts.append(_assignment(first, self._take_names()[0], self._whole(first)))
            else:
                parts.append(_shown(self._whole(first), first.line))

    def _branch(self, token: _Token) -> _Part:
        self._deeper(token)
        most = 2 if token.text == "range" else 1
        names = self._take_names() if 0 < len(self._names(":=")) <= most else []
        value = self._whole(token)
        body, ended = self._body()
        otherwise = _constant("")
        if ended is not None and ended.text == "else":
            if token.text == "if" and self._tokens and self._tokens[0].text == "if":
                # An "else if" has its "end" together with the first "if".
                otherwise = self._branch(self._tokens.pop(0))
                self._depth -= 1
                return _choice(token, names, value, body, otherwise)
            self._nothing_more()
            otherwise, ended = self._body()
        if ended is None or ended.text != "end":
            raise TemplateError(token.line, f"{{{{{token.text}}}}} has no {{{{end}}}}")
        self._nothing_more()
        self._depth -= 1
        if token.text == "range":
            return _loop(token, names, value, body, otherwise)
        return _choice(token, names, value, body, otherwise)

    def _names(self, mark: str) -> list[str]:
        """Return the variables that the action begins with, if that mark follows them."""
        texts = [token.text for token in self._tokens[:4]]
        for names, rest in ((texts[:1], texts[1:2]), (texts[:3:2], texts[1:4:2])):
            if rest == [",", mark][-len(names) :] and all(map(_VARIABLE.match, names)):
                return names
        return []

    def _take_names(self) -> list[str]:
        names = self._names(":=") or self._names("=")
        del self._tokens[: 2 * len(names)]
        return names

    def _plain(self) -> tuple[str, bool]:
        """Return the text before the next action, and whether there is none."""
        start = self._at
        end = self._text.find("{{", start)
        text = self._text[start:] if end < 0 else self._text[start:end]
        if self._trim:
            text = text.lstrip(" \t\r\n")
            self._trim = False
        if end < 0:
            return text, True
        self._at = end + 2
        if _TRIM.match(self._text, self._at):
            text = text.rstrip(" \t\r\n")
        return text, False

    def _action(self) -> list[_Token]:
        """Return the tokens of the action that begins here; none for a comment."""
        comment = _COMMENT.match(self._text, self._at)
        if comment is not None:
            self._at = comment.end()
            self._trim = comment.group().endswith("-}}")
            return []
        if _TRIM.match(self._text, self._at):
            self._at += 1
        found: list[_Token] = []
        line = self._line = self._line + self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        while True:
            token = _TOKEN.match(self._text, self._at)
            if token is None or not token.lastgroup:
                rest = self._text[self._at : self._at + 20].strip().split("\n")[0]
                raise TemplateError(line, f"cannot be understood at {rest!r}")
            self._at = token.end()
            text = token[token.lastgroup]
            if token.lastgroup == "end":
                self._trim = text.startswith("-")
                if not found:
                    raise TemplateError(line, "missing value for command in {{}}")
                return found
            found.append(_Token(token.lastgroup, text, line))

    def _whole(self, begins: _Token) -> _Node:
        """Read an action's pipeline to its end."""
        node = self._pipeline(begins)
        self._nothing_more()
        return node

    def _nothing_more(self) -> None:
        if self._tokens:
            token = self._tokens[0]
            raise TemplateError(token.line, f"unexpected {token.text!r}")

    def _pipeline(self, begins: _Token) -> _Node:
        self._deeper(begins)
        node = self._command(begins, None)
        while self._tokens and self._tokens[0].text == "|":
            node = self._command(self._tokens.pop(0), node)
        self._depth -= 1
        return node

    def _command(self, begins: _Token, piped: _Node | None) -> _Node:
        """One function or value. piped: what is its last argument."""
        operands: list[_Token | _Node] = []
        while self._tokens and self._tokens[0].text not in _ENDS:
            token = self._tokens.pop(0)
            if token.text == "(":
                operands.append(self._pipeline(token))
                if not self._tokens or self._tokens.pop(0).text != ")":
                    raise TemplateError(token.line, "unclosed parenthesis")
            else:
                operands.append(token)
        if not operands:
            raise TemplateError(begins.line, "missing value for command")
        first = operands[0]
        if isinstance(first, _Token) and first.kind == "word" and first.text not in _CONSTANTS:
            arguments = [_operand(operand) for operand in operands[1:]]
            return _call(first, [*arguments, *([piped] if piped else [])])
        if len(operands) > 1 or piped:
            raise TemplateError(begins.line, "a value that is no function has arguments")
        return _operand(first)

    def _deeper(self, token: _Token) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise TemplateError(token.line, "it is nested too deeply")


def _constant(text: str) -> _Part:
    return lambda _: text


def _all(parts: list[_Part]) -> _Part:
    return lambda scope: "".join(part(scope) for part in parts)


def _choice(
    token: _Token, names: list[str], condition: _Node, body: _Part, otherwise: _Part
) -> _Part:
    """``if`` and ``with``, which alone changes what ``.`` is."""

    def choose(scope: _Scope) -> str:
        value = condition(scope)
        dot = value if value and token.text == "with" else scope.dot
        return (body if value else otherwise)(scope.within(dot, names, value))

    return choose


def _loop(token: _Token, names: list[str], values: _Node, body: _Part, otherwise: _Part) -> _Part:
    """``range``, over a map in the order of its keys: the one kind of collection there is."""

    def repeat(scope: _Scope) -> str:
        found = values(scope)
        if isinstance(found, Fields) or not isinstance(found, Mapping):
            raise TemplateError(token.line, "range can't iterate over a value that is no map")
        if not found:
            return otherwise(scope.within(scope.dot, []))
        scope.turns[0] += len(found)
        if scope.turns[0] > _MOST_TURNS:
            raise TemplateError(token.line, f"its loops have more than {_MOST_TURNS} turns")
        turns = (
            scope.within(found[key], names, *((key, found[key])[-len(names) :] if names else ()))
            for key in sorted(found)
        )
        return "".join(map(body, turns))

    return repeat


def _declaration(name: str, node: _Node) -> _Part:
    def declare(scope: _Scope) -> str:
        scope.variables[name] = [node(scope)]
        return ""

    return declare


def _assignment(token: _Token, name: str, node: _Node) -> _Part:
    def assign(scope: _Scope) -> str:
        _variable(scope, token, name)[0] = node(scope)
        return ""

    return assign


def _variable(scope: _Scope, token: _Token, name: str) -> list[Value]:
    if name not in scope.variables:
        raise TemplateError(token.line, f'undefined variable "{name}"')
    return scope.variables[name]


def _shown(node: _Node, line: int) -> _Part:
    def show(scope: _Scope) -> str:
        value = node(scope)
        if isinstance(value, Fields):
            raise TemplateError(line, "a value with fields cannot be printed: name one of them")
        return to_text(value)

    return show


def _operand(operand: _Token | _Node) -> _Node:
    if not isinstance(operand, _Token):
        return operand
    value: Value
    if operand.kind == "field":
        return _field(operand)
    if operand.kind == "word":
        if operand.text not in _CONSTANTS:
            return _call(operand, [])
        value = _CONSTANTS[operand.text]
    elif operand.kind == "number":
        value = int(operand.text)
    elif operand.text.startswith("`"):
        value = operand.text[1:-1]
    else:
        try:
            # Go's escapes that JSON does not have are not needed in any name.
            value = json.loads(operand.text)
        except ValueError:
            raise TemplateError(operand.line, f"invalid string {operand.text}") from None
    return lambda _: value


def _field(token: _Token) -> _Node:
    variable, _, path = token.text.partition(".")
    names = path.split(".") if path else []

    def look(scope: _Scope) -> Value:
        value = _variable(scope, token, variable)[0] if variable else scope.dot
        for name in names:
            if not isinstance(value, Mapping):
                raise TemplateError(token.line, f"can't evaluate field {name} in {token.text}")
            if name not in value:
                kind = (
                    f"can't evaluate field {name}"
                    if isinstance(value, Fields)
                    else f'map has no entry for key "{name}"'
                )
                raise TemplateError(token.line, f"{kind} in {token.text}")
            value = value[name]
        return value

    return look


def _call(token: _Token, arguments: list[_Node]) -> _Node:
    def call(scope: _Scope) -> Value:
        function = scope.functions.get(token.text)
        if function is None:
            raise TemplateError(token.line, f'function "{token.text}" not defined')
        try:
            return function(*(argument(scope) for argument in arguments))
        except TypeError:
            reason = "wrong number or kind of arguments"
        except ValueError as error:
            reason = str(error)
        raise TemplateError(token.line, f"error calling {token.text}: {reason}")

    return call
