// `provision trust list`: which masters are trusted by hand, by this program and by det.
import { type TrustedMaster, trustedMasters } from '../../http/untrusted-server.ts'
import { trustStore, trustStoreFile } from '../../pki/trust-store.ts'
import type { CommandContext } from '../command.ts'
import type { ExitStatus } from '../exit.ts'
import { table } from '../table.ts'

interface Options {
  format: 'text' | 'json'
}

export async function run({ format }: Options, { terminal, env }: CommandContext): Promise<ExitStatus> {
  const store = trustStore(trustStoreFile(env))
  const masters = trustedMasters(store.read())
  if (format === 'json') terminal.out(`${JSON.stringify({ file: store.file, masters }, undefined, 2)}\n`)
  else if (masters.length > 0) terminal.out(`${table(head, masters.map(row)).join('\n')}\n`)
  if (masters.length === 0) terminal.say(`no master is trusted by hand in ${store.file}`)
  return 0
}

const head = ['MASTER', 'SUBJECT', 'UNTIL', 'ROOT', 'SHA-256']

function row({ url, certificates: [leaf], hasRoot }: TrustedMaster): string[] {
  if (!leaf) return [url, 'cannot be read', '-', '-', '-']
  return [url, leaf.subject, leaf.notAfter.slice(0, 10), hasRoot ? 'yes' : 'no', leaf.sha256]
}
