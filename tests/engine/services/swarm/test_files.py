"""Secrets and configs in containers, and where they are on the host."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from davit._pb import swarmkit_pb2 as pb
from davit.config import Settings
from davit.errors import DavitError, InvalidParameter
from davit.model import codec
from davit.model.idmap import IdMap, IdRange
from davit.services.erase import erase
from davit.services.swarm.expansion import Payloads
from davit.services.swarm.files import FileKeeper, TaskFile, collect, targets
from davit.store.paths import Paths
from davit.sys import mount
from tests.engine.services.swarm.taskbed import NODE, Bed, Memory, a_task

_DATA = b"hush-9f3a71"


def _secret(secret_id: str, name: str, uid: str = "", mode: int = 0o444) -> pb.SecretReference:
    target = pb.FileTarget(name=name, uid=uid, gid=uid, mode=mode)
    return pb.SecretReference(secret_id=secret_id, secret_name=f"name-{secret_id}", file=target)


def _config(config_id: str, name: str) -> pb.ConfigReference:
    target = pb.FileTarget(name=name, mode=0o444)
    return pb.ConfigReference(config_id=config_id, config_name=f"name-{config_id}", file=target)


def _collect(task: pb.Task, memory: Memory) -> dict[str, TaskFile]:
    spec = task.spec.container
    found = collect(spec, Payloads(task, NODE, tuple(spec.env), memory))
    assert [file.target for file in found] == targets(spec)
    return {file.target: file for file in found}


async def test_a_container_sees_them_and_cannot_change_them(bed: Bed) -> None:
    bed.memory.add_secret("s1", _DATA)
    bed.memory.add_config("c1", b"on {{.Node.Hostname}}", "golang")
    task = a_task(
        command=["sh", "-c", _SHOW],
        secrets=[_secret("s1", "key", uid="1000", mode=0o1440), _secret("s1", "/etc/tls/key")],
        configs=[_config("c1", "app.conf")],
    )
    container = await bed.run(task)
    ended = await bed.controller.wait(task)
    lines = bed.world.log(container).splitlines()
    assert lines == [
        "440 1000 1000 hush-9f3a71",
        "444 0 0 hush-9f3a71",
        "444 0 0 on host1",
        "read-only",
        "read-only",
    ]
    assert ended.exit_code == 0
    row = codec.encode(bed.container(task))
    assert _DATA not in row
    bed.world.paths.log(container.id).unlink()
    assert await asyncio.to_thread(_holding, bed.world.paths.data) == []
    await bed.controller.remove(task)
    assert list(bed.world.paths.task_files.iterdir()) == []


def _holding(root: Path) -> list[Path]:
    """The files below that have the secret in them."""
    return [path for path in root.rglob("*") if path.is_file() and _DATA in path.read_bytes()]


_SHOW = """
for f in /run/secrets/key /etc/tls/key /app.conf; do
  echo "$(stat -c '%a %u %g' $f) $(cat $f)"
