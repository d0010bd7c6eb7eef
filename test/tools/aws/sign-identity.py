# Signs sts:GetCallerIdentity, and checks such requests, with botocore's signer: JSON in, JSON out.
import datetime
import json
import re
import sys

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


def at(date):
    when = datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ")
    botocore.auth.get_current_datetime = lambda *_, **__: when


def sign(given):
    """The Authorization header of the request that an instance signs."""
    at(given["date"])
    credentials = Credentials(given["accessKey"], given["secret"], given["token"])
    url = f"https://{given['host']}/?Action=GetCallerIdentity&Version=2011-06-15"
    request = AWSRequest("GET", url, headers={"X-Provision-Nonce": given["nonce"]})
    botocore.auth.SigV4Auth(credentials, "sts", given["region"]).add_auth(request)
    return request.headers["Authorization"]


def judge(given):
    """Whether the signature is the one of the request that arrived, as a server finds out."""
    raw = given["rawHeaders"]
    headers = [(raw[i].lower(), raw[i + 1]) for i in range(0, len(raw), 2)]
    named = dict(headers)
    if len(named) != len(headers):
        return "a header is there twice"
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/,]+)/(\d+)/([^/,]+)/sts/aws4_request, SignedHeaders=([^,]+), Signature=(\w+)",
        named["authorization"],
    )
    if not found:
        return "no Authorization header of this form"
    access, _, region, signed, signature = found.groups()
    request = AWSRequest(given["method"], f"https://{named['host']}{given['url']}", data=given["body"])
    for name in signed.split(";"):
        request.headers[name] = named[name]
    request.context["timestamp"] = named["x-amz-date"]
    at(named["x-amz-date"])
    auth = botocore.auth.SigV4Auth(Credentials(access, given["secret"], named["x-amz-security-token"]), "sts", region)
    text = auth.string_to_sign(request, auth.canonical_request(request))
    if auth.signed_headers(auth.headers_to_sign(request)) != signed:
        return "other headers would be signed"
    return "good" if auth.signature(text, request) == signature else "another signature"


given = json.load(sys.stdin)
json.dump({"signed": [sign(each) for each in given["sign"]], "judged": [judge(each) for each in given["judge"]]}, sys.stdout)
