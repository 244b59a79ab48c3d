"""Stands between the emulator and webhook-ingest, passes every push on as it came, and remembers it."""

import http.client
import http.server
import threading
import urllib.parse


class PushTap:
    def __init__(self):
        tap = self
        self.to, self.seen = None, []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # pylint: disable=invalid-name
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                fields = {n: v for n, v in self.headers.items() if n.lower().startswith("x-goog-")}
                status, _, _ = post_push(tap.to + self.path, fields)
                tap.seen.append((status, self.path, fields))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):  # pylint: disable=arguments-differ
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def accepted(self, channel):
        """Headers of the channel's newest push that was answered 200, or None."""
        mine = [fields for status, _, fields in self.seen if status == 200 and fields["X-Goog-Channel-ID"] == channel]
        return max(mine, key=lambda f: int(f["X-Goog-Message-Number"])) if mine else None

    def close(self):
        self._server.shutdown()
        self._server.server_close()


def post_push(url, fields, method="POST"):
    """Status, headers and body of the answer."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    try:
        connection.request(method, parts.path, headers={"Content-Length": "0", **fields})
        response = connection.getresponse()
        return response.status, response.getheaders(), response.read()
    except OSError:
        return 502, [], b""
    finally:
        connection.close()
