"""ADD: archives are unpacked, URLs are fetched."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest

from tests.engine import imagekit
from tests.engine.services.build.conftest import Builder

ARCHIVE = imagekit.layer(
    [
        imagekit.directory("dir", uid=5, gid=6),
        imagekit.member("dir/file", b"text", uid=7, gid=8, mode=0o640),
        imagekit.symlink("dir/link", "file"),
    ]
)


@pytest.fixture(autouse=True)
def served(tmp_path: Path) -> None:
    (tmp_path / "file name").write_text("from the web")
    (tmp_path / "archive.tar.gz").write_bytes(gzip.compress(ARCHIVE))


def test_archives_are_unpacked(builder: Builder) -> None:
    result = builder.build(
        """\
FROM busybox
ADD a.tar.gz /plain/
ADD --chown=1:2 a.tar.gz /given
ADD --unpack=false a.tar.gz /kept/
ADD text.gz folder /others/
COPY a.tar.gz /copied
""",
        {
            "a.tar.gz": gzip.compress(ARCHIVE),
            "text.gz": gzip.compress(b"no archive"),
            "folder/x": "x",
        },
        t="added",
    )
    assert result.error == ""
    places = ["/plain/dir/file", "/given/dir/file", "/plain/dir", "/others/text.gz", "/others/x"]
    places += ["/kept/a.tar.gz", "/copied"]
    shown = builder.run("added", "stat", "-c", "%u:%g %a %F", *places)
    assert shown.splitlines() == [
        "7:8 640 regular file",
        "1:2 640 regular file",
        "5:6 755 directory",
        *["0:0 644 regular file"] * 4,
    ]


def test_an_archive_that_leads_out_is_refused(builder: Builder) -> None:
    hostile = imagekit.layer([imagekit.member("../../escaped", b"x")])
    result = builder.build("FROM busybox\nADD a.tar /in/\n", {"a.tar": hostile})
    assert "leads out of the image" in result.error


def test_a_link_of_the_image_does_not_lead_out(builder: Builder, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    link = f"FROM busybox\nRUN ln -s {outside} /out\nCOPY a /out/a\n"
    result = builder.build(link, {"a": "a"}, t="linked")
    # The link's target is looked for in the image, where it does not exist.
    assert "is no directory" in result.error or result.error == ""
    assert list(outside.iterdir()) == []


def test_urls_are_fetched(builder: Builder, web: str) -> None:
    digest = f"sha256:{hashlib.sha256(b'from the web').hexdigest()}"
    dockerfile = f"""\
FROM busybox
ADD --checksum={digest} --chmod=0644 {web}/file%20name /into/
ADD {web}/archive.tar.gz /as/it-is
ADD --unpack=true {web}/archive.tar.gz /unpacked
"""
    result = builder.build(dockerfile, t="fetched")
    assert result.error == ""
    shown = builder.run("fetched", "stat", "-c", "%a", "/into/file name", "/as/it-is")
    assert shown.split() == ["644", "600"]
    assert builder.run("fetched", "cat", "/unpacked/dir/link") == "text"
    assert builder.build(dockerfile).hits == 3


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("ADD {web}/none /x", "with status 404"),
        ("ADD {web}/ /x/", "cannot determine filename"),
        ("ADD --checksum=sha256:" + "0" * 64 + " {web}/archive.tar.gz /x", "digest mismatch"),
        ("ADD --checksum=md5:1 {web}/archive.tar.gz /x", "invalid checksum"),
        ("ADD http://127.0.0.1:1/x /x", "failed to GET"),
        ("ADD {web}/none.git /x", "failed to fetch the git repository"),
        ("COPY {web}/archive.tar.gz /x", "file not found in build context"),
    ],
)
def test_what_cannot_be_fetched(builder: Builder, web: str, line: str, error: str) -> None:
    result = builder.build(f"FROM busybox\n{line.format(web=web)}\n")
    assert error in result.error
