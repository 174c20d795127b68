"""Parses a Dockerfile: text on standard input, JSON on standard output.

A program of its own, run by :mod:`davit.drivers.dockerfile.parser` and imported by nobody: the
library carries Go's runtime, which is not to live in davitd.
"""

import json
import re
import sys
import typing

_DIRECTIVE = re.compile(r"#\s*(syntax|escape|check)\s*=", re.IGNORECASE)

if typing.TYPE_CHECKING:
    import dockerfile


def main() -> None:
    # Where the library is; nothing else of the site's packages is needed.
    sys.path.append(sys.argv[1])
    import dockerfile

    text = sys.stdin.buffer.read().decode("utf-8-sig", errors="replace")
    text = _directives_first(text)
    try:
        commands = dockerfile.parse_string(text)
    except dockerfile.GoParseError as error:
        json.dump({"error": str(error)}, sys.stdout)
        return
    lines = text.splitlines()
    rows = [
        {
            "name": command.cmd.upper(),
            "words": list(command.value),
            "json": command.json,
            "flags": list(command.flags),
            "original": _whole(command, lines),
            "line": command.start_line,
            "heredocs": [{"name": doc.name, "content": doc.content} for doc in command.heredocs],
        }
        for command in commands
    ]
    json.dump({"commands": rows}, sys.stdout)


def _directives_first(text: str) -> str:
    """Put ``# check=`` behind the other directives: for this library it ends them."""
    lines = text.splitlines(keepends=True)
    count = 0
    while count < len(lines) and _DIRECTIVE.match(lines[count]):
        count += 1
    return "".join([*sorted(lines[:count], key=_is_check), *lines[count:]])


def _is_check(line: str) -> bool:
    return "check" in line.partition("=")[0].lower()


def _whole(command: "dockerfile.Command", lines: "list[str]") -> str:
    """The text of a command; the library leaves the here-documents of ONBUILD out."""
    if command.cmd.upper() == "ONBUILD" and "<<" in command.original:
        return "\n".join(lines[command.start_line - 1 : command.end_line])
    return str(command.original)


if __name__ == "__main__":
    main()
