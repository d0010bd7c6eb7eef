# Makes identity tokens with PyJWT and google-auth, and checks tokens with google-auth: JSON in, JSON out.
import datetime
import json
import sys

import google.auth.crypt
import google.auth.jwt
import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID


def pair():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "federated-signon.system.gserviceaccount.com")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return pem, certificate.public_bytes(serialization.Encoding.PEM).decode()


def make(given):
    key, certificate = pair()
    other, _ = pair()
    kid, claims = given["kid"], given["claims"]
    header = {"kid": kid}
    good = {
        "PyJWT": jwt.encode(claims, key, algorithm="RS256", headers=header),
        "google-auth": google.auth.jwt.encode(google.auth.crypt.RSASigner.from_string(key, kid), claims).decode(),
    }
    bad = {
        "another key": jwt.encode(claims, other, algorithm="RS256", headers=header),
        "no algorithm": jwt.encode(claims, None, algorithm="none", headers=header),
        "a secret": jwt.encode(claims, "s" * 64, algorithm="HS256", headers=header),
        "SHA-384": jwt.encode(claims, key, algorithm="RS384", headers=header),
        "SHA-512": jwt.encode(claims, key, algorithm="RS512", headers=header),
        "PSS": jwt.encode(claims, key, algorithm="PS256", headers=header),
        "another key id": jwt.encode(claims, key, algorithm="RS256", headers={"kid": "other"}),
        "no key id": jwt.encode(claims, key, algorithm="RS256"),
    }
    return {"certificates": {kid: certificate}, "good": good, "bad": bad}


def check(given):
    verdicts = []
    for token in given["tokens"]:
        try:
            google.auth.jwt.decode(token, certs=given["certificates"], audience=given["audience"])
            verdicts.append("good")
        except Exception as error:  # whatever it makes of it, a user would get it
            verdicts.append(type(error).__name__)
    return verdicts


given = json.load(sys.stdin)
json.dump({"make": make, "check": check}[given["do"]](given), sys.stdout)
