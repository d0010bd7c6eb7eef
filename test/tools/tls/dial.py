"""Dials TLS servers the way a Determined task does: ssl.create_default_context with one certificate file.

Reads a JSON list of jobs, writes a JSON object from job to a list of error texts ("": joined), one for each of MODES.
"""

import json
import socket
import ssl
import sys

BOTH = ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
# Up to 3.12; from 3.13 on; strict up to the root.
MODES = [ssl.VerifyFlags.VERIFY_DEFAULT, BOTH, ssl.VERIFY_X509_STRICT]


def dial(job, mode):
    context = ssl.create_default_context(cadata=job["anchorsPem"])
    context.verify_flags = context.verify_flags & ~BOTH | mode
    name = job.get("certificateName") or "127.0.0.1"
    try:
        with socket.create_connection(("127.0.0.1", job["port"]), timeout=10) as connection:
            with context.wrap_socket(connection, server_hostname=name):
                return ""
    except ssl.SSLCertVerificationError as error:
        return f"verify {error.verify_code} {error.verify_message}"
    except (ssl.SSLError, OSError) as error:
        return str(error)


jobs = json.load(sys.stdin)
json.dump({job["id"]: [dial(job, mode) for mode in MODES] for job in jobs}, sys.stdout)
