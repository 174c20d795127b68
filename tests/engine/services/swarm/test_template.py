"""The part of Go's templates that services may use."""

from __future__ import annotations

import pytest

from davit.services.swarm.template import TemplateError, expand
from davit.services.swarm.template_functions import Fields

_FIELDS = Fields(
    Service=Fields(ID="s1", Name="web", Labels={"tier": "front", "b": ""}, Empty={}),
    Node=Fields(Hostname="h1", Platform=Fields(OS="linux")),
    Task=Fields(Slot="3"),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain } text", "plain } text"),
        ("{{.Service.Name}}.{{ .Task.Slot }}", "web.3"),
        ("{{$.Node.Platform.OS}}", "linux"),
        ("a  {{- .Service.ID -}}  b", "as1b"),
        ("a {{/* nothing }} */}} b", "a  b"),
        ("a {{- /* x */ -}} b", "ab"),
        ("{{.Service.Labels.tier}}", "front"),
        ('{{index .Service.Labels "tier"}}{{index .Service.Labels "none"}}', "front"),
        ("{{.Service.Labels}}", "map[b: tier:front]"),
        ('{{join "-" .Service.Name (printf "%05s|%q|%d%%" "x" `a"b` 7) }}', 'web-    x|"a\\"b"|7%'),
        ('{{"a\\tb" | printf "%s-%s" .Task.Slot}}', "3-a\tb"),
        ('{{if eq .Node.Hostname "h0" "h1"}}one{{else}}two{{end}}', "one"),
        ('{{if ne .Task.Slot "3"}}x{{else if .Service.Labels.b}}y{{else}}z{{end}}!', "z!"),
        ("{{if and true .Service.Name}}{{if not false}}in{{end}}{{end}}", "in"),
        ('{{len "äb"}} {{or "" "x"}} {{print 1 2 "a"}}', "3 x 1 2a"),
        ('{{secret "s" | shout}}', "DATA S"),
        ("{{range .Service.Labels}}<{{.}}>{{end}}", "<><front>"),
        ("{{range $k, $v := .Service.Labels}}{{$k}}={{$v}} {{end}}", "b= tier=front "),
        ("{{range $v := .Service.Labels}}{{$v}}{{$.Task.Slot}},{{end}}", "3,front3,"),
        ("{{range .Service.Empty}}x{{else}}none{{end}}", "none"),
        ("{{with .Service}}{{.Name}}{{end}}{{.Task.Slot}}", "web3"),
        ("{{with $s := .Service.Name}}{{$s}}{{.}}{{end}}", "webweb"),
        ("{{with .Service.Labels.b}}x{{else}}{{.Task.Slot}}{{end}}", "3"),
        ("{{if $n := .Service.Name}}{{$n}}{{end}}", "web"),
        ('{{$a := "x"}}{{if true}}{{$a := "y"}}{{end}}{{$a}}', "x"),
        ('{{$a := "x"}}{{if true}}{{$a = "y"}}{{end}}{{$a}}', "y"),
        ("{{$s := .Service}}{{$s.Labels.tier}}{{$.Node.Hostname}}", "fronth1"),
    ],
)
def test_an_expansion(text: str, expected: str) -> None:
    functions = {"secret": lambda name: f"data {name}", "shout": str.upper}
    assert expand(text, _FIELDS, functions) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{.Service.Nmae}}", "can't evaluate field Nmae in .Service.Nmae"),
        ("{{.Service.Name.x}}", "can't evaluate field x"),
        ("{{.Service.Labels.none}}", 'map has no entry for key "none"'),
        ("{{.Service}}", "cannot be printed"),
        ("{{.}}", "cannot be printed"),
        ('{{define "x"}}{{end}}', "{{define}} is not supported"),
        ("{{range .Service.Labels}}{{break}}{{end}}", "{{break}} is not supported"),
        ("{{range .Service}}{{end}}", "range can't iterate"),
        ('{{range "text"}}{{end}}', "range can't iterate"),
        ("{{range .Service.Labels}}", "{{range}} has no {{end}}"),
        ("{{with .Service}}{{else if true}}{{end}}", "unexpected 'if'"),
        ("{{with .Service}}{{.Task}}{{end}}", "can't evaluate field Task"),
        ("{{$x}}", 'undefined variable "$x"'),
        ("{{$x = 1}}", 'undefined variable "$x"'),
        ("{{if true}}{{$x := 1}}{{end}}{{$x}}", 'undefined variable "$x"'),
        ("{{if $k, $v := .Service.Labels}}{{end}}", "unexpected"),
        ("{{$x := }}", "missing value"),
        ("{{range $.Service.Labels}}" * 14 + "{{end}}" * 14, "more than 10000 turns"),
        ('{{env "HOME"}}', 'function "env" not defined'),
        ("{{$x : 1}}", "cannot be understood"),
        ("{{.Service.Name", "cannot be understood"),
        ("{{}}", "missing value"),
        ("{{(.Task.Slot}}", "unclosed parenthesis"),
        ("{{.Task.Slot .Task.Slot}}", "has arguments"),
        ("{{if true}}x", "no {{end}}"),
        ("{{end}}", "unexpected"),
        ("{{else}}", "unexpected"),
        ("{{if true}}{{else}}{{else}}{{end}}", "no {{end}}"),
        ('{{eq 1 "1"}}', "incompatible types"),
        ('{{index .Task "Slot"}}', "wrong number or kind"),
        ('{{printf "%d" "x"}}', "%d needs a number"),
        ('{{printf "%s"}}', "printf knows"),
        ('{{printf "x" 1}}', "more arguments"),
        ("{{" + "(" * 60 + "1" + ")" * 60 + "}}", "nested too deeply"),
        ('{{"\\x"}}', "invalid string"),
    ],
)
def test_a_refusal(text: str, reason: str) -> None:
    with pytest.raises(TemplateError) as refused:
        expand("\n" + text, _FIELDS)
    assert reason in refused.value.reason
    assert refused.value.line == 2


def test_a_refusal_in_time() -> None:
    with pytest.raises(TemplateError):
        expand("{{" + "(.A.B " * 20000, _FIELDS)
