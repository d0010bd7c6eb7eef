// Requests that this program never sends: changed proofs, bodies, certificate requests, and lines of HTTP.
import { csrOf, ecdsaWithSha384, rsaWithSha256 } from '../csr.ts'
import { formMutants, textMutants } from '../join-proofs/requests.ts'
import { type KeyKind, testKey } from '../test-keys.ts'
import { ids } from './settings.ts'
import type { Attack, Joined } from './threats.ts'
import { documentProofOf, type Hostile, secretProofOf, stsProofOf, tokenProofOf } from './world.ts'

const values: unknown[] = [
  ...[null, true, 0, -1, 1e308, [], {}, [''], '', ' ', '\0', 'a'.repeat(30_000)],
  ...[
    'é',
    '𝕚-0123456789abcdef0',
    'i‑0123456789abcdef0',
    `${ids.aws}\n`,
    `${ids.aws}\0`,
    ` ${ids.aws}`,
    `${ids.aws} `,
  ],
  ...[
    '../../../etc/passwd',
    '/etc/passwd',
    '%2e%2e%2f',
    '..',
    '.',
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
  ],
  ...["' OR 1=1 --", '$(id)', '{{id}}', 'CN=x', '<script>', { toString: 'x' }, { length: 1 }, [ids.aws]],
]

