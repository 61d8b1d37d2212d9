"""The accounts of the servers: names, passwords, and rosters in which each knows its neighbours in a ring.

They are written as Prosody keeps them, which ejabberd imports; Rookery gets the same ones by its own tools.
"""

import hashlib
import hmac
from pathlib import Path

PASSWORD = "benchmark"
ITERATIONS = 4096
CONTACTS = 20
HOST = "localhost"


class Group:
    """Accounts that one scenario uses: PREFIX0, PREFIX1, and so on."""

    def __init__(self, prefix: str, count: int, contacts: int):
        self.prefix = prefix
        self.count = count
        self.contacts = contacts

    def arguments(self) -> list[str]:
        """How `rookery bench` is told to use them."""
        return ["--user", f"{self.prefix}%d", "--users", str(self.count)]

    def neighbours(self, number: int) -> list[int]:
        """As `rookery bench rosters` chooses them."""
        half = self.contacts // 2
        steps = [*range(1, half + 1), *range(-half, 0)]
        return [(number + step) % self.count for step in steps]


def credentials() -> str:
    """Salted keys (RFC 5802 section 3). All accounts may share them: nothing here is secret."""
    salt = b"peers"
    salted = hashlib.pbkdf2_hmac("sha1", PASSWORD.encode(), salt, ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha1")
    stored_key = hashlib.sha1(client_key).hexdigest()
    server_key = hmac.digest(salted, b"Server Key", "sha1").hex()
    return (
        f'return {{ ["salt"] = "{salt.decode()}"; ["iteration_count"] = {ITERATIONS}; '
        f'["stored_key"] = "{stored_key}"; ["server_key"] = "{server_key}"; }};\n'
    )


def roster(group: Group, number: int) -> str:
    items = "".join(
        f'["{group.prefix}{other}@{HOST}"] = {{ ["subscription"] = "both"; ["groups"] = {{}}; }}; '
        for other in group.neighbours(number)
    )
    return f'return {{ [false] = {{ ["version"] = 1; ["pending"] = {{}}; }}; {items}}};\n'


def write_prosody(data: Path, groups: list[Group]) -> None:
    """Writes the accounts into the data folder of a Prosody."""
    keys = credentials()
    for store in ["accounts", "roster"]:
        (data / HOST / store).mkdir(parents=True, exist_ok=True)
    for group in groups:
        for number in range(group.count):
            name = f"{group.prefix}{number}.dat"
            (data / HOST / "accounts" / name).write_text(keys)
            if group.contacts:
                (data / HOST / "roster" / name).write_text(roster(group, number))
