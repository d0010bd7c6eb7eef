// `pkcs11-tool` of OpenSC, the program that asks a PKCS #11 token: arguments without a shell, the PIN in its environment, and a limit
// of time. What it prints for a person becomes a problem with a remedy.
import { execFile } from 'node:child_process'
import { readFile, stat } from 'node:fs/promises'
import { printable } from '../platform/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'

/** A key in a token. Paths are absolute. */
export interface TokenKey {
  /** The library of the token's maker. */
  module: string
  /** Label of the token. */
  token: string
  /** Label of the key. */
  label: string
  /** Its first line is the PIN of the user. */
  pinFile: string
  /** Of the program: its `PATH`, and what the module reads. */
  env: Readonly<Record<string, string | undefined>>
}

export interface TokenTool {
  /** What it prints on its output. Throws AGENTS_CA_TOKEN, whose message has neither the PIN nor the input. */
  run(args: readonly string[], input?: Uint8Array): Promise<Buffer>
}

export interface ToolLimits {
  /** Milliseconds for one call: an instance waits for 15 seconds. */
  call: number
  /** Milliseconds after a call without an answer in which no other is made. */
  pause: number
}

const program = 'pkcs11-tool'
const pinVariable = 'PROVISION_PKCS11_PIN'
const usualLimits: ToolLimits = { call: 5_000, pause: 10_000 }
const largestOutput = 1_000_000

/** Throws AGENTS_CA_TOKEN for a module or a PIN that is not there. Asks no token. */
export async function checkTokenFiles({ module, pinFile }: TokenKey): Promise<void> {
  const found = await stat(module).catch(() => undefined)
  if (!found?.isFile())
    throw unusable(`module not found: ${module}`, {
      remedy: 'Install the PKCS #11 library of the token, and write its path as agents_ca.pkcs11.module.',
    })
  await pinIn(pinFile)
}

/** `version`: another one whenever the file is written. */
async function pinIn(file: string): Promise<{ pin: string; version: string }> {
  const remedy = 'Write the PIN of the token into that file, readable for the provisioner alone.'
  const read = async () => [await readFile(file, 'utf8'), (await stat(file)).mtimeMs] as const
  const [text, writtenAt] = await read().catch((cause: unknown) => {
    throw unusable(`${file} cannot be read: ${(cause as Error).message}`, { remedy, cause })
  })
  const [pin = ''] = text.split(/\r?\n/)
  if (pin === '' || pin.includes('\0')) throw unusable(`${file} has no PIN in its first line`, { remedy })
  return { pin, version: `${writtenAt} ${pin}` }
}

export function tokenTool(key: TokenKey, { call, pause }: ToolLimits = usualLimits): TokenTool {
  const { module, token, pinFile } = key
  /** A token is locked after a few of them: it is not tried again until the file is written. */
  let wrongPin: string | undefined
  let pausedUntil = 0

  return {
    async run(args, input) {
      await checkTokenFiles(key)
      const { pin, version } = await pinIn(pinFile)
      if (version === wrongPin) throw pinRefused(key, 'was refused before, and is not tried again')
      if (performance.now() < pausedUntil) throw silent(token, call)
      const always = ['--module', module, '--token-label', token, '--login', '--pin', `env:${pinVariable}`]
      const env = { ...key.env, LC_ALL: 'C', [pinVariable]: pin }
      const ended = await ask([...always, ...args], { env, input, call })
      if (ended === 'silent') {
        pausedUntil = performance.now() + pause
        throw silent(token, call)
      }
      if (!ended.error) return ended.stdout
      const found = reasonOf(ended.error, ended.stderr, key)
      if (found.isPin) wrongPin = version
      throw found.error
    },
  }
}

interface Ended {
  error: (Error & { code?: unknown }) | null
  stdout: Buffer
  stderr: string
}

interface AskOptions {
  env: NodeJS.ProcessEnv
  input: Uint8Array | undefined
  call: number
}

/** Resolves in time, also if the program cannot be ended or has left others behind that hold its output. */
function ask(args: string[], { env, input, call }: AskOptions): Promise<Ended | 'silent'> {
  return new Promise((resolve) => {
    const options = { env, encoding: 'buffer' as const, maxBuffer: largestOutput }
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      clearTimeout(timer)
      resolve({ error: error as Ended['error'], stdout, stderr: stderr.toString('utf8') })
    })
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      resolve('silent')
    }, call)
    // It may end before it has read its input; its status says why.
    child.stdin?.on('error', () => {})
    child.stdin?.end(input ?? '')
  })
}

function reasonOf(error: Error & { code?: unknown }, stderr: string, key: TokenKey) {
  const { module, token } = key
  const known = (error: ProvisionError, isPin = false) => ({ error, isPin })
  if (error.code === 'ENOENT')
    return known(
      unusable(`${program} is not installed`, { remedy: 'Install OpenSC: `apt-get install opensc`.' }),
    )
  if (/CKR_PIN_(?:INCORRECT|INVALID|LEN_RANGE)/.test(stderr))
    return known(pinRefused(key, 'was refused by the token'), true)
  if (stderr.includes('CKR_PIN_LOCKED'))
    return known(
      unusable(`the PIN of token ${token} is locked`, {
        remedy: 'Unlock it with the tools of the token, and correct agents_ca.pkcs11.pin_file.',
      }),
    )
  if (/No slot with token named|No slots\b/.test(stderr))
    return known(
      unusable(`there is no token ${JSON.stringify(token)} for ${module}`, {
        remedy: `\`${program} --module ${module} --list-token-slots\` lists the tokens.`,
      }),
    )
  if (/Failed to load pkcs11 module|sc_dlopen failed/.test(stderr))
    return known(
      unusable(`${module} cannot be loaded as a PKCS #11 module: ${lineOf(stderr)}`, {
        remedy: 'Write the path of the PKCS #11 library of the token as agents_ca.pkcs11.module.',
      }),
    )
  return known(unusable(`${program} failed: ${lineOf(stderr) || error.message.split('\n')[0]}`))
}

/** The line that says most. */
function lineOf(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '' && line !== 'Aborting.')
  return printable(lines.find((line) => /error|fail/i.test(line)) ?? lines.at(-1) ?? '').slice(0, 200)
}

function silent(token: string, call: number): ProvisionError {
  return unusable(`token ${token} has not answered within ${call / 1000} s`, {
    remedy: 'See whether the token is reachable; it is tried again by itself.',
  })
}

function pinRefused({ token, pinFile }: TokenKey, what: string): ProvisionError {
  return unusable(`the PIN in ${pinFile} ${what} (token ${token})`, {
    remedy: 'Write the right PIN into that file; a running provisioner tries it once the file is written.',
  })
}

export function unusable(
  message: string,
  options: { remedy?: string; cause?: unknown } = {},
): ProvisionError {
  return new ProvisionError(problem('AGENTS_CA_TOKEN', message, options))
}
