// `provision certs`: creates a development CA and a server certificate.
import { existsSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import type { CliCommand } from './command.ts'
import { usage } from './terminal.ts'

export function declareCerts(program: CliCommand): void {
  const command = program.command(
    'certs',
    'create a development CA and a server certificate (root, intermediate, leaf)',
  )
  const name = command.list('--name <name>', 'DNS name of the master (repeatable)')
  const ip = command.list('--ip <address>', 'IP address of the master (repeatable)')
  const days = command.textOr('--days <days>', 'validity of the server certificate in days', '365')
  const out = command.textOr('--out <dir>', 'folder to write into', 'certs')
  const ifMissing = command.toggle('--if-missing', 'do nothing if the certificates exist')

  command.action(async ({ terminal, cwd }) => {
    const { createDevelopmentChain, developmentFiles, writeDevelopmentChain } = await import(
      '../pki/index.ts'
    )
    const directory = resolve(cwd, out.value)
    const files = developmentFiles(directory)
    const show = (file: string) => shorter(relative(cwd, file), file)
    if (ifMissing.value && existsSync(files.chain) && existsSync(files.serverKey)) return 0

    const names = name.value ?? []
    const ips = ip.value ?? []
    if (names.length + ips.length === 0)
      throw usage('a certificate needs a name', 'Add --name master.example.com (and --ip for an address).')
    const chain = await createDevelopmentChain({ names, ips, days: Number(days.value), now: Date.now() })
    writeDevelopmentChain(directory, chain)
    terminal.say(
      `Created a development CA and a server certificate for ${[...names, ...ips].join(', ')} (${days.value} days):`,
    )
    terminal.say(`  ${show(files.chain)}   leaf, intermediate, root: security.tls.cert`)
    terminal.say(`  ${show(files.serverKey)}  its key (0600): security.tls.key`)
    terminal.say(
      `  ${show(files.rootCertificate)}    for clients that should trust everything this CA issues`,
    )
    terminal.say(
      `Keep ${show(files.rootKey)} and ${show(files.intermediateKey)} to issue more, or delete them.`,
    )
    return 0
  })
}

/** Below the current folder a relative path reads better; elsewhere the whole path does. */
function shorter(path: string, whole: string): string {
  return path.startsWith('..') ? whole : path
}
