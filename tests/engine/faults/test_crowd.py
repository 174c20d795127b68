"""Two hundred containers are started at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.engine.conftest import Davitd

_CROWD = 200


@pytest.mark.timeout(600)
def test_all_start_and_all_go(davitd: Davitd) -> None:
    davitd.load_busybox()
    client = davitd.client
    body = {"Image": "busybox", "Cmd": ["sleep", "1000"]}
    with ThreadPoolExecutor(_CROWD) as pool:
        created = list(pool.map(lambda _: client.post("/containers/create", body), range(_CROWD)))
        assert {answer.status for answer in created} == {201}, created
        ids = [answer.json["Id"] for answer in created]
        started = pool.map(lambda item: client.post(f"/containers/{item}/start"), ids)
        assert [answer.status for answer in started] == [204] * _CROWD
        listed = client.get("/containers/json").json
        assert len(listed) == _CROWD
        addresses = {
            entry["NetworkSettings"]["Networks"]["bridge"]["IPAddress"] for entry in listed
        }
        assert len(addresses) == _CROWD
        # They can be told apart and reached, each as the only one of its kind.
        first = listed[0]["Id"]
        assert davitd.docker("exec", first, "echo", "here").stdout == b"here\n"
        removed = pool.map(lambda item: client.delete(f"/containers/{item}", force=True), ids)
        assert [answer.status for answer in removed] == [204] * _CROWD
    assert client.get("/containers/json", all=True).json == []
