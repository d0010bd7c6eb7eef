// The process of a test: prepares the verifiers of a provider, then judges a first proof of each. Prints the modules that were loaded
// meanwhile, as JSON: by `prepare`, and by the first proofs.
import { registerHooks } from 'node:module'
import { aws } from '../../src/providers/aws/definition.ts'
import { gcp } from '../../src/providers/gcp/definition.ts'
import type { JoinProofVerifier } from '../../src/providers/join-proof.ts'
import { local } from '../../src/providers/local/definition.ts'
import type { LocalConfig } from '../../src/providers/local/request.ts'
import { awsConfig, gcpConfig } from './cloud-pools.ts'
import { claimsOf, tokenOf } from './join-proofs/identity-tokens.ts'
import { joinContext, joinRequest, nonce } from './join-proofs/requests.ts'
import { documentFacts, signedDocument } from './join-proofs/signed-documents.ts'
import { basicDate, stsProof } from './join-proofs/sigv4.ts'

let loaded: string[] = []
registerHooks({
  load(url, context, next) {
    if (!url.startsWith('node:')) loaded.push(url)
    return next(url, context)
  },
})

const region = 'us-west-2'
const proof = { proof: 'required' as const }
const document = Buffer.from(JSON.stringify({ ...documentFacts, pendingTime: new Date().toISOString() }))
const offline = () => Promise.reject(new Error('this test has no network'))
const verifiers: Record<string, () => readonly JoinProofVerifier[]> = {
  aws: () =>
    aws.joinProofs!(
      awsConfig({ region, join: { ...proof, proofs: ['aws-sts', 'aws-identity-document'] } }),
      joinContext({ env: process.env }),
    ),
  gcp: () =>
    gcp.joinProofs!(gcpConfig({ project: 'p', zone: 'us-central1-a' }), joinContext({ fetch: offline })),
  local: () =>
    local.joinProofs!({ type: 'local', slots: 1, join: proof } as unknown as LocalConfig, joinContext()),
}
const host = `sts.${region}.amazonaws.com`
const signer = { accessKey: 'ASIAINSTANCE00000000', secret: 's', token: 'IQoJb3JpZ2luX2VjAAAA==' }
const proofs: Record<string, unknown> = {
  'aws-sts': stsProof({ ...signer, region, host, nonce, date: basicDate(Date.now()) }),
  'aws-identity-document': {
    kind: 'aws-identity-document',
    document: document.toString('base64'),
    signature: signedDocument(document, {}).toString('base64'),
  },
  'gcp-identity-token': { kind: 'gcp-identity-token', token: tokenOf(claimsOf({}, {}), {}) },
  'local-secret': { kind: 'local-secret', secret: 'S'.repeat(43) },
}

const all = verifiers[process.argv[2]!]!()
loaded = []
for (const { prepare } of all) await prepare!()
const byPrepare = loaded
loaded = []
for (const verifier of all)
  await verifier.verify(joinRequest(proofs[verifier.kind], { id: 'i-0123456789abcdef0' })).catch(() => {})
process.stdout.write(JSON.stringify({ byPrepare, byProofs: loaded }))
process.exit(0)
