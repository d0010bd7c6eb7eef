// What runs first in a container: Determined's agent does not report the output of containers, so a script in each of them sends
// it to the master, if the image has Python 3.6 or newer. The command runs in any case.

import { type ArchiveFile, fileType } from '../protocol/container.ts'

const folder = '/run/determined/provision'
const [runPath, outputPath] = [`${folder}/run.sh`, `${folder}/output.py`]

/** The command as the container runs it. */
export function withOutput(argv: readonly string[]): string[] {
  return ['/bin/sh', runPath, ...argv]
}

/** Environment of the script; the address of the master and its certificate are in the variables of every task. */
export const outputVariable = 'PROVISION_OUTPUT_TOKEN'

export function outputFiles(): ArchiveFile[] {
  return [file(runPath, runScript), file(outputPath, outputScript)]
}

function file(path: string, text: string): ArchiveFile {
  const content = Buffer.from(text).toString('base64')
  return { path, type: fileType.file, content, mode: 0o755, mtime: 0, uid: 0, gid: 0 }
}

export const runScript = `#!/bin/sh
for python in python3 python; do
  if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 6))' >/dev/null 2>&1; then
    exec "$python" ${outputPath} "$@"
  fi
done
echo "${runPath}: there is no Python 3.6 or newer, so the master does not get this output" >&2
exec "$@"
`

export const outputScript = `# Runs a command and sends each line of its output to the master. The line is also printed, for docker's own log.
import collections
import datetime
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

LONGEST_LINE = 16 * 1024
# Characters that wait for the master; lines beyond are dropped.
MOST_WAITING = 8 * 1024 * 1024
# Characters and lines of one request, which may have 1 MiB: JSON may make six characters of one, and adds 80 to each line.
PORTION = 100 * 1024
PORTION_LINES = 3000
LAST_SECONDS = 30

master = urlsplit(os.environ["DET_MASTER"])
path = "/provision/v1/task-output/" + os.environ["DET_CONTAINER_ID"]
headers = {
    "Authorization": "Bearer " + os.environ.pop("${outputVariable}"),
    "Content-Type": "application/json",
}
waiting = collections.deque()
waiting_size = 0
changed = threading.Condition()
dropped = 0
closing = False


def connect():
    host, port = master.hostname, master.port or (443 if master.scheme == "https" else 80)
    if master.scheme != "https":
        return http.client.HTTPConnection(host, port, timeout=20)
    context = ssl.create_default_context(cafile=os.environ.get("DET_MASTER_CERT_FILE") or None)
    connection = http.client.HTTPSConnection(host, port, timeout=20, context=context)
    plain = socket.create_connection((host, port), 20)
    name = os.environ.get("DET_MASTER_CERT_NAME") or host
    connection.sock = context.wrap_socket(plain, server_hostname=name)
    return connection


def post(lines):
    connection = connect()
    try:
        connection.request("POST", path, json.dumps({"lines": lines}), headers)
        return connection.getresponse().status
    finally:
        connection.close()


def take():
    """The next lines, at most a portion; none when all is sent and no more will come."""
    global dropped, waiting_size
    with changed:
        while not waiting and not closing:
            changed.wait()
        lines, size = [], 0
        while waiting and size < PORTION and len(lines) < PORTION_LINES:
            size += len(waiting[0]["text"])
            lines.append(waiting.popleft())
        waiting_size -= size
        if dropped:
            lines.append(line("stderr", "%d lines were not sent: the master was away\\n" % dropped))
            dropped = 0
        return lines


def send_all():
    while True:
        lines = take()
        if not lines:
            return
        pause = 0.5
        while True:
            try:
                status = post(lines)
            except (OSError, http.client.HTTPException):
                status = 503
            if status < 500 and status != 429:
                break
            time.sleep(pause)
            pause = min(pause * 2, 10)
        if status in (401, 404):
            return
        # A pause after each request makes few requests of many lines.
        if not closing:
            time.sleep(0.2)


def line(stream, text):
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
    return {"stream": stream, "text": text, "timestamp": now.replace("+00:00", "Z")}


def read(stream, source, own):
    global dropped, waiting_size
    while True:
        raw = source.readline(LONGEST_LINE)
        if not raw:
            return
        own.write(raw)
        own.flush()
        text = raw.decode("utf-8", "replace")
        with changed:
            if waiting_size + len(text) > MOST_WAITING:
                dropped += 1
            else:
                waiting_size += len(text)
                waiting.append(line(stream, text))
            changed.notify()


def start(target, *args):
    thread = threading.Thread(target=target, args=args, daemon=True)
    thread.start()
    return thread


try:
    child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
except OSError as error:
    child = None
    reason = "%s: %s\\n" % (sys.argv[1], error.strerror)
    sys.stderr.write(reason)
    waiting_size += len(reason)
    waiting.append(line("stderr", reason))
sender = start(send_all)
if child:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, lambda given, _: child.send_signal(given))
    readers = [
        start(read, "stdout", child.stdout, sys.stdout.buffer),
        start(read, "stderr", child.stderr, sys.stderr.buffer),
    ]
    code = child.wait()
    for reader in readers:
        # Something that the command left behind may still hold its output open.
        reader.join(5)
else:
    code = 127
with changed:
    closing = True
    changed.notify()
sender.join(LAST_SECONDS)
sys.stdout.flush()
os._exit(code if code >= 0 else 128 - code)
`
