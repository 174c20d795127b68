from davit.services.networks import hosts

EXTRA = ["db:10.0.0.7", "six=[fd00::1]", "outer:fd00::2", "me:host-gateway"]


def test_the_whole_file() -> None:
    own = hosts.own_lines(["10.1.0.2", "10.2.0.2"], "www", "corp.example")
    text = hosts.render(EXTRA, own, gateways=["10.1.0.1", "fd00::9"], links=["10.1.0.3\tdb c"])
    lines = text.splitlines()
    assert lines[:2] == ["127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback"]
    assert lines[6:] == [
        "10.0.0.7\tdb",
        "fd00::1\tsix",
        "fd00::2\touter",
        "10.1.0.1\tme",
        "fd00::9\tme",
        "10.1.0.3\tdb c",
        "10.1.0.2\twww.corp.example www",
        "10.2.0.2\twww.corp.example www",
    ]


def test_a_full_name_has_its_first_part_beside_it() -> None:
    assert hosts.own_lines(["10.1.0.2"], "www.a.b") == ["10.1.0.2\twww.a.b www"]


MINE = "# mine\n10.9.9.9  other\n10.1.0.2\twww\n\n10.1.0.2\twww # not davit's\n"


def test_changes_leave_what_others_wrote() -> None:
    assert hosts.dropped(MINE, ["10.1.0.2\twww"]) == MINE.replace("10.1.0.2\twww\n", "")
    assert hosts.added(MINE, ["10.1.0.2\twww", "10.2.0.2\twww"]) == MINE + "10.2.0.2\twww\n"


def test_a_link_moves_where_it_stands() -> None:
    before = "10.1.0.2\tdb c1 web\nfd00::2\tdb c1 web\n10.1.0.9\tother db\n# db\n"
    after = hosts.relinked(before, "db", ["10.1.0.5\tdb c1 web"])
    assert after == "10.1.0.5\tdb c1 web\n10.1.0.9\tother db\n# db\n"
    assert hosts.relinked(before, "db", []) == "10.1.0.9\tother db\n# db\n"
    assert hosts.relinked("# by hand\n", "db", ["10.1.0.5\tdb"]) == "# by hand\n"
