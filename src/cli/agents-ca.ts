// Commands for the CA that issues the certificates of instances: create, show and rotate it, let an instance bring another key.
// They work on the state itself, also beside a running provisioner, which reads it anew for each certificate.
import type { CaFiles, CaInForce } from '../join/index.ts'
import type { JoinStore } from '../state/index.ts'
import { type CliCommand, configFlag, type Flag, formatFlag } from './command.ts'
import { type Context, printJson, usage } from './terminal.ts'

export function declareAgentsCa(program: CliCommand): void {
  const group = program.command('agents-ca', 'manage the CA that issues the certificates of instances')
  init(group)
  show(group)
  rotate(group)
  reissue(group)
}

function init(group: CliCommand): void {
  const command = group.command('init', 'create it; a provisioner with `join` on a pool does so itself')
  const config = configFlag(command)
  command.action((context) =>
    change(config, context, async (store, files) => {
      const { assertNoFiles, createCa } = await import('../join/index.ts')
      assertNoFiles(files)
      await createCa(store, Date.now())
      return (file) => `created the agents' CA; its certificate for a master's client_ca: ${file}`
    }),
  )
}

function show(group: CliCommand): void {
  const command = group.command('show', 'show its certificates, and the file with them for a master', {
    isDefault: true,
  })
  const config = configFlag(command)
  const format = formatFlag(command)
  command.action(async (context) => {
    const { openStateReader } = await import('../state/index.ts')
    const { caFilesOf, caInForce, nextStep, writeBundle } = await import('../join/index.ts')
    const loaded = await configOf(config, context)
    const store = await openStateReader(loaded, context.env)
    try {
      const files = caFilesOf(loaded, context.env)
      const ca = await caInForce(store.join, files)
      const file = writeBundle(loaded.state_dir, ca.bundle)
      const rows = await rowsOf(ca)
      if (format.value === 'json') printJson(context.terminal, { file, authorities: rows })
      else {
        const { table } = await import('./table.ts')
        const lines = rows.map(({ role, subject, sha256, expiresAt }) => [role, subject, expiresAt, sha256])
        context.terminal.out(
          `${(await table(['ROLE', 'SUBJECT', 'EXPIRES', 'SHA-256'], lines)).join('\n')}\n`,
        )
        if (typeof files?.key === 'object')
          context.terminal.say(`its key is ${files.key.label} in token ${files.key.token}`)
        context.terminal.say(`for a master's client_ca: ${file}`)
        if (!files && ca.roles.length > 1)
          context.terminal.say(`next step: provision agents-ca ${nextStep(ca.roles)}`)
      }
      return 0
    } finally {
      await store.close()
    }
  })
}

async function rowsOf({ trusted, roles }: CaInForce) {
  const { idOf } = await import('../join/index.ts')
  return trusted.map((certificate, index) => ({
    role: roles[index]!,
    subject: certificate.subject.replaceAll('\n', ', '),
    sha256: idOf(certificate),
    expiresAt: certificate.validToDate.toISOString(),
  }))
}

function rotate(group: CliCommand): void {
  const command = group.command(
    'rotate',
    'replace it in three steps: hand out a second one, --activate, --finish',
  )
  const config = configFlag(command)
  const activate = command.toggle('--activate', 'issue from the new one', ['finish'])
  const finish = command.toggle('--finish', 'hand out the new one alone; refused while the old one is needed')
  command.action((context) =>
    change(config, context, async (store, files) => {
      const { activateNext, assertNoFiles, finishRotation, startRotation } = await import('../join/index.ts')
      assertNoFiles(files)
      if (activate.value) {
        await activateNext(store)
        return () =>
          'the new CA issues from now on; instances have shown certificates of it within two days, then: provision agents-ca rotate --finish'
      }
      if (finish.value) {
        await finishRotation(store, Date.now())
        return (file) => `the old CA is dropped; give every master the new ${file}`
      }
      await startRotation(store, Date.now())
      return (file) =>
        `a second CA is handed out; give every master ${file} as client_ca and restart it, then: provision agents-ca rotate --activate`
    }),
  )
}

function reissue(group: CliCommand): void {
  const command = group.command('reissue', 'let an instance join with another key, once, within an hour')
  const id = command.argument('[id]', 'the id of the instance')
  const config = configFlag(command)
  command.action((context) =>
    change(config, context, async (store) => {
      if (id.value === undefined)
        throw usage('an instance needs an id', 'Run `provision agents-ca reissue ID`.')
      const { allowReissue } = await import('../join/index.ts')
      const until = new Date(await allowReissue(store, id.value, Date.now())).toISOString()
      return () =>
        `${id.value} may join with another key until ${until}; then the certificate of the old key is over`
    }),
  )
}

/** Beside a running provisioner where there is one; else with the state for the time of the command. */
async function change(
  config: Flag<string>,
  context: Context,
  work: (store: JoinStore, files: CaFiles | undefined) => Promise<(bundleFile: string) => string>,
): Promise<0> {
  const { openStateStore } = await import('../state/index.ts')
  const { caFilesOf, caInForce, writeBundle } = await import('../join/index.ts')
  const { createLogger, systemClock } = await import('../platform/index.ts')
  const { terminal, env } = context
  const loaded = await configOf(config, context)
  const files = caFilesOf(loaded, context.env)
  const write = (line: string) => terminal.say(line.trimEnd())
  const logger = createLogger({ format: 'text', level: 'warn', clock: systemClock, write })
  const store = await openStateStore(loaded, { env, clock: systemClock, logger })
  try {
    const release = await store.hold({ onLost() {} }).catch(ignoreRunning)
    try {
      const sentence = await work(store.join, files)
      terminal.say(sentence(writeBundle(loaded.state_dir, (await caInForce(store.join, files)).bundle)))
    } finally {
      await release?.()
    }
  } finally {
    await store.close()
  }
  return 0
}

/** Whoever has the state is a provisioner, and the tables and folders are there. */
function ignoreRunning(error: Error & { code?: string }): undefined {
  if (error.code !== 'LOCK_HELD') throw error
}

async function configOf(file: Flag<string>, context: Context) {
  const { validConfig } = await import('./connect.ts')
  return validConfig(file.value, context)
}
