// Commands for the trusted masters: list, add, replace, remove.
import type { TrustedMaster } from '../http/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'
import { type CliCommand, formatFlag, masterFlag } from './command.ts'
import { table } from './table.ts'
import { printJson } from './terminal.ts'

export function declareTrust(program: CliCommand): void {
  const trust = program.command('trust', 'manage trusted masters (shared with the `det` CLI)')
  list(trust)
  add(trust)
  replace(trust)
  remove(trust)
}

function list(trust: CliCommand): void {
  const command = trust.command('list', 'show the trusted masters', { isDefault: true })
  const format = formatFlag(command)
  command.action(async ({ terminal, env }) => {
    const { trustedMasters } = await import('../http/index.ts')
    const { trustStore, trustStoreFile } = await import('../pki/index.ts')
    const store = trustStore(trustStoreFile(env))
    const masters = trustedMasters(store.read())
    if (format.value === 'json') printJson(terminal, { file: store.file, masters })
    else if (masters.length > 0) terminal.out(`${(await table(head, masters.map(row))).join('\n')}\n`)
    if (masters.length === 0) terminal.say(`no trusted masters in ${store.file}`)
    return 0
  })
}

const head = ['MASTER', 'SUBJECT', 'UNTIL', 'ROOT', 'SHA-256']

function row({ url, certificates: [leaf], hasRoot }: TrustedMaster): string[] {
  if (!leaf) return [url, 'cannot be read', '-', '-', '-']
  return [url, leaf.subject, leaf.notAfter.slice(0, 10), hasRoot ? 'yes' : 'no', leaf.sha256]
}

function add(trust: CliCommand): void {
  const command = trust.command('add', 'show the certificate of a master and trust it')
  const meant = trustArguments(command)
  command.action(async (context) => {
    const { terminal } = context
    const { untrustedProblem } = await import('../http/index.ts')
    const { compareFingerprint, decide, keep, named } = await import('./trust-decision.ts')
    const { given, memory, meet } = await meant()
    const probe = await meet()
    if ('trusted' in probe) {
      compareFingerprint(memory.url, probe.trusted[0]!, given)
      const by = memory.stored ? `by the certificate stored in ${memory.store.file}` : 'by a well-known CA'
      terminal.say(`${memory.url} is already trusted ${by}`)
      return 0
    }
    const { untrusted } = probe
    if (untrusted.stored) throw new ProvisionError(untrustedProblem(untrusted))
    await decide(untrusted, given, terminal)
    const sentence = `${memory.url} is now trusted: ${named(untrusted.presented[0])}`
    await keep(memory, untrusted, sentence, context)
    return 0
  })
}

function replace(trust: CliCommand): void {
  const command = trust.command('replace', 'trust the new certificate of a master instead of the stored one')
  const meant = trustArguments(command)
  command.action(async (context) => {
    const { endsInRoot } = await import('../pki/index.ts')
    const { compareFingerprint, decide, keep, named } = await import('./trust-decision.ts')
    const { given, memory, meet } = await meant()
    const { url, store, stored } = memory
    if (!stored)
      throw unknown(url, store.file, `\`provision trust add ${url}\` trusts it for the first time.`)
    const probe = await meet()
    const [leaf, ...others] = 'trusted' in probe ? probe.trusted : probe.untrusted.presented
    if ('trusted' in probe) compareFingerprint(url, leaf!, given)
    // A new certificate issued by a stored CA needs no confirmation.
    else await decide(probe.untrusted, given, context.terminal)
    const { pem } = 'trusted' in probe ? probe : probe.untrusted
    const isSame = stored[0]?.x509.fingerprint256.replaceAll(':', '').toLowerCase() === leaf!.sha256
    const sentence = isSame
      ? `${url} presents the stored certificate: ${named(leaf!)}`
      : `${url} is now trusted with its new certificate: ${named(leaf!)}`
    await keep(memory, { pem, hasRoot: endsInRoot([leaf!, ...others]) }, sentence, context)
    return 0
  })
}

/** A command that reads a master's certificate: its flags, and the master and SHA-256 they select. */
function trustArguments(command: CliCommand) {
  const url = command.argument('[url]', urlWords)
  const fingerprint = command.text(
    '--fingerprint <sha256>',
    'trust it only if this is its SHA-256; do not ask',
  )
  const master = masterFlag(command)
  return async () => {
    const { probeTrust } = await import('../http/index.ts')
    const { fingerprintOf, trustTarget } = await import('./trust-decision.ts')
    const given = fingerprintOf(fingerprint.value)
    const { target, memory } = trustTarget(url.value ?? master.value, command.context)
    return { given, memory, meet: () => probeTrust(target) }
  }
}

const urlWords = 'URL of the master, https:// (default: -m)'

function remove(trust: CliCommand): void {
  const command = trust.command('remove', 'remove a master from the trust store')
  const url = command.argument('[url]', urlWords)
  const master = masterFlag(command)
  command.action(async (context) => {
    const { trustTarget } = await import('./trust-decision.ts')
    const { memory } = trustTarget(url.value ?? master.value, context)
    const { store } = memory
    if (!(await store.remove(memory.url))) throw unknown(memory.url, store.file)
    context.terminal.say(`${memory.url} is no longer in the trust store`)
    return 0
  })
}

function unknown(url: string, file: string, remedy?: string): ProvisionError {
  return new ProvisionError(problem('TRUST_UNKNOWN', `nothing is stored for ${url} in ${file}`, { remedy }))
}
