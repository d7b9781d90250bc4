"""The real cluster as one ordinary user has it: their own token, an agent of their own, their own Apptainer."""

from __future__ import annotations

import functools
import grp
import os
import pwd
import shutil
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from anyio import to_thread

from containers.convert_client import Service, as_child
from containers.registry import RegistryAccess, resolve
from portal.daemon import figures
from portal.daemon.main import ServiceConverter
from portal.serve import discover, site, slurmrestd
from portal.serve.cluster import Cluster, Opened
from portal.serve.discover import Granted, Wish
from portal.serve.errors import ServeError
from portal.serve.folder import DataFolder, SharedFolder
from portal.serve.nodecheck import NodeCheck, Site, Tell
from portal.services.site import site_policy
from portal.settings import Settings
from slurm.agent import own
from slurm.agent.config import Powers
from slurm.agent.owntokens import OwnTokens
from slurm.agent.rest import Rest
from slurm.agent.restcalls import SlurmRest
from slurm.errors import SlurmError
from slurm.socketclient import AgentClient

SLURM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin:/opt/slurm/bin:/opt/slurm/sbin"
HANDED_ON = ("HOME", "LANG", "LD_LIBRARY_PATH", "SLURM_CONF", "TZ")
"""What Slurm's own programs may need of our environment; tokens and the like are not among it."""
CONFIGURATIONS = (Path("/etc/slurm/slurm.conf"), Path("/run/slurm/conf/slurm.conf"))
"""The second where a site is "configless". Source: https://slurm.schedmd.com/configless_slurm.html"""
LOGINS = (Path(".apptainer/docker-config.json"), Path(".docker/config.json"))
"""Where `apptainer registry login` and `docker login` leave them, below the home folder."""
REST_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Wishes:
    """The options of `one serve` on real Slurm; `settings` is a file like the portal's own."""

    shared: Path
    wish: Wish = field(default_factory=Wish)
    rest_socket: Path | None = None
    registries: tuple[str, ...] = ()
    apptainer: str = "apptainer"
    settings: Path | None = None


def real(wishes: Wishes, tell: Tell) -> Opened:
    """The cluster that this host is a part of."""

    @asynccontextmanager
    async def opened(folder: DataFolder, username: str) -> AsyncIterator[Cluster]:
        apptainer = _program(wishes.apptainer, "no_apptainer")
        shared = SharedFolder(wishes.shared)
        shared.make()
        extra = site.read_extra(wishes.settings)
        environment = slurm_environment()
        tokens = OwnTokens(username, _program("scontrol", "no_slurm"), environment)
        try:
            await to_thread.run_sync(tokens.token, username)
        except SlurmError as error:
            raise ServeError("no_token", why=error) from error
        async with AsyncExitStack() as stack:
            sockets = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="one-serve-")))
            trouble = None
            if wishes.rest_socket is not None:
                rest = wishes.rest_socket
            else:
                program = _program("slurmrestd", "no_slurmrestd")
                running = slurmrestd.running(program, sockets, environment, folder.rest_log)
                rest, child = await stack.enter_async_context(running)
                trouble = functools.partial(_rest_ended, child, folder.rest_log)
            calls = SlurmRest(Rest(tokens, socket=rest, timeout_s=REST_TIMEOUT_S), username)
            granted = await to_thread.run_sync(_granted, calls, username, wishes.wish)
            make = functools.partial(
                site.real, folder, shared, granted, apptainer=str(apptainer), registries=wishes.registries, extra=extra
            )
            settings = make(port=0, s3_port=0)
            agent = sockets / "agent.sock"
            stack.enter_context(own.serving(_powers(username, granted, settings), calls, agent, folder.ledger))
            client = AgentClient(agent, observe=figures.agent_called)
            checked = Site(username, granted, shared.path, str(apptainer), site_policy(settings).path)
            yield Cluster(
                slurm=client,
                resolve_image=functools.partial(resolve, access=_access(settings)),
                converter=ServiceConverter(_conversion(folder, settings)),
                account=granted.account,
                settings=lambda port, s3_port: make(port=port, s3_port=s3_port),
                beside=NodeCheck(client, checked, folder.nodes, tell).run,
                about={"account": granted.account, "qos": granted.qos, "partitions": ", ".join(granted.partitions)},
                trouble=trouble,
            )

    return opened


def slurm_environment() -> dict[str, str]:
    """For Slurm's programs: nothing but what they need."""
    kept = {name: os.environ[name] for name in HANDED_ON if name in os.environ}
    return {**kept, "PATH": _path()}


def _path() -> str:
    return ":".join(filter(None, (os.environ.get("PATH"), SLURM_PATH)))


def _program(name: str, trouble: str) -> Path:
    found = shutil.which(name, path=_path())
    if found is None:
        raise ServeError(trouble, program=name)
    return Path(found).absolute()


def _granted(calls: SlurmRest, username: str, wish: Wish) -> Granted:
    """Raises ServeError."""
    try:
        calls.ping()
        return discover.choose(username, calls.associations(username), calls.partitions(), wish)
    except SlurmError as error:
        raise ServeError("slurm_silent", why=error) from error


def _powers(username: str, granted: Granted, settings: Settings) -> Powers:
    """What this user's agent may do: their own jobs, where Slurm lets them. Raises ServeError (user_unusable)."""
    person = pwd.getpwnam(username)
    if person.pw_uid == 0:
        raise ServeError("user_unusable", user=username, why="jobs never run as root")
    try:
        group = grp.getgrgid(person.pw_gid).gr_name
    except KeyError as error:
        raise ServeError("user_unusable", user=username, why="its primary group has no name") from error
    slurm = settings.slurm
    configurations = [path for path in (Path(os.environ.get("SLURM_CONF", "")), *CONFIGURATIONS) if path.is_file()]
    return Powers(
        users_group=group,
        partitions=frozenset(granted.partitions),
        accounts=frozenset({granted.account}),
        qos=frozenset({granted.qos, slurm.qos_high, slurm.qos_normal, slurm.qos_low, slurm.qos_test}),
        operator=username,
        slurm_conf=(configurations or CONFIGURATIONS)[0],
    )


def _login() -> Path | None:
    return next((path for path in (Path.home() / name for name in LOGINS) if path.is_file()), None)


def _access(settings: Settings) -> RegistryAccess:
    images = settings.images
    return RegistryAccess(
        allowed=images.registries,
        insecure=images.insecure_registries,
        ca_file=images.ca_file,
        credentials=_login(),
    )


def _conversion(folder: DataFolder, settings: Settings) -> Service:
    """`one-convert` as a child, which reads its settings from a file without secrets."""
    site.write_convert_settings(folder.convert_settings, settings)
    argv = [sys.executable, "-I", "-m", "containers.convert", "--child", "--settings", str(folder.convert_settings)]
    login = _login()
    return as_child([*argv, *(("--credentials", str(login)) if login else ())], {"PATH": _path()})


async def _rest_ended(child: Process, log: Path) -> ServeError:
    await child.wait()
    return ServeError("slurmrestd_ended", log=log)
