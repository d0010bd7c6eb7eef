"""Reads the trust store as Determined's harness does, without any of our code: certificates by URL, each with its SHA-256.

JSON in: {"file"}; JSON out: {"canonical": whether the bytes are json.dump's own, "masters": {url: [sha256, ...]}}.
"""
import hashlib
import json
import re
import ssl
import sys

file = json.load(sys.stdin)["file"]
text = open(file).read()
store = json.loads(text)
assert isinstance(store, dict) and all(isinstance(k, str) and isinstance(v, str) for k, v in store.items())
blocks = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", re.S)
masters = {
    url: [hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest() for pem in blocks.findall(chain)]
    for url, chain in store.items()
}
json.dump({"canonical": text == json.dumps(store, indent=4, sort_keys=True), "masters": masters}, sys.stdout)
