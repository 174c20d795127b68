"""Parses a Dockerfile: text on standard input, JSON on standard output.

A program of its own, run by :mod:`davit.drivers.dockerfile.parser` and imported by nobody: the
library carries Go's runtime, which is not to live in davitd.
"""

import json
import sys


def main() -> None:
    # Where the library is; nothing else of the site's packages is needed.
    sys.path.append(sys.argv[1])
    import dockerfile

    text = sys.stdin.buffer.read().decode("utf-8-sig", errors="replace")
    try:
        commands = dockerfile.parse_string(text)
    except dockerfile.GoParseError as error:
        json.dump({"error": str(error)}, sys.stdout)
        return
    rows = [
        {
            "name": command.cmd.upper(),
            "words": list(command.value),
            "json": command.json,
            "flags": list(command.flags),
            "original": command.original,
            "line": command.start_line,
            "heredocs": [{"name": doc.name, "content": doc.content} for doc in command.heredocs],
        }
        for command in commands
    ]
    json.dump({"commands": rows}, sys.stdout)


if __name__ == "__main__":
    main()
