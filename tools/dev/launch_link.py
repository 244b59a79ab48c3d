"""A launch link into oauth-gateway, as a CRM would make it: works once, within five minutes.

usage: launch_link.py GATEWAY_URL SECRETS_FILE TENANT USER
"""

import base64
import hashlib
import hmac
import json
import secrets
import sys
import time


def launch_key(secrets_file):
    with open(secrets_file, encoding="utf-8") as file:
        return dict(line.rstrip("\n").split("=", 1) for line in file)["launch_key"]


def launch_link(gateway, key, tenant, user):
    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    now = int(time.time())
    claims = {"tenant": tenant, "user": user, "role": "user", "aud": "calbridge-launch", "iat": now, "exp": now + 300,
              "jti": secrets.token_hex(16)}
    signed = part(b'{"alg":"HS256","typ":"JWT"}') + "." + part(json.dumps(claims).encode())
    return f"{gateway}/launch?token={signed}.{part(hmac.new(key.encode(), signed.encode(), hashlib.sha256).digest())}"


if __name__ == "__main__":
    print(launch_link(sys.argv[1], launch_key(sys.argv[2]), sys.argv[3], sys.argv[4]))
