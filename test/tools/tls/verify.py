"""Verifies chains with OpenSSL as Python does, in handshakes without a network: reads a JSON list of chains (PEM) with the
key of their server certificate and the name to verify, writes the error of each one (empty: accepted)."""
import json
import ssl
import sys
import tempfile


def shake(server: ssl.SSLObject, client: ssl.SSLObject) -> None:
    for _ in range(10):
        done = 0
        for side in (client, server):
            try:
                side.do_handshake()
                done += 1
            except ssl.SSLWantReadError:
                pass
        if done == 2:
            return
    raise RuntimeError("the handshake does not end")


def verify(chain: str, key: str, name: str | None = None) -> str:
    client = ssl.create_default_context(cadata=chain)
    client.check_hostname = name is not None
    # Defaults since 3.13, which only TLS_STRICT_RFC5280 warns about.
    client.verify_flags &= ~(ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN)
    client.set_ciphers("DEFAULT@SECLEVEL=2")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(chain + key)
            file.flush()
            server.load_cert_chain(file.name)
        shake(
            server.wrap_bio(up, down, server_side=True),
            client.wrap_bio(down, up, server_hostname=name),
        )
        return ""
    except ssl.SSLError as error:
        return str(error)


json.dump([verify(**question) for question in json.load(sys.stdin)], sys.stdout)
