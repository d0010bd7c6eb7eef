// Certificates that nobody made for this program: NIST's path validation suite (PKITS), and those that pyca/cryptography is
// tested with. What we accept, every client accepts; and the reverse, for all that the program looks at.
import { X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { readCertificates } from '../../../src/pki/chain.ts'
import { judgeKey } from '../../../src/pki/checks.ts'
import { parseTlsCredentials } from '../../../src/pki/credentials.ts'
import { checkRenewal } from '../../../src/pki/go-verify.ts'
import { readPem } from '../../../src/pki/pem.ts'
import { checkForGo, linksOf } from '../../../src/pki/verifier-checks.ts'
import { isError } from '../../../src/problems/index.ts'
import { pythonWith } from '../../support/python.ts'
import { pemOf } from '../../support/x509.ts'
import { converse, oldGo, run, withGoProgram } from './run.ts'
import { goes, pemsOf, verifyWithGo, verifyWithOpenssl, verifyWithPython } from './verifiers.ts'

let x509: string
beforeAll(async () => {
  const python = await pythonWith('tls-corpora', join(import.meta.dirname, 'requirements.txt'))
  const where = 'import cryptography_vectors, os; print(os.path.dirname(cryptography_vectors.__file__))'
  x509 = join((await run(python, ['-c', where])).stdout.trim(), 'x509')
})

describe("NIST's paths", () => {
  interface Path {
    name: string
    /** The server certificate first; then every certificate that may be above it. */
    chain: Buffer[]
    /** We accept it, apart from its names: the suite is not about servers. */
    isAccepted: boolean
    /** We warn about renewals. */
    isWarned: boolean
  }

  let paths: Path[]
  let refusals: Record<string, string[]>
  let renewals: string[][]
  beforeAll(async () => {
    const folder = join(x509, 'PKITS_data/certs')
    const all = readdirSync(folder).flatMap((file) => certificateOf(join(folder, file)) ?? [])
    const cas = all.filter(({ x509: { ca } }) => ca)
    paths = all
      .filter(({ file }) => file.endsWith('EE.crt'))
      .map((leaf) => {
        const chain = [leaf]
        for (const { x509: below } of chain)
          chain.push(...cas.filter((ca) => ca.x509.subject === below.issuer && !chain.includes(ca)))
        return judged(
          leaf.file,
          chain.map(({ der }) => der),
        )
      })
    const chains = paths.map(({ chain }) => chain)
    refusals = {}
    renewals = []
    for (const [name, go, env] of goes) {
      const answers = await verifyWithGo(chains, { name: '', go, env })
      refusals[`Go ${name}`] = answers.map(({ today }) => today)
      renewals.push(answers.map(({ renewed }) => renewed))
    }
    refusals['OpenSSL'] = await inOrder(chains, (chain) => verifyWithOpenssl(chain))
    const keys = await inOrder(paths, ({ name }) => keyOf(name))
    refusals['Python'] = await verifyWithPython(
      paths.map(({ chain }, n) => ({ chain: pemsOf(chain), key: keys[n]! })),
    )
  })

  function judged(name: string, chain: Buffer[]): Path {
    const {
      material,
      faulty = material,
      problems,
    } = parseTlsCredentials(pemsOf(chain), undefined, { now: Date.now() })
    const errors = problems.filter((one) => isError(one) && one.code !== 'TLS_NO_SAN')
    return {
      name,
      chain,
      isAccepted: faulty?.path.complete === true && errors.length === 0,
      isWarned: faulty !== undefined && checkRenewal(linksOf(faulty.path)).length > 0,
    }
  }

  async function keyOf(file: string): Promise<string> {
    const p12 = join(x509, 'PKITS_data/pkcs12', `${basename(file, '.crt')}.p12`)
    // The files are of an old form, and their password is public.
    const { stdout } = await run('openssl', [
      ...['pkcs12', '-legacy', '-in', p12, '-nocerts', '-nodes', '-passin', 'pass:password'],
    ])
    return stdout
  }

  test('are of every kind', () => {
    expect(paths.length).toBeGreaterThan(200)
    expect(paths.filter(({ isAccepted }) => isAccepted).length).toBeGreaterThan(150)
  })

  test('that we accept are accepted by every client', () => {
    const surprises = paths.flatMap(({ name, isAccepted }, n) =>
      Object.entries(refusals).flatMap(([client, texts]) =>
        isAccepted && texts[n] ? [[name, client, texts[n]]] : [],
      ),
    )
    expect(surprises).toEqual([])
  })

  test('that every client accepts are accepted by us', () => {
    const refusedByUs = paths.filter(
      ({ isAccepted }, n) => !isAccepted && Object.values(refusals).every((texts) => texts[n] === ''),
    )
    expect(refusedByUs.map(({ name }) => name)).toEqual([])
  })

  const isRefused = (n: number) => renewals.some((texts) => texts[n] !== '')

  test('that some Go refuses after a renewal have our warning', () => {
    const missing = paths.filter(({ isAccepted, isWarned }, n) => isAccepted && !isWarned && isRefused(n))
    expect(missing.map(({ name }) => name)).toEqual([])
  })

  // Its settings do not make the current Go refuse what only Go 1.22 refuses.
  test.runIf(oldGo)('that have our warning are refused by some Go after a renewal', () => {
    const baseless = paths.filter(({ isAccepted, isWarned }, n) => isAccepted && isWarned && !isRefused(n))
    expect(baseless.map(({ name }) => name)).toEqual([])
  })
})

test('Go reads every certificate that we read, and we read every one that Go and Node read', async () => {
  const files = readdirSync(x509, { recursive: true, encoding: 'utf8' }).map((file) => join(x509, file))
  const ders = files.filter((file) => /\.(pem|der|crt)$/.test(file)).flatMap(dersOf)
  expect(ders.length).toBeGreaterThan(500)
  const ours = ders.map((der) => {
    const { certificates, problems } = readCertificates(pemOf(der), 'x.pem')
    return {
      isRead: problems.length === 0 && checkForGo(certificates).length === 0,
      hasGoodKey: certificates.every((certificate) => !judgeKey(certificate)),
    }
  })
  const input = ders.map((der) => der.toString('base64'))
  const texts = await Promise.all(
    goes.map(([, go, env]) =>
      withGoProgram('parse', (program) => converse<string[]>(program, [], input, env), go),
    ),
  )
  const differ = ders.flatMap((der, n) => {
    const { isRead, hasGoodKey } = ours[n]!
    const errors = texts.map((text) => text[n]).filter((text) => text)
    const isSurprise = isRead ? errors.length > 0 && hasGoodKey : errors.length === 0 && isReadByNode(der)
    return isSurprise ? [[errors, der.toString('base64')]] : []
  })
  expect(differ).toEqual([])
})

/** Certificates of PEM or DER files; other PEM blocks are left out. */
function dersOf(file: string): Buffer[] {
  const bytes = readFileSync(file)
  if (bytes[0] === 0x30) return [bytes]
  return readPem(bytes.toString('latin1')).blocks.flatMap(({ label, der, fault }) =>
    label === 'CERTIFICATE' && !fault ? [der] : [],
  )
}

function certificateOf(file: string): { file: string; der: Buffer; x509: X509Certificate } | undefined {
  const der = readFileSync(file)
  return isReadByNode(der) ? { file: basename(file), der, x509: new X509Certificate(der) } : undefined
}

function isReadByNode(der: Buffer): boolean {
  try {
    return new X509Certificate(der).raw.length > 0
  } catch {
    return false
  }
}

async function inOrder<T, R>(list: readonly T[], ask: (item: T) => Promise<R>): Promise<R[]> {
  const answers: R[] = []
  for (const item of list) answers.push(await ask(item))
  return answers
}