/** Right but for what is said: with the proof and the key of the instance, so that only that is wrong. */
export function mutants(world: Hostile, { keys }: Joined, share = 1): Attack[] {
  const attacks: Attack[] = []
  const csr = csrOf({ subject: ids.aws, key: keys.aws }).toString('base64')
  const some = <T>(all: readonly T[], most: number) => {
    const step = Math.max(1, all.length / Math.max(1, Math.round(most * share)))
    return all.filter((_, n) => Math.floor(n / step) !== Math.floor((n - 1) / step))
  }
  const add = (name: string, run: Attack['run']) => attacks.push({ row: 'mutated', name, run })

  const right = {
    aws: { id: ids.aws, key: keys.aws, proof: (nonce: string) => stsProofOf(nonce) },
    awsDocument: { id: ids.awsDocument, key: keys.awsDocument, proof: () => documentProofOf() },
    gcp: { id: ids.gcp, key: keys.gcp, proof: (nonce: string) => tokenProofOf(nonce) },
    local: { id: ids.local, key: keys.local, proof: () => secretProofOf(world.secrets[ids.local]!) },
  }
  for (const [kind, { proof, ...of }] of Object.entries(right)) {
    const example = proof('n'.repeat(72)) as Record<string, string>
    for (const n of some([...formMutants(example).keys()], 40))
      add(`the form of a proof for ${kind}, ${n}`, () =>
        world.join({
          ...of,
          proof: (nonce: string) => formMutants(proof(nonce) as Record<string, string>)[n],
        }),
      )
    const fields = Object.keys(example).filter((name) => name !== 'kind' && name !== 'date')
    for (const field of fields)
      for (const n of some([...textMutants(example[field]!).keys()], 120 / fields.length))
        add(`${field} of a proof for ${kind}, ${n}`, () =>
          world.join({
            ...of,
            proof(nonce: string) {
              const good = proof(nonce) as Record<string, string>
              return { ...good, [field]: textMutants(good[field]!)[n] }
            },
          }),
        )
  }

  for (const field of ['id', 'nonce', 'csr', 'proof'])
    for (const value of some(values, 36))
      add(`${field}: ${JSON.stringify(value)?.slice(0, 40)}`, async () => {
        const nonce = await world.nonce(keys.aws)
        return world.send('POST', '/v1/join', {
          id: ids.aws,
          nonce,
          csr,
          proof: stsProofOf(nonce),
          [field]: value,
        })
      })

  const bodies: [string, (good: Record<string, unknown>) => string | Buffer][] = [
    ['nothing', () => ''],
    ['null', () => 'null'],
    ['a number', () => '1'],
    ['a list', (good) => JSON.stringify([good])],
    ['a string', (good) => JSON.stringify(JSON.stringify(good))],
    ['half of it', (good) => JSON.stringify(good).slice(0, 200)],
    ['twice', (good) => JSON.stringify(good).repeat(2)],
    ['in UTF-16', (good) => Buffer.from(JSON.stringify(good), 'utf16le')],
    ['a form', () => 'id=x&nonce=y'],
    ['invalid UTF-8', () => Buffer.from([0x7b, 0xff, 0xfe, 0x7d])],
    ['a deep list', () => '['.repeat(32_000)],
    ['a deep object', () => '{"id":'.repeat(5_000)],
    ['a huge body', (good) => JSON.stringify({ ...good, more: 'x'.repeat(5_000_000) })],
    [
      'another id after the right one',
      (good) => JSON.stringify(good).replace(/}$/, `,"id":"${ids.awsOther}"}`),
    ],
    [
      'another proof after the right one',
      (good) => JSON.stringify(good).replace(/}$/, `,"proof":{"kind":"aws-sts"}}`),
    ],
    ['all members in __proto__', (good) => `{"__proto__":${JSON.stringify(good)}}`],
    [
      'a proof in __proto__',
      (good) =>
        JSON.stringify({ ...good, proof: 0 }).replace(
          '"proof":0',
          `"proof":{"__proto__":${JSON.stringify(good['proof'])}}`,
        ),
    ],
    [
      'a kind in __proto__',
      (good) =>
        JSON.stringify({ ...good, proof: 0 }).replace(
          '"proof":0',
          '"proof":{"__proto__":{"kind":"local-secret"}}',
        ),
    ],
    [
      'names in upper case',
      (good) =>
        JSON.stringify(
          Object.fromEntries(Object.entries(good).map(([name, value]) => [name.toUpperCase(), value])),
        ),
    ],
    ['a renewal', () => JSON.stringify({ csr })],
  ]
  for (const [name, body] of bodies)
    for (const path of ['/v1/join', '/v1/join/renew'])
      add(`body of ${path}: ${name}`, async () => {
        const nonce = await world.nonce(keys.aws)
        return world.send('POST', path, body({ id: ids.aws, nonce, csr, proof: stsProofOf(nonce) }))
      })

  const der = csrOf({ subject: ids.aws, key: keys.aws })
  const requests: [string, Buffer][] = [
    ...some([...der.keys()], 60).map((at): [string, Buffer] => {
      const changed = Buffer.from(der)
      changed[at]! ^= 1 << (at % 8)
      return [`byte ${at} changed`, changed]
    }),
    ...some([...der.keys()], 20).map((at): [string, Buffer] => [`cut at ${at}`, der.subarray(0, at)]),
    ['with more behind it', Buffer.concat([der, Buffer.alloc(4)])],
    ['twice', Buffer.concat([der, der])],
    ...(['p384', 'p521', 'p224', 'secp256k1', 'brainpool', 'ed25519', 'rsa2048'] satisfies KeyKind[]).map(
      (kind): [string, Buffer] => {
        const other = testKey(kind, 'mutant')
        const isEd = kind === 'ed25519'
        return [
          `a key of ${kind}`,
          csrOf({ subject: ids.aws, key: isEd ? keys.aws : other, ...(isEd && { spki: other.spki }) }),
        ]
      },
    ),
    ['SHA-384', csrOf({ subject: ids.aws, key: keys.aws, algorithm: ecdsaWithSha384, digest: 'sha384' })],
    ['SHA-1', csrOf({ subject: ids.aws, key: keys.aws, digest: 'sha1' })],
    ['the name of another algorithm', csrOf({ subject: ids.aws, key: keys.aws, algorithm: rsaWithSha256 })],
    ...[
      '',
      ids.awsOther,
      ids.aws.toUpperCase(),
      `${ids.aws} `,
      `${ids.aws}\0`,
      `${ids.aws},O=x`,
      `CN=${ids.aws}`,
      'é',
    ].map((subject): [string, Buffer] => [
      `subject ${JSON.stringify(subject)}`,
      csrOf({ subject, key: keys.aws }),
    ]),
    ['no subject', csrOf({ subject: Buffer.from('3000', 'hex'), key: keys.aws })],
  ]
  for (const [name, bytes] of requests)
    add(`certificate request: ${name}`, () =>
      world.join({ csr: bytes.toString('base64'), proof: (n: string) => stsProofOf(n) }),
    )
  return attacks
}

