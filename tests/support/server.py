"""A web server on the loopback interface."""
import http.server
import threading
from contextlib import contextmanager
from functools import partial


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):  # noqa: N802
        self.server.asked.append(self.path)
        super().do_GET()

    def log_message(self, *args):
        pass


@contextmanager
def serve(folder):
    """Serve a folder; yield the server, with its ``url`` and ``asked``."""
    handler = partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        server.asked = []
        server.url = f'http://127.0.0.1:{server.server_port}'
        threading.Thread(
            target=server.serve_forever, args=(0.01, ), daemon=True).start()
        yield server
        server.shutdown()
