"""The servers that are compared: how each is started on free ports of loopback, with the same accounts."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from accounts import ITERATIONS, Group, write_prosody

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RELEASE = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
BINARY = RELEASE / "rookery"
RELAY = RELEASE / "examples/relay"
EXAMPLE = ROOT / "deploy/config/rookery.example.toml"


class CannotStart(Exception):
    """A server that does not come up, and why."""


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def certificate(directory: Path) -> None:
    """One for localhost with an ECDSA key on P-256, for everybody."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,DNS:conference.localhost,DNS:pubsub.localhost",
         "-keyout", "key.pem", "-out", "certificate.pem"],
        cwd=directory, check=True, capture_output=True)
    both = (directory / "certificate.pem").read_text() + (directory / "key.pem").read_text()
    (directory / "certificate-and-key.pem").write_text(both)


class Server:
    """A server with its data in a folder of its own. `process` is its root, and what is measured."""

    name = ""
    #: What the relay cannot do.
    speaks_xmpp = True
    #: Whether it archives what it delivers.
    archives = False

    def __init__(self, directory: Path, groups: list[Group]):
        self.directory = directory
        self.groups = groups
        self.process: subprocess.Popen | None = None
        self.starttls, self.tls = free_ports(2)
        directory.mkdir(parents=True)
        certificate(directory)

    def version(self) -> str:
        raise NotImplementedError

    def seed(self) -> None:
        """Makes the accounts; once, before the first start."""

    def command(self, plain: bool) -> list[str]:
        """What starts it, and stays in the foreground. `plain`: clients will come without TLS."""
        raise NotImplementedError

    def environment(self, plain: bool) -> dict[str, str]:
        """Variables that it gets."""
        return {}

    def ports(self) -> list[int]:
        """Where it listens when it is up."""
        return [self.starttls, self.tls]

    def start(self, plain: bool = False) -> None:
        log = open(self.directory / "output.log", "ab")
        environment = os.environ | self.environment(plain)
        try:
            self.process = subprocess.Popen(
                self.command(plain), cwd=self.directory, env=environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True)
        except OSError as error:
            raise CannotStart(f"{self.name}: {error}") from error
        deadline = time.monotonic() + 60
        while not all(listens(port) for port in self.ports()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                tail = (self.directory / "output.log").read_text(errors="replace")[-800:]
                self.stop()
                raise CannotStart(f"{self.name} does not come up: {tail}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Ends this process and its children, which share a session of their own."""
        if self.process is None:
            return
        for ending in [signal.SIGTERM, signal.SIGKILL]:
            try:
                os.killpg(self.process.pid, ending)
            except ProcessLookupError:
                pass
            try:
                self.process.wait(timeout=15)
                break
            except subprocess.TimeoutExpired:
                continue
        self.process = None

    def bench_arguments(self, mode: str) -> list[str]:
        """How `rookery bench` reaches it."""
        port = {"starttls": self.starttls, "plain": self.starttls, "tls": self.tls}[mode]
        return ["--server", f"127.0.0.1:{port}", "--mode", mode, "--pid", str(self.process.pid),
                *([] if mode == "plain" else ["--insecure"])]

    def fill(self, template: str, **words: object) -> Path:
        """Writes a configuration."""
        text = (HERE / template).read_text()
        for word, value in {"directory": self.directory, "starttls": self.starttls, "tls": self.tls, **words}.items():
            text = text.replace(f"@{word.upper()}@", str(value))
        file = self.directory / template
        file.write_text(text)
        return file


class Rookery(Server):
    """`rookery.example.toml` as shipped; `environment` has every key that is changed."""

    name = "rookery"

    def version(self) -> str:
        return output([str(BINARY), "version"])

    def keys(self, plain: bool) -> dict[str, str]:
        """What is changed in the shipped configuration."""
        return {
            "data_dir": str(self.directory / "data"),
            "listener.c2s.address": f"127.0.0.1:{self.starttls}",
            "listener.c2s_tls.address": f"127.0.0.1:{self.tls}",
            "listener.ops.address": "127.0.0.1:0",
            "archive.enabled": "true" if self.archives else "false",
            "tls.certificate": str(self.directory / "certificate.pem"),
            "tls.key": str(self.directory / "key.pem"),
            **({"listener.c2s.starttls": "off"} if plain else {}),
        }

    def environment(self, plain: bool) -> dict[str, str]:
        keys = self.keys(plain).items()
        return {"ROOKERY_" + key.upper().replace(".", "_"): value for key, value in keys}

    def command(self, plain: bool) -> list[str]:
        return [str(BINARY), "--config", str(EXAMPLE), "serve"]

    def seed(self) -> None:
        # Accounts keep the count that they were made with; peers have the same.
        environment = os.environ | self.environment(False) | {"ROOKERY_AUTH_ITERATIONS": str(ITERATIONS)}
        for group in self.groups:
            lines = subprocess.run([BINARY, "bench", "accounts", *group.arguments()], check=True, capture_output=True)
            subprocess.run(
                [BINARY, "--config", EXAMPLE, "user", "import", "-"], check=True, capture_output=True,
                input=lines.stdout, env=environment)
        self.start()
        for group in self.groups:
            if group.contacts:
                rosters = [BINARY, "bench", "rosters", *group.arguments(), "--contacts", str(group.contacts),
                           *self.bench_arguments("starttls")]
                subprocess.run(rosters, check=True, capture_output=True)
        self.stop()


class Ejabberd(Server):
    """Started without its control script, so that nothing runs as a service and no other node is looked for."""

    name = "ejabberd"
    imports = False

    def version(self) -> str:
        return output(["dpkg-query", "-W", "-f", "ejabberd ${Version}", "ejabberd"])

    def environment(self, plain: bool) -> dict[str, str]:
        return {
            "EJABBERD_CONFIG_PATH": str(self.directory / "ejabberd.yml"),
            "EJABBERD_LOG_PATH": str(self.directory / "ejabberd.log"),
            "EJABBERD_PID_PATH": str(self.directory / "ejabberd.pid"),
            "ERL_CRASH_DUMP_BYTES": "0",
            "ERL_MAX_PORTS": "32000",
            "ERL_LIBS": "/usr/lib/x86_64-linux-gnu",
            "HOME": str(self.directory),
        }

    def command(self, plain: bool) -> list[str]:
        archive = "  mod_mam:\n    default: always" if self.archives else ""
        self.fill("ejabberd.yml", archive=archive)
        command = ["erl", "+K", "true", "+P", "250000", "-noinput", "-mnesia", "dir", f'"{self.directory}/mnesia"',
                   "-ejabberd", "log_rotate_count", "0", "-s", "ejabberd"]
        if self.imports:
            command += ["-eval", f'prosody2ejabberd:from_dir(<<"{self.directory}/accounts">>), init:stop().']
        return command

    def seed(self) -> None:
        write_prosody(self.directory / "accounts", self.groups)
        self.imports = True
        environment = os.environ | self.environment(False)
        with open(self.directory / "output.log", "ab") as log:
            subprocess.run(self.command(False), cwd=self.directory, env=environment, check=True, timeout=120,
                           stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.imports = False


class Prosody(Server):
    """As installed."""

    name = "prosody"
    tuning = ""

    def version(self) -> str:
        return output(["dpkg-query", "-W", "-f", "prosody ${Version}", "prosody"])

    def command(self, plain: bool) -> list[str]:
        archive = '"mam";' if self.archives else ""
        return ["prosody", "-F", "--config", str(self.fill("prosody.cfg.lua", tuning=self.tuning, archive=archive))]

    def seed(self) -> None:
        write_prosody(self.directory / "data", self.groups)


class TunedProsody(Prosody):
    """As its users tune it."""

    name = "prosody-gen"
    tuning = 'gc = { mode = "generational" }\nnetwork_settings = { nagle = false }'


class ArchivingRookery(Rookery):
    """As shipped: with archives."""

    name = "rookery-mam"
    archives = True


class ArchivingEjabberd(Ejabberd):
    """With the archives of everybody in its own store (XEP-0313)."""

    name = "ejabberd-mam"
    archives = True


class ArchivingProsody(TunedProsody):
    """With the archives of everybody in its own store (XEP-0313)."""

    name = "prosody-mam"
    archives = True


class Relay(Server):
    """`crates/bench/examples/relay.rs`: the floor."""

    name = "relay"
    speaks_xmpp = False

    def version(self) -> str:
        return "relay (tokio and rustls, parses nothing)"

    def ports(self) -> list[int]:
        return [self.tls]

    def command(self, plain: bool) -> list[str]:
        secured = [] if plain else ["certificate.pem", "key.pem"]
        return [str(RELAY), f"127.0.0.1:{self.tls}", *secured]

    def bench_arguments(self, mode: str) -> list[str]:
        mode = "plain" if mode == "plain" else "tls"
        arguments = super().bench_arguments(mode)
        arguments[1] = f"127.0.0.1:{self.tls}"
        return [*arguments, "--mechanism", "none"]


#: What is measured by default, and against what its cost is held.
DEFAULT = [Rookery, Ejabberd, Prosody, TunedProsody, Relay]
SERVERS = {each.name: each for each in [*DEFAULT, ArchivingRookery, ArchivingEjabberd, ArchivingProsody]}


def output(command: list[str]) -> str:
    """The first line of what a command prints, or why there is none."""
    program = shutil.which(command[0])
    if program is None:
        return f"{command[0]} is not installed"
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stdout.strip() or done.stderr.strip() or "?").splitlines()[0]
