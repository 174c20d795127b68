"""davitd is restarted while clients keep it busy: as at an upgrade, and by a sudden death."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator

import pytest

from tests.engine.api.test_streams import attach, make_exec
from tests.engine.client import Client
from tests.engine.conftest import Davitd
from tests.engine.test_daemon import start, until

_BUSY = 3


class Load:
    """Clients that run containers one after the other, as long as they are let."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(_BUSY)]
        self.done = 0
        self.wrong: list[str] = []

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._run_one()
                self.done += 1
            except (OSError, http.client.HTTPException):
                # davitd is away. Whoever is cut off does not know how far it came.
                self._stopping.wait(0.05)

    def _run_one(self) -> None:
        body = {"Image": "busybox", "Cmd": ["true"], "HostConfig": {"AutoRemove": True}}
        made = self._client.post("/containers/create", body)
        if made.status != 201:
            self.wrong.append(f"create: {made.status} {made.body.decode()}")
            return
        answer = self._client.post(f"/containers/{made.json['Id']}/start")
        if answer.status != 204:
            self.wrong.append(f"start: {answer.status} {answer.body.decode()}")


@pytest.fixture
def busy(davitd: Davitd) -> Iterator[Davitd]:
    davitd.load_busybox()
    yield davitd
    for listed in davitd.client.get("/containers/json", all=True).json:
        davitd.client.delete(f"/containers/{listed['Id']}", force=True)


@pytest.mark.parametrize("sudden", [False, True])
def test_a_restart_under_load(busy: Davitd, sudden: bool) -> None:
    client = busy.client
    assert client.post("/networks/create", {"Name": "net"}).status == 201
    on_net = {"HostConfig": {"NetworkMode": "net"}}
    one = start(client, "sleep", "600", name="one", **on_net)
    start(client, "sleep", "600", name="two", **on_net)
    checked = start(
        client, "sleep", "600", name="checked",
        Healthcheck={"Test": ["CMD-SHELL", "echo x >> /checks"], "Interval": 200_000_000},
    )  # fmt: skip
    again = start(
        client, "sh", "-c", "sleep 0.5; exit 1", name="again",
        HostConfig={"RestartPolicy": {"Name": "always"}},
    )  # fmt: skip
    pid = client.get(f"/containers/{one}/json").json["State"]["Pid"]
    exec_id = make_exec(client, one, "sleep", "600")
    sessions = [
        client.hijack(f"/exec/{exec_id}/start", {})[0],
        attach(client, one, stdout=True)[0],
    ]
    with Load(client) as load:
        for _ in range(2):
            done = load.done
            until(lambda n=done: load.done >= n + _BUSY, "nothing gets done")
            busy.kill() if sudden else busy.stop()
            busy.start()
    assert not load.wrong, load.wrong
    for session in sessions:
        with session:
            assert session.recv(1) == b""

    state = client.get(f"/containers/{one}/json").json["State"]
    assert (state["Status"], state["Pid"]) == ("running", pid)
    found = busy.docker("exec", "one", "nslookup", "two", "127.0.0.11")
    assert b"Name:\ttwo" in found.stdout

    def checks() -> int:
        return len(busy.docker("exec", "checked", "cat", "/checks").stdout)

    before = checks()
    until(lambda: checks() > before, "nobody checks")
    assert client.get(f"/containers/{checked}/json").json["State"]["Health"]["Status"] == "healthy"

    def restarts() -> int:
        return int(client.get(f"/containers/{again}/json").json["RestartCount"])

    count = restarts()
    until(lambda: restarts() > count, "the restart policy rests")

    def at_rest() -> bool:
        listed = client.get("/containers/json", all=True, filters={"status": ["running"]}).json
        names = {name for item in listed for name in item["Names"]}
        return names - {"/again"} == {"/one", "/two", "/checked"}

    until(at_rest, "containers of the load remain")
