"""Makes a new panel's owner and something of everything, and the settings for schemathesis: prepare.py URL OUT FOLDER EXAMPLES SECONDS.

OUT is what the panel printed, which has the first administrator's link in it. FOLDER gets two files of settings. In the first run
operations get the ids of real things, so that they do not all end at 404, and what destroys those is left to the second, which makes
its own things and follows them.
"""

import json
import re
import sys
import time
import urllib.request

URL, OUT, FOLDER, EXAMPLES, SECONDS = sys.argv[1:6]
PERSON = {"name": "Ada Lovelace", "email": "ada@example.com", "password": "correct horse battery staple"}


def call(method, path, body=None, token=None):
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["data"]


def setup_token():
    for _ in range(300):
        with open(OUT) as out:
            found = re.search(r"/setup/([\w-]+)", out.read())
        if found:
            return found.group(1)
        time.sleep(0.1)
    sys.exit("the panel did not start")


def application(token, name):
    body = {"name": name, "source": {"image": {"reference": "shop:1"}}, "port": 8080}
    return call("POST", "/api/paas/applications", body, token)["id"]


# What ends the run's own credential, or the place that it works in, is left out; each of these has tests of its own.
LEFT_OUT = [
    "POST /api/auth/logout",  # ends the session
    "PUT /api/auth/password",  # ends all sessions
    "POST /api/auth/refresh",  # a token that is used twice ends its family
    "DELETE /api/auth/sessions",  # ends all sessions
    "DELETE /api/auth/sessions/{id}",
    "DELETE /api/organizations/{id}",  # ends the organization that everything is in
    "POST /api/organizations/{id}/leave",
    "POST /api/organizations/{id}/transfer",  # ends being its owner
    "POST /api/organizations/{id}/switch",  # works elsewhere from then on
]


def main():
    setup = {**PERSON, "setup_token": setup_token()}
    made = call("POST", "/api/auth/register", setup)
    token = made["access_token"]
    organization = made["me"]["organization"]["id"]
    app = application(token, "shop")
    deployment = call("POST", f"/api/paas/applications/{app}/deploy?wait=60", {}, token)["id"]
    call("PUT", f"/api/paas/applications/{app}/env", {"environment_variables": {"COLOUR": "red"}}, token)
    key = call("POST", "/api/api-keys", {"name": "CI", "permissions": ["view", "deploy"]}, token)["id"]
    places = [
        (r"^/api/paas/applications/\\{id\\}", app),
        (r"^/api/paas/deployments/\\{id\\}", deployment),
        (r"^/api/api-keys/\\{id\\}", key),
        (r"^/api/organizations/\\{id\\}", organization),
    ]
    lines = [
        "continue-on-failure = true",
        f"max-time = {SECONDS}",
        "request-timeout = 20",
        "max-stream-events = 1",
        f'headers = {{ Authorization = "Bearer {token}" }}',
        # Somewhere else nothing of hers is.
        f'parameters = {{ "header.X-Organization-ID" = "{organization}", "query.wait" = 0, "query.follow" = false }}',
        f"generation = {{ max-examples = {EXAMPLES} }}",
        # What no schema says (a free name, a branch that is there) is refused with 400 and the field.
        "[checks.positive_data_acceptance]",
        'expected-statuses = ["2xx", "304", "400", "401", "403", "404", "409", "429"]',
    ]
    left_out = [line for name in LEFT_OUT for line in ["[[operations]]", f'include-name = "{name}"', "enabled = false"]]
    write("stateful", lines + left_out)
    for regex, thing in places:
        lines += [
            "[[operations]]",
            f'include-path-regex = "{regex}"',
            f'parameters = {{ "path.id" = "{thing}" }}',
        ]
    lines += ["[[operations]]", 'include-method = "DELETE"', "enabled = false"]
    write("single", lines + left_out)


def write(name, lines):
    with open(f"{FOLDER}/{name}.toml", "w") as config:
        config.write("\n".join(lines) + "\n")


main()