done
echo x 2>/dev/null >/etc/tls/key || echo read-only
rm -f /app.conf 2>/dev/null || echo read-only
"""


async def test_they_outlive_davitd_and_are_made_again_after_the_host(bed: Bed) -> None:
    bed.memory.add_secret("s1", _DATA)
    task = a_task(command=["cat", "/run/secrets/key"], secrets=[_secret("s1", "key")])
    await bed.controller.prepare(task)
    bed.memory.secrets.clear()
    await bed.restart()
    place = bed.world.paths.task_files / task.id
    assert place.stat().st_mode & 0o777 == 0o700
    assert (place / "0").read_bytes() == _DATA
    mount.unmount(place)  # as a host that has started again
    with pytest.raises(InvalidParameter, match="secret name-s1"):
        await bed.controller.start(task)
    bed.memory.add_secret("s1", _DATA)
    await bed.controller.start(task)
    await bed.controller.wait(task)
    assert bed.world.log(bed.container(task)) == _DATA.decode()


def test_templates_in_payloads() -> None:
    memory = Memory()
    memory.add_secret("s1", _DATA)
    memory.add_secret("s2.task1", b'{{secret "one"}} {{config "conf"}} {{env "A"}}', "golang")
    memory.add_config("c1", b"{{.Task.Slot}}\xff", "golang")
    task = a_task(
        env=["A=1"],
        secrets=[_secret("s1", "one"), _secret("s2", "two")],
        configs=[_config("c1", "conf")],
    )
    found = _collect(task, memory)
    assert found["/run/secrets/two"].data == _DATA + b" {{.Task.Slot}}\xff 1"
    assert found["/conf"].data == b"1\xff"
    assert _DATA.decode() not in repr(found)


def test_what_is_no_file_is_left_out() -> None:
    task = a_task(configs=[pb.ConfigReference(config_id="c1", runtime=pb.RuntimeTarget())])
    assert _collect(task, Memory()) == {}


@pytest.mark.parametrize(
    ("data", "templating", "words"),
    [
        (b"{{hush}}", "golang", "secret name-s1: its template cannot be expanded (line 1)"),
        (b'\n{{secret "hush"}}', "golang", "cannot be expanded (line 2)"),
        (b"hush", "jinja", "secret name-s1: unrecognized template type 'jinja'"),
    ],
)
def test_an_error_has_nothing_of_a_secret(data: bytes, templating: str, words: str) -> None:
    memory = Memory()
    memory.add_secret("s1", data, templating)
    with pytest.raises(DavitError) as refused:
        _collect(a_task(secrets=[_secret("s1", "key")]), memory)
    assert words in refused.value.message
    assert "hush" not in refused.value.message


def test_an_owner_that_is_no_number() -> None:
    memory = Memory()
    memory.add_secret("s1", _DATA)
    with pytest.raises(InvalidParameter, match="the uid 'root' is not a number"):
        _collect(a_task(secrets=[_secret("s1", "key", uid="root")]), memory)


async def test_owners_are_those_of_the_user_namespace(tmp_path: Path) -> None:
    ids = IdMap(uids=[IdRange(0, 100000, 65536)], gids=[IdRange(0, 200000, 65536)])
    keeper = FileKeeper(tmp_path / "tasks", ids)
    await keeper.make("t1", [TaskFile("/x", 5, 6, 0o400, _DATA)])
    try:
        found = os.stat(tmp_path / "tasks/t1/0")
        assert (found.st_uid, found.st_gid) == (100005, 200006)
        with pytest.raises(InvalidParameter):
            await keeper.make("t2", [TaskFile("/x", 70000, 0, 0o400, _DATA)])
        with pytest.raises(InvalidParameter):
            await keeper.make("../t3", [])
        assert await keeper.all() == ["t1"]
        assert await keeper.are_there("t1")
        assert not await keeper.are_there("t2")
        # What was cut in the middle is not taken for all of it.
        (tmp_path / "tasks/t4").mkdir()
        assert not await keeper.are_there("t4")
    finally:
        for task in await keeper.all():
            await keeper.remove(task)
    assert await keeper.all() == []


async def test_the_largest_secrets_fit(tmp_path: Path) -> None:
    keeper = FileKeeper(tmp_path)
    files = [TaskFile(f"/{number}", 0, 0, 0o400, b"x" * 512_000) for number in range(20)]
    await keeper.make("t1", [*files, TaskFile("/empty", 0, 0, 0o400, b"")])
    await keeper.remove("t1")
    await keeper.make("t1", [])
    await keeper.remove("t1")


class _Nothing:
    async def delete(self, container_id: str) -> None:
        pass

    async def erase(self) -> None:
        pass


async def test_erase_takes_them_away(tmp_path: Path) -> None:
    settings = Settings(data_root=tmp_path / "data", run_root=tmp_path / "run")
    paths = Paths(settings.data_root, settings.run_root)
    keeper = FileKeeper(paths.task_files)
    await keeper.make("t1", [TaskFile("/x", 0, 0, 0o400, _DATA)])
    await erase(settings, paths, _Nothing(), _Nothing(), data=False)
    assert not settings.run_root.exists()
