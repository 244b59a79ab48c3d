"""Stands between the emulator and webhook-ingest, passes every push on as it came, and remembers it."""

import http.client
import http.server
import threading
import time
import urllib.parse


class PushTap:
    def __init__(self):
        tap = self
        self.to, self.seen = None, []  # seen: (status, X-Goog-… fields, seconds)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # pylint: disable=invalid-name
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                fields = {n: v for n, v in self.headers.items() if n.lower().startswith("x-goog-")}
                started = time.monotonic()
                status, _, _ = post_push(tap.to + self.path, fields)
                tap.seen.append((status, fields, time.monotonic() - started))
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
        mine = [fields for status, fields, _ in self.seen if status == 200 and fields["X-Goog-Channel-ID"] == channel]
        return max(mine, key=lambda f: int(f["X-Goog-Message-Number"])) if mine else None

    def answers(self, fields):
        """What the push with this channel and number was answered, try by try, as (status, seconds)."""
        same = ("X-Goog-Channel-ID", "X-Goog-Message-Number")
        return [(status, seconds) for status, found, seconds in self.seen if all(found[n] == fields[n] for n in same)]

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
