"""A small web server that answers http-01 challenges, as the server of an applicant would."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CHALLENGES = "/.well-known/acme-challenge/"


@dataclass
class Page:
    """What is answered at a path."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Responder:
    """The pages of the server by path, its port, and the Host headers that it met."""

    port: int = 0
    pages: dict[str, Page] = field(default_factory=dict)
    hosts: list[str] = field(default_factory=list)

    def show(self, token: str, key_authorization: str) -> None:
        """Answer a challenge."""
        self.pages[CHALLENGES + token] = Page(key_authorization.encode())

    @contextmanager
    def served(self) -> Iterator[None]:
        """Serve the pages while the context lasts."""
        responder = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                responder.hosts.append(self.headers["Host"])
                page = responder.pages.get(self.path, Page(b"nothing here", status=404))
                self.send_response(page.status)
                for name, value in page.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(page.body)))
                self.end_headers()
                self.wfile.write(page.body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            self.port = server.server_port
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            try:
                yield
            finally:
                server.shutdown()
                thread.join()
