// The certificates of one PEM text, and everything worth saying about how it is written.
import { type Problem, problem } from '../problems/problem.ts'
import { type Certificate, readCertificate } from './certificate.ts'
import { looksBinary, type PemBlock, readPem } from './pem.ts'

const certificateLabels = ['CERTIFICATE', 'X509 CERTIFICATE', 'TRUSTED CERTIFICATE']

/** Certificates in the file's order, repetitions included. `file` is only for messages. */
export function readCertificates(
  text: string,
  file: string,
): { certificates: Certificate[]; problems: Problem[] } {
  const { blocks, untidy } = readPem(text)
  if (blocks.length === 0) return { certificates: [], problems: [notPem(text, file)] }
  const mine = blocks.filter((block) => certificateLabels.includes(block.label))
  const keys = blocks.filter((block) => block.label.endsWith('PRIVATE KEY'))
  if (mine.length === 0) return { certificates: [], problems: [noCertificate(blocks, file)] }
  const read = mine.map((block) => readCertificate(block, file))
  return {
    certificates: read.flatMap(({ certificate }) => certificate ?? []),
    problems: [
      ...read.flatMap(({ problems }) => problems),
      ...mendedProblems(untidy, mine, file),
      ...keys.slice(0, 1).map((key) =>
        problem('TLS_KEY_IN_CERT_FILE', `${file} also holds a private key (block ${key.number})`, {
          where: { file, line: key.line },
        }),
      ),
    ],
  }
}

/** One warning for all that was mended on reading. */
export function mendedProblems(untidy: string[], blocks: PemBlock[], file: string): Problem[] {
  const mended = [...new Set([...untidy, ...blocks.flatMap((block) => block.untidy)])]
  if (mended.length === 0) return []
  const line = blocks.find((block) => block.untidy.length > 0)?.line ?? 1
  const message = `${file} has ${mended.join(', ')}, which some TLS libraries cannot read`
  return [problem('TLS_PEM_MENDED', message, { where: { file, line }, details: { mended } })]
}

export function notPem(text: string, file: string): Problem {
  const what =
    text.trim() === ''
      ? 'is empty'
      : looksBinary(text)
        ? 'is binary (DER or PKCS#12?), not PEM'
        : 'holds no PEM block (-----BEGIN …)'
  return problem('TLS_FILE_NOT_PEM', `${file} ${what}`, { where: { file } })
}

function noCertificate(blocks: PemBlock[], file: string): Problem {
  const labels = [...new Set(blocks.map((block) => block.label))].join(', ')
  return problem('TLS_NO_CERTIFICATE', `${file} holds no certificate, only: ${labels}`, {
    where: { file, line: blocks[0]!.line },
  })
}
