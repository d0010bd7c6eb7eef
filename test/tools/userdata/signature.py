# Signs GetCallerIdentity with botocore's signer; prints the value of the Authorization header.
# Arguments: region, host, date, access key id, secret, session token, nonce.
import sys

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

region, host, date, key_id, secret, token, nonce = sys.argv[1:]
url = f"https://{host}/?Action=GetCallerIdentity&Version=2011-06-15"
request = AWSRequest("GET", url, headers={"x-provision-nonce": nonce})
request.context["timestamp"] = date
signer = SigV4Auth(Credentials(key_id, secret, token), "sts", region)
signer._modify_request_before_signing(request)
canonical = signer.canonical_request(request)
signature = signer.signature(signer.string_to_sign(request, canonical), request)
signer._inject_signature_to_request(request, signature)
print(request.headers["Authorization"])
