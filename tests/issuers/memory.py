"""Account book and challenge board in memory, and a responder that shows the board to a CA."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from certworker.vault.issuance import Account


class MemoryAccounts:
    """An account book."""

    def __init__(self) -> None:
        self.accounts: dict[tuple[str, str, str], Account] = {}

    def find(self, vault_id: str, issuer: str, authority: str) -> Account | None:
        """Find an account."""
        return self.accounts.get((vault_id, issuer, authority))

    def keep(self, vault_id: str, issuer: str, authority: str, account: Account) -> Account:
        """Keep an account; the first one stays."""
        return self.accounts.setdefault((vault_id, issuer, authority), account)

    def update(self, vault_id: str, issuer: str, authority: str, account: Account) -> None:
        """Record what the CA answered; the key stays."""
        place = vault_id, issuer, authority
        self.accounts[place] = replace(account, key=self.accounts[place].key)

    def promote(self, vault_id: str, issuer: str, authority: str, candidate: str, account: Account) -> None:
        """Give an account the key of its candidate."""
        found = self.accounts.get((vault_id, issuer, candidate))
        if found and found.document == account.document:
            del self.accounts[vault_id, issuer, candidate]
            place = vault_id, issuer, authority
            self.accounts[place] = replace(self.accounts[place], key=account.key)

    def discard(self, vault_id: str, issuer: str, authority: str, account: Account) -> None:
        """Delete an account, as it was found."""
        if self.accounts.get((vault_id, issuer, authority)) == account:
            del self.accounts[vault_id, issuer, authority]


class MemoryBoard:
    """A challenge board; `seen` remembers every response that was ever up, `notes` are what a provider notes for itself."""

    def __init__(self) -> None:
        self.notes: dict[str, str] = {}
        self.responses: dict[str, str] = {}
        self.seen: dict[str, datetime] = {}

    def post(self, token: str, response: str, expires: datetime) -> None:
        """Put a response up."""
        if token.startswith("presented:"):
            self.notes[token] = response
            return
        self.responses[token] = response
        self.seen[token] = expires

    def find(self, token: str) -> str | None:
        """Find the response to a token."""
        return self.responses.get(token, self.notes.get(token))

    def take_down(self, token: str) -> None:
        """Take a response down again."""
        self.notes.pop(token, None)
        self.responses.pop(token, None)


class WrongBoard(MemoryBoard):
    """A board on which every response is wrong."""

    def post(self, token: str, response: str, expires: datetime) -> None:
        """Put up something else."""
        super().post(token, response if token.startswith("presented:") else response[::-1], expires)


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], server: ThreadingHTTPServer | None = None) -> Iterator[int]:
    """Serve HTTP on a free port of loopback, and give the port."""
    server = server or ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Responder:
    """Answers http-01 challenges from the board that was hung up last."""

    def __init__(self) -> None:
        self.board = MemoryBoard()
        self.port = 0

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """Give the handler of requests."""
        responder = self

        class Handler(BaseHTTPRequestHandler):
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                found = responder.board.find(self.path.removeprefix("/.well-known/acme-challenge/"))
                body = (found or "nothing here").encode()
                self.send_response(200 if found else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler
