// The rows of the threat table, each as the requests that such an attacker can make. None of them may get a certificate.
import { randomBytes } from 'node:crypto'
import { makeNonce } from '../../../src/join/challenge.ts'
import type { ProblemCode } from '../../../src/problems/index.ts'
import { csrOf, keyHash } from '../csr.ts'
import { certificateOf, googleKey, keyId, type TokenSpec } from '../join-proofs/identity-tokens.ts'
import type { SignatureSpec } from '../join-proofs/signed-documents.ts'
import { basicDate } from '../join-proofs/sigv4.ts'
import { type TestKey, testKey } from '../test-keys.ts'
import { issue } from '../x509.ts'
import { purpose, uri } from '../x509-extensions.ts'
import { authority, server } from '../x509-profiles.ts'
import { ids, places } from './settings.ts'
import {
  documentProofOf,
  documentTime,
  type Hostile,
  type Reply,
  type SentJoin,
  secretProofOf,
  stsProofOf,
  tokenProofOf,
} from './world.ts'

export interface Attack {
  row: string
  name: string
  /** Why it is refused, in our log. */
  code?: ProblemCode
  run: () => Promise<Reply>
}

/** What instances have that joined before: their keys, and the certificates for them, PEM. */
export interface Joined {
  keys: Record<(typeof joiners)[number], TestKey>
  certificates: Record<(typeof joiners)[number], string>
}

const joiners = ['aws', 'awsOther', 'awsDocument', 'gcp', 'gcpOther', 'local', 'localOther'] as const
export const joinedIds: readonly string[] = joiners.map((name) => ids[name])

/** Each instance joins as it should. Throws if one is refused. */
export async function joinAll(world: Hostile): Promise<Joined> {
  const { secrets } = world
  const proofs = {
    aws: (nonce: string) => stsProofOf(nonce),
    awsOther: (nonce: string) => stsProofOf(nonce, 'other'),
    awsDocument: () => documentProofOf(),
    gcp: (nonce: string) => tokenProofOf(nonce),
    gcpOther: (nonce: string) => tokenProofOf(nonce, { instance_name: ids.gcpOther }),
    local: () => secretProofOf(secrets[ids.local]!),
    localOther: () => secretProofOf(secrets[ids.localOther]!),
  }
  const joined = { keys: {}, certificates: {} } as Joined
  for (const name of joiners) {
    const key = testKey('p256', `of ${name}`)
    const { status, text } = await world.join({ id: ids[name], key, proof: proofs[name] })
    if (status !== 200) throw new Error(`${name}: ${status} ${text}`)
    joined.keys[name] = key
    joined.certificates[name] = JSON.parse(text).certificate
  }
  return joined
}

type Case = [code: ProblemCode, run: () => Promise<Reply>]

/** Nonces are fresh, keys are the attacker's, and proofs are good, unless the name of the attack says something else. */
export function threats(world: Hostile, joined: Joined): Attack[] {
  const { join, secrets } = world
  const { keys, certificates } = joined
  const attacks: Attack[] = []
  const add = (row: string, cases: Record<string, Case>) => {
    for (const [name, [code, run]] of Object.entries(cases)) attacks.push({ row, name, code, run })
  }
  for (const target of targets) {
    const isFirst = target.row === 'fresh'
    const { aws, gcp, local, document } = target
    const notFirst = (code: ProblemCode) => (isFirst ? code : 'JOIN_PROOF_INVALID')
    const documented = (facts: object = {}, spec: SignatureSpec = {}, more: Partial<SentJoin> = {}) =>
      join({ ...more, id: document, proof: documentProofOf({ instanceId: document, ...facts }, spec) })

    add(`in the VPC, ${target.row}`, {
      'no proof': ['JOIN_MALFORMED', () => join({ id: aws, proof: undefined })],
      'an account with an instance of the same id': [
        'JOIN_PROOF_OTHER',
        () => join({ id: aws, proof: sts(target.foreign) }),
      ],
      'a role whose session has the name': [
        'JOIN_PROOF_OTHER',
        () => join({ id: aws, proof: sts(target.role) }),
      ],
      'a user with such a name': ['JOIN_PROOF_OTHER', () => join({ id: aws, proof: sts(target.user) })],
      'credentials that nobody has': [
        'JOIN_PROOF_INVALID',
        () => join({ id: aws, proof: sts('instance', { secret: 'guess' }) }),
      ],
      'a document that it signed': ['JOIN_PROOF_INVALID', () => documented({}, { certificate: ownRegion() })],
      'a document sent from its own address': [
        notFirst('JOIN_PROOF_OTHER'),
        () => documented({}, {}, { from: '127.0.0.2' }),
      ],
      'a document of another account': [
        notFirst('JOIN_PROOF_OTHER'),
        () => documented({ accountId: '999999999999' }),
      ],
      'a document of another region': [
        notFirst('JOIN_PROOF_OTHER'),
        () => documented({ region: 'us-east-1' }),
      ],
      'a document of ten minutes ago': [
        'JOIN_PROOF_INVALID',
        () => documented({ pendingTime: documentTime(-600_000) }),
      ],
      'a token of its own project': [
        'JOIN_PROOF_OTHER',
        () => join({ id: gcp, proof: token({ instance_name: gcp, project_id: 'mine', project_number: 1 }) }),
      ],
      'a token of another zone': [
        'JOIN_PROOF_OTHER',
        () => join({ id: gcp, proof: token({ instance_name: gcp, zone: 'us-central1-b' }) }),
      ],
      'a token for another audience': [
        'JOIN_PROOF_INVALID',
        () =>
          join({ id: gcp, proof: token({ instance_name: gcp }, { aud: 'https://mine.example/v1/join' }) }),
      ],
      'a token of another issuer': [
        'JOIN_PROOF_INVALID',
        () => join({ id: gcp, proof: token({ instance_name: gcp }, { iss: 'https://accounts.example' }) }),
      ],
      'a token without a signature': ['JOIN_PROOF_INVALID', () => join({ id: gcp, proof: unsigned })],
      'a token signed by its own key': [
        'JOIN_PROOF_INVALID',
        () => join({ id: gcp, proof: (n) => forged(n, gcp, { key: testKey('rsa2048', 'own') }) }),
      ],
      'a token signed with the certificate as a secret': [
        'JOIN_PROOF_INVALID',
        () =>
          join({
            id: gcp,
            proof: (n) => forged(n, gcp, { hmac: certificateOf(googleKey), header: { alg: 'HS256' } }),
          }),
      ],
      'a secret that it guesses': [
        'JOIN_PROOF_INVALID',
        () => join({ id: local, proof: secretProofOf(randomBytes(32).toString('base64url')) }),
      ],
    })

    add(`on another of the cluster's instances, ${target.row}`, {
      'its own credentials': ['JOIN_PROOF_OTHER', () => join({ id: aws, proof: sts('other') })],
      'its own token': [
        'JOIN_PROOF_OTHER',
        () => join({ id: gcp, proof: token({ instance_name: ids.gcpOther }) }),
      ],
      'its own document': [
        notFirst('JOIN_PROOF_OTHER'),
        () => join({ id: document, proof: documentProofOf({ instanceId: ids.awsOther }) }),
      ],
      'its own secret': [
        'JOIN_PROOF_OTHER',
        () => join({ id: local, proof: secretProofOf(secrets[ids.localOther]!) }),
      ],
      'credentials for an instance on another cloud': [
        'JOIN_PROOF_KIND',
        () => join({ id: gcp, proof: sts('other') }),
      ],
      'its certificate, to renew that of another': [
        'JOIN_CSR_INVALID',
        () => world.renew(shown(joined), keys.awsOther, aws),
      ],
      'its certificate, as the CA of another': [
        'JOIN_CERTIFICATE_INVALID',
        () => world.renew(signedBy(aws, joined), keys.awsOther, aws),
      ],
      'its certificate, instead of a proof': [
        'JOIN_PROOF_KIND',
        () => join({ id: aws, pair: shown(joined), proof: { kind: 'certificate' } }),
      ],
      'its certificate, beside its own credentials': [
        'JOIN_PROOF_OTHER',
        () => join({ id: aws, pair: shown(joined), proof: sts('other') }),
      ],
    })

    const empty = (kind: string, code: ProblemCode): Case => [code, () => join({ id: aws, proof: { kind } })]
    add(`with the user data, ${target.row}`, {
      'aws-sts with nothing in it': empty('aws-sts', 'JOIN_PROOF_INVALID'),
      'aws-identity-document with nothing in it': empty('aws-identity-document', 'JOIN_PROOF_INVALID'),
      'a kind of another cloud': empty('gcp-identity-token', 'JOIN_PROOF_KIND'),
      'local-secret with nothing in it': [
        'JOIN_PROOF_INVALID',
        () => join({ id: local, proof: { kind: 'local-secret', secret: '' } }),
      ],
      'a kind that does not exist': empty('none', 'JOIN_PROOF_KIND'),
      'no kind': empty('', 'JOIN_PROOF_KIND'),
    })

    add(`with read access to the API, ${target.row}`, {
      'all that is shown of an instance': [
        'JOIN_PROOF_INVALID',
        () => join({ id: aws, proof: { kind: 'aws-sts', id: aws, zone: places.aws.zone } }),
      ],
      'a certificate with the same names': [
        'JOIN_CERTIFICATE_INVALID',
        () => world.renew(copied(aws), attacker(), aws),
      ],
      'no certificate, to renew one': [
        'JOIN_CERTIFICATE_INVALID',
        () =>
          world.send('POST', '/v1/join/renew', {
            csr: csrOf({ subject: aws, key: attacker() }).toString('base64'),
          }),
      ],
    })
  }

  add('in the VPC', {
    'the proof of an instance that does not exist': [
      'JOIN_INSTANCE_UNKNOWN',
      () => join({ id: ids.nobody, proof: sts('unknown') }),
    ],
    'the proof of an instance that is gone': [
      'JOIN_INSTANCE_GONE',
      () => join({ id: ids.gone, proof: sts('gone') }),
    ],
    'the proof of an instance of a pool without join': [
      'JOIN_INSTANCE_UNKNOWN',
      () => join({ id: ids.elsewhere, proof: sts('elsewhere') }),
    ],
  })

  add('in a task on the instance', {
    'its credentials': ['JOIN_KEY_CHANGED', () => join({ proof: sts('instance') })],
    'its token': ['JOIN_KEY_CHANGED', () => join({ id: ids.gcp, proof: token() })],
    'its secret': [
      'JOIN_KEY_CHANGED',
      () => join({ id: ids.local, proof: secretProofOf(secrets[ids.local]!) }),
    ],
    'its document': ['JOIN_PROOF_INVALID', () => join({ id: ids.awsDocument, proof: documentProofOf() })],
    'its public key without the private one': [
      'JOIN_CSR_INVALID',
      () =>
        join({
          csr: csrOf({ subject: ids.aws, key: keys.aws, signer: attacker() }).toString('base64'),
          proof: sts('instance'),
        }),
    ],
    'its credentials, for another name': [
      'JOIN_CSR_INVALID',
      () => join({ csr: csrOf({ subject: ids.awsFresh }).toString('base64'), proof: sts('instance') }),
    ],
    'its certificate, with a request of another key': [
      'JOIN_CERTIFICATE_INVALID',
      () => world.renew(shown(joined), attacker(), ids.awsOther),
    ],
  })

  /** The whole request again, as it was sent. */
  const used = (options: SentJoin & { key: TestKey }) => async () => {
    const nonce = await world.nonce(options.key)
    const proof = (options.proof as (nonce: string) => object)(nonce)
    await join({ ...options, nonce, proof })
    return join({ ...options, nonce, proof })
  }
  /** The proof that was made for the key of the instance, before it is used, with the key of the thief. */
  const overtaken = (id: string, key: TestKey, proofOf: (nonce: string) => object) => async () => {
    const nonce = await world.nonce(key)
    return join({ id, key: attacker(), nonce, proof: proofOf(nonce) })
  }
  const early = (id: string, key: TestKey, proofOf: (nonce: string) => object) => async () =>
    join({ id, key, proof: proofOf(await world.nonce(key)) })
  const own = (more: Parameters<typeof stsProofOf>[2]) => () =>
    join({ key: keys.aws, proof: sts('instance', more) })
  const aged = (iat: number, exp: number) => () =>
    join({ id: ids.gcp, key: keys.gcp, proof: token({}, { iat: seconds() + iat, exp: seconds() + exp }) })
  const nonceOf = (nonce: string) => () => join({ nonce, proof: sts('instance'), key: keys.aws })
  add('with a stolen proof or nonce', {
    'a proof that was used, with its nonce': [
      'JOIN_NONCE_USED',
      used({ proof: sts('instance'), key: keys.aws }),
    ],
    'a token that was used, with its nonce': [
      'JOIN_NONCE_USED',
      used({ id: ids.gcp, proof: token(), key: keys.gcp }),
    ],
    'a proof within the minute, with another key': [
      'JOIN_NONCE_INVALID',
      overtaken(ids.awsFresh, testKey('p256', 'of awsFresh'), sts('fresh')),
    ],
    'a token within the minute, with another key': [
      'JOIN_NONCE_INVALID',
      overtaken(ids.gcpFresh, testKey('p256', 'of gcpFresh'), token({ instance_name: ids.gcpFresh })),
    ],
    'a proof within the minute, of an instance that has joined, with another key': [
      'JOIN_NONCE_INVALID',
      overtaken(ids.aws, keys.aws, sts('instance')),
    ],
    'a proof, with another nonce': ['JOIN_PROOF_INVALID', early(ids.aws, keys.aws, sts('instance'))],
    'a token, with another nonce': ['JOIN_PROOF_INVALID', early(ids.gcp, keys.gcp, token())],
    'a nonce that nobody has used': ['JOIN_PROOF_INVALID', () => join({ proof: { kind: 'aws-sts' } })],
    'a nonce of another cluster': [
      'JOIN_NONCE_INVALID',
      nonceOf(makeNonce(randomBytes(32), keyHash(keys.aws), Date.now()).nonce),
    ],
    'a nonce of zeros': ['JOIN_NONCE_INVALID', nonceOf('A'.repeat(72))],
    'a proof of six minutes ago': ['JOIN_PROOF_INVALID', own({ date: basicDate(Date.now() - 360_000) })],
    'a proof of tomorrow': ['JOIN_PROOF_INVALID', own({ date: basicDate(Date.now() + 86_400_000) })],
    'a proof for another region': [
      'JOIN_PROOF_INVALID',
      own({ region: 'us-east-1', host: 'sts.us-east-1.amazonaws.com' }),
    ],
    'a proof for another service': ['JOIN_PROOF_INVALID', own({ service: 'iam' })],
    'a proof of another call': [
      'JOIN_PROOF_INVALID',
      own({ query: 'Action=GetSessionToken&Version=2011-06-15' }),
    ],
    'a proof with one more signed header': ['JOIN_PROOF_INVALID', own({ more: { 'x-amz-target': 'x' } })],
    'a proof of a POST': ['JOIN_PROOF_INVALID', own({ method: 'POST' })],
    'a proof with a body': ['JOIN_PROOF_INVALID', own({ body: 'Action=GetCallerIdentity' })],
    'a token of ten minutes ago': ['JOIN_PROOF_INVALID', aged(-600, 3000)],
    'a token that has expired': ['JOIN_PROOF_INVALID', aged(-7200, -3600)],
    'a certificate without its key': [
      'JOIN_CERTIFICATE_INVALID',
      () =>
        world.send('POST', '/v1/join/renew', {
          csr: csrOf({ subject: ids.aws, key: attacker() }).toString('base64'),
          certificate: certificates.aws,
        }),
    ],
  })
  return attacks
}

/** Instances that have a certificate, and such that have none yet, where the first good proof wins. */
const targets = [
  {
    row: 'joined',
    aws: ids.aws,
    gcp: ids.gcp,
    local: ids.local,
    document: ids.awsDocument,
    foreign: 'foreign',
    role: 'role',
    user: 'user',
  },
  {
    row: 'fresh',
    aws: ids.awsFresh,
    gcp: ids.gcpFresh,
    local: ids.localFresh,
    document: ids.awsFresh,
    foreign: 'foreignFresh',
    role: 'roleFresh',
    user: 'userFresh',
  },
] as const

const attacker = () => testKey('p256', 'attacker')
const seconds = () => Math.floor(Date.now() / 1000)
const ownRegion = () => issue({ key: testKey('rsa2048', 'own'), subject: 'region' })

function sts(whose: Parameters<typeof stsProofOf>[1], more?: Parameters<typeof stsProofOf>[2]) {
  return (nonce: string) => stsProofOf(nonce, whose, more)
}

function token(engine: Record<string, unknown> = {}, more: Record<string, unknown> = {}) {
  return (nonce: string) => tokenProofOf(nonce, engine, more)
}

function forged(nonce: string, id: string, spec: TokenSpec) {
  return tokenProofOf(nonce, { instance_name: id }, {}, spec)
}

