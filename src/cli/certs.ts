// `provision certs`: a development CA and chain for people who have none.
import { existsSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { createDevelopmentChain, developmentFiles, writeDevelopmentChain } from '../pki/development-ca.ts'
import { ProvisionError, problem } from '../problems/problem.ts'
import type { CommandContext } from './command.ts'
import type { ExitStatus } from './exit.ts'

interface Options {
  name?: string[]
  ip?: string[]
  days: string
  out: string
  ifMissing?: boolean
}

export async function run(options: Options, { terminal, cwd }: CommandContext): Promise<ExitStatus> {
  const directory = resolve(cwd, options.out)
  const files = developmentFiles(directory)
  const show = (file: string) => shorter(relative(cwd, file), file)
  if (options.ifMissing && existsSync(files.chain) && existsSync(files.serverKey)) return 0

  const names = options.name ?? []
  const ips = options.ip ?? []
  if (names.length + ips.length === 0)
    throw new ProvisionError(
      problem('USAGE', 'a certificate needs a name', {
        remedy: 'Give --name master.example.com (and --ip for an address).',
      }),
    )
  const chain = await createDevelopmentChain({ names, ips, days: Number(options.days), now: Date.now() })
  writeDevelopmentChain(directory, chain)
  terminal.say(
    `Made a development CA and a server certificate for ${[...names, ...ips].join(', ')} (${options.days} days):`,
  )
  terminal.say(`  ${show(files.chain)}   leaf, intermediate, root: security.tls.cert`)
  terminal.say(`  ${show(files.serverKey)}  its key (0600): security.tls.key`)
  terminal.say(`  ${show(files.rootCertificate)}    for clients that should trust everything this CA issues`)
  terminal.say(
    `Keep ${show(files.rootKey)} and ${show(files.intermediateKey)} to issue more, or delete them.`,
  )
  return 0
}

/** Below the current folder a relative path reads better; elsewhere the whole path does. */
function shorter(path: string, whole: string): string {
  return path.startsWith('..') ? whole : path
}
