"""`one serve` on real Slurm, as far as stand-ins for Slurm's programs show it: whose token, which socket, what is refused."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from portal.cli.words import _WORDS
from portal.db.engine import engine_for, migrate, sessions
from portal.serve import nodecheck, ownnetwork, person, site
from portal.serve.discover import Granted, Wish
from portal.serve.errors import ServeError
from portal.serve.folder import DataFolder, SharedFolder
from portal.serve.own import Wishes, real
from portal.services import accounts
from slurm.errors import NotPermitted
from slurm.submission import Submission
from tests.serve.cluster_stub import ClusterStub
from tests.slurm.client.contract import component

USER = "nobody"
"""A Unix user that every machine has, with an ordinary uid."""


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClusterStub:
    made = ClusterStub(tmp_path, USER)
    monkeypatch.setenv("PATH", f"{made.bin}:/usr/bin:/bin")
    monkeypatch.setenv("SLURM_JWT", "somebody-else")
    monkeypatch.setenv("ONE_SECRET", "not-for-children")
    monkeypatch.setattr("portal.serve.own.SLURM_PATH", "/usr/bin:/bin")
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    made = DataFolder(tmp_path / "data")
    with made.opened():
        yield made


def no_tell(code: str, **facts: object) -> None:
    raise AssertionError(code, facts)


async def test_an_agent_of_ones_own_acts_with_ones_own_token(
    stub: ClusterStub, folder: DataFolder, tmp_path: Path
) -> None:
    wishes = Wishes(tmp_path / "shared", registries=("registry.lab",))
    async with real(wishes, no_tell)(folder, USER) as cluster:
        assert (cluster.account, cluster.about["partitions"]) == ("lab", "a100, v100")
        assert {one.name for one in (await cluster.slurm.snapshot()).partitions} == {"a100", "v100"}
        version = await cluster.slurm.version()
        assert (version.road, version.slurm) == ("rest", "26.05.5")
        assert not any("operator" in problem for problem in version.problems)
        with pytest.raises(NotPermitted, match="QOS 'one-high' is not among"):
            await cluster.slurm.submit(job(USER, qos="one-high"))
        with pytest.raises(NotPermitted, match="root has uid 0"):
            await cluster.slurm.submit(job("root", qos="normal"))
        settings = cluster.settings(8123, 9000)
        assert (settings.web.public_url, settings.slurm.qos_test) == ("http://127.0.0.1:8123", "normal")
        assert settings.images.registries[-1] == "registry.lab"
        assert settings.storage.runs == tmp_path / "shared" / "runs"
    assert {tuple(call[1:]) for call in stub.calls()} == {(USER, stub.token, "daemon")}
    ((argv, variables),) = stub.tokens_asked()
    assert argv == ["token", "lifespan=3600"]
    assert not {"SLURM_JWT", "ONE_SECRET"} & set(variables)
    for path in (tmp_path / "shared", tmp_path / "shared" / "runs" / ".out", tmp_path / "shared" / "images"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.parent != stub.bin and path.name != "calls":
            assert stub.token not in path.read_text(errors="replace"), path


def job(owner: str, *, qos: str) -> Submission:
    one = component("one-x", account="lab", qos=qos, partition="a100")
    return Submission(owner, "#!/bin/sh\n", "/tmp", "/tmp/out", ("PATH=/bin",), (one,))


@pytest.mark.parametrize(
    ("missing", "code"),
    [("scontrol", "no_slurm"), ("slurmrestd", "no_slurmrestd"), ("apptainer", "no_apptainer")],
)
async def test_a_missing_program_is_named(
    stub: ClusterStub, folder: DataFolder, tmp_path: Path, missing: str, code: str
) -> None:
    (stub.bin / missing).unlink()
    assert await trouble(Wishes(tmp_path / "shared"), folder) == (code, missing)


@pytest.mark.parametrize(
    ("name", "text", "code", "says"),
    [
        (
            "scontrol",
            "#!/bin/sh\necho 'Protocol authentication error' >&2; exit 1\n",
            "no_token",
            "authentication error",
        ),
        ("scontrol", "#!/bin/sh\necho SLURM_JWT=junk\n", "no_token", "is no token"),
        ("slurmrestd", "#!/bin/sh\necho 'no plugin' >&2; exit 1\n", "slurmrestd_ended", "slurmrestd.log"),
    ],
)
async def test_slurms_own_words_are_passed_on(
    stub: ClusterStub, folder: DataFolder, tmp_path: Path, name: str, text: str, code: str, says: str
) -> None:
    (stub.bin / name).write_text(text)
    found, fact = await trouble(Wishes(tmp_path / "shared"), folder)
    assert found == code
    assert says in fact


async def test_root_has_no_portal_of_its_own(stub: ClusterStub, folder: DataFolder, tmp_path: Path) -> None:
    answers = (tmp_path / "answers").read_text().replace(f'"user": "{USER}"', '"user": "root"')
    (tmp_path / "answers").write_text(answers)
    with pytest.raises(ServeError, match="never run as root"):
        async with real(Wishes(tmp_path / "shared"), no_tell)(folder, "root"):
            pass


async def trouble(wishes: Wishes, folder: DataFolder) -> tuple[str, str]:
    """The code and the first fact of what is wrong."""
    with pytest.raises(ServeError) as caught:
        async with real(wishes, no_tell)(folder, USER):
            pass
    return caught.value.code, str(next(iter(caught.value.facts.values())))


# --- the folder and the settings -----------------------------------------------------------------------------------


def test_somebody_elses_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs").symlink_to("/proc")
    other = SharedFolder(tmp_path)
    (tmp_path / "images").mkdir()
    if os.getuid() == 0:
        os.chown(tmp_path / "images", 65534, 65534)
    with pytest.raises(ServeError) as caught:
        other.make()
    assert caught.value.code == "shared_unusable"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServeError) as caught:
        SharedFolder(tmp_path / "no" / "where").make()
    assert caught.value.facts == {"folder": tmp_path / "no" / "where", "why": "No such file or directory"}


def made(tmp_path: Path, text: str) -> Any:
    file = tmp_path / "more.toml"
    file.write_text(text)
    folder = DataFolder(tmp_path / "data")
    with folder.opened():
        return site.real(
            folder,
            SharedFolder(tmp_path / "shared"),
            Granted("lab", "normal", ("a100",)),
            port=1,
            s3_port=2,
            apptainer="/usr/bin/apptainer",
            registries=(),
            extra=site.read_extra(file),
        )


def test_more_settings_are_the_portals_own_and_decide_less_than_we_do(tmp_path: Path) -> None:
    text = '[slurm]\ngpu_labels = {tesla_v100 = "V100"}\n[storage]\nruns = "/elsewhere"\nscratch = "/local"\n'
    settings = made(tmp_path, text + '[images]\nca_file = "/ca \\" 한.crt"\n')
    assert settings.slurm.gpu_labels == {"tesla_v100": "V100"}
    assert settings.slurm.nice_base == 0
    assert settings.storage.runs == tmp_path / "shared" / "runs"
    assert str(settings.storage.scratch) == "/local"
    site.write_convert_settings(tmp_path / "convert.toml", settings)
    from containers.convert import load_settings

    read = load_settings(tmp_path / "convert.toml")
    assert (read.images, read.apptainer) == (tmp_path / "shared" / "images", "/usr/bin/apptainer")
    assert (read.access.allowed, read.access.ca_file) == (site.REGISTRIES, Path('/ca " 한.crt'))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[web]\nport = 1\n", r"\[web\] is not one of"),
        ("[slurm]\nnoce_base = 1\n", "noce_base"),
        ("slurm = 1\n", r"\[slurm\]"),
        ("[", "more.toml"),
    ],
)
def test_settings_that_are_wrong_are_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ServeError, match=says) as caught:
        made(tmp_path, text)
    assert caught.value.code == "settings_wrong"


def test_every_note_has_its_words() -> None:
    assert {f"serve_{code}" for code in nodecheck.CODES} <= set(_WORDS)


def test_wishes_ask_for_nothing_by_themselves() -> None:
    assert Wishes(Path("/x")).wish == Wish()


def test_a_network_of_ones_own_has_a_loopback_and_nothing_else() -> None:
    if not ownnetwork.is_possible():
        pytest.fail("this machine allows no user namespaces: the test cannot be made")
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        ownnetwork.enter()
        os.write(writing, Path("/proc/self/net/dev").read_bytes())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        names = [line.split(":")[0].strip() for line in file.read().splitlines() if ":" in line]
    os.waitpid(pid, 0)
    assert names == ["lo"]


async def test_another_account_than_the_last_time_counts_from_now_on(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    with folder.opened():
        settings = site.simulated(folder, port=1, s3_port=2)
        await migrate(settings)
        engine = engine_for(settings)
        maker = sessions(engine)
        assert await person.make_ready(maker, folder, "kim", "lab")
        assert not await person.make_ready(maker, folder, "kim", "class")
        async with maker() as session:
            assert (await accounts.user_named(session, "kim")).slurm_account == "class"
        await engine.dispose()