/** Lines of HTTP: what they may be answered with is anything but a certificate. */
export function httpMutants(): [name: string, bytes: string][] {
  const body = '{"id":"x"}'
  const post = (line: string, headers = `Content-Length: ${body.length}`, sent = body) =>
    `${line}\r\nHost: provision.test\r\nConnection: close\r\n${headers}\r\n\r\n${sent}`
  const paths = [
    ...[
      '/v1/join/',
      '//v1/join',
      '/v1//join',
      '/v1/./join',
      '/v1/x/../join',
      '/V1/JOIN',
      '/v1/join%00',
      '/v1/join%2f',
      '/v1/join;a=b',
    ],
    ...[
      '/v1/join#x',
      '/v1/join\\',
      '/v1/join/..',
      '/%76%31/join',
      '/v1/join/renew/',
      '/v1/join/challenge/x',
      '*',
      'v1/join',
      '',
    ],
    ...[
      'https://provision.test/v1/join',
      'http://169.254.169.254/v1/join',
      '/v1/join?a=b',
      '/v1/join?proof=none',
      '/../v1/join',
    ],
  ]
  const methods = [
    'PUT',
    'PATCH',
    'DELETE',
    'OPTIONS',
    'TRACE',
    'HEAD',
    'GET',
    'QUERY',
    'post',
    'PROPFIND',
    'FOO',
  ]
  const headers = [
    ...[
      'X-Forwarded-For: 10.0.0.9',
      'Forwarded: for=10.0.0.9',
      'X-Original-URL: /v1/instances',
      'X-HTTP-Method-Override: GET',
    ],
    ...[
      'X-SSL-Client-Verify: SUCCESS',
      'X-Client-Cert: x',
      'Authorization: Bearer x',
      'Cookie: token=x',
      'Origin: https://x',
      'Expect: 100-continue',
    ],
    ...[
      'Accept: application/x-pem-file',
      'Content-Encoding: gzip',
      'Content-Type: text/plain',
      'Upgrade: websocket',
    ],
  ].map((one) => `${one}\r\nContent-Length: ${body.length}`)
  const framing = [
    'Content-Length: -1',
    'Content-Length: 99999999999999999999',
    `Content-Length: ${body.length}\r\nContent-Length: 2`,
    `Content-Length: ${body.length}\r\nTransfer-Encoding: chunked`,
    'Transfer-Encoding: chunked, identity',
    'Transfer-Encoding: xchunked',
  ]
  return [
    ...paths.map((path): [string, string] => [`path ${path}`, post(`POST ${path} HTTP/1.1`)]),
    ...methods.flatMap((method) =>
      ['/v1/join', '/v1/join/renew', '/v1/join/challenge', `/v1/join/challenge?key=${'0'.repeat(64)}`].map(
        (path): [string, string] => [`${method} ${path}`, post(`${method} ${path} HTTP/1.1`)],
      ),
    ),
    ...headers.map((one): [string, string] => [one.split('\r')[0]!, post('POST /v1/join HTTP/1.1', one)]),
    ...framing.map((one): [string, string] => [
      one.replaceAll('\r\n', ' '),
      post('POST /v1/join HTTP/1.1', one),
    ]),
    ['HTTP/1.0', post('POST /v1/join HTTP/1.0')],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    [
      'two requests in one',
      `${post('POST /v1/join HTTP/1.1').replace('close', 'keep-alive')}${post('POST /v1/join HTTP/1.1')}`,
    ],
    ['large headers', post('POST /v1/join HTTP/1.1', `X: ${'x'.repeat(40_000)}`)],
    [
      'many headers',
      post('POST /v1/join HTTP/1.1', `Content-Length: ${body.length}\r\n${'X: y\r\n'.repeat(2_500)}X: z`),
    ],
  ]
}
