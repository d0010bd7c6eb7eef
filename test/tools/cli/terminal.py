"""Runs a program on its own terminal: types an answer when a text appears, and returns the contents of the screen.

JSON in: {"argv", "env", "cwd", "answers": [[text, what to type], ...]}; JSON out: {"status", "screen", "unanswered"}.
A status of 128 + n means that signal n ended it.
"""
import json
import os
import pty
import select
import sys
import time

SECONDS = 30


def main():
    job = json.load(sys.stdin)
    pid, screen_fd = pty.fork()
    if pid == 0:
        os.chdir(job["cwd"])
        os.execve(job["argv"][0], job["argv"], job["env"])
    answers = list(job["answers"])
    screen, position = "", 0
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if not select.select([screen_fd], [], [], 0.2)[0]:
            continue
        try:
            part = os.read(screen_fd, 65536)
        except OSError:  # Linux reports the end of a terminal with EIO
            break
        if not part:
            break
        screen += part.decode("utf-8", "replace")
        while answers and answers[0][0] in screen[position:]:
            text, typed = answers.pop(0)
            position = screen.index(text, position) + len(text)
            os.write(screen_fd, typed.encode())
    else:
        os.kill(pid, 9)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    result = {"status": code if code >= 0 else 128 - code, "screen": screen.replace("\r\n", "\n"), "unanswered": answers}
    json.dump(result, sys.stdout)


main()