function unsigned(nonce: string) {
  const [, claims] = tokenProofOf(nonce).token.split('.')
  const head = Buffer.from(JSON.stringify({ alg: 'none', kid: keyId })).toString('base64url')
  return { kind: 'gcp-identity-token', token: `${head}.${claims}.AAAAAAAAAAAA` }
}

function shown({ keys, certificates }: Joined): { cert: string; key: string } {
  return { cert: certificates.awsOther, key: keys.awsOther.pem }
}

/** What is in a certificate of an instance, signed by another CA of the same name. */
function copied(id: string): { cert: string; key: string } {
  const spec = { subject: id, names: [uri(`provision:instance:${id}`)], purposes: [purpose.client] }
  return { cert: server(authority('Agents CA'), { key: attacker(), ...spec }).pem, key: attacker().pem }
}

/** A certificate for this instance that another one has signed, with its own behind it. */
function signedBy(id: string, { keys, certificates }: Joined): { cert: string; key: string } {
  const issuer = authority(ids.awsOther, { key: keys.awsOther, basic: null, usage: null })
  const spec = { subject: id, names: [uri(`provision:instance:${id}`)], purposes: [purpose.client] }
  return {
    cert: server(issuer, { key: keys.awsOther, ...spec }).pem + certificates.awsOther,
    key: keys.awsOther.pem,
  }
}
