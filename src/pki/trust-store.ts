// The certificates a user trusts, by master, in the file of Determined's command line, so that both share it.
// Format, lock and temporary file: Determined, harness determined/common/api/certs.py, CertStore.
import { mkdirSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { withFlock, writeFileAtomic } from '../platform/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'

export interface TrustStore {
  readonly file: string
  /** PEM by the canonical URL of the master; empty if the file does not exist. Throws TRUST_STORE_UNREADABLE. */
  read(): Record<string, string>
  /** Adds or replaces. Throws TRUST_STORE_UNREADABLE, TRUST_STORE_BUSY or FILE_NOT_WRITTEN. */
  set(url: string, pem: string): Promise<void>
  /** False when there was nothing to remove; throws as `set` does. */
  remove(url: string): Promise<boolean>
}

/** Does not open the file yet. */
export function trustStore(file: string): TrustStore {
  const read = () => readStore(file)

  async function change<T>(edit: (entries: Record<string, string>) => T): Promise<T> {
    try {
      // The modes of existing folders are left unchanged.
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
      return await withFlock(`${file}.lock`, () => {
        const entries = read()
        const before = storeText(entries)
        const result = edit(entries)
        if (storeText(entries) !== before) writeFileAtomic(file, storeText(entries))
        return result
      })
    } catch (cause) {
      throw cause instanceof ProvisionError ? cause : notWritten(file, cause as NodeJS.ErrnoException)
    }
  }

  return {
    file,
    read,
    set: (url, pem) =>
      change((entries) => {
        entries[url] = pem
      }),
    remove: (url) =>
      change((entries) => {
        const known = Object.hasOwn(entries, url)
        delete entries[url]
        return known
      }),
  }
}

/** The same text as Python's json.dump(…, indent=4, sort_keys=True): ASCII only, since Python reads it in its locale. */
export function storeText(entries: Record<string, string>): string {
  const sorted = Object.entries(entries).sort(([a], [b]) => (a < b ? -1 : 1))
  const escaped = (letter: string) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`
  return JSON.stringify(Object.fromEntries(sorted), undefined, 4).replace(/[\x7f-\uffff]/g, escaped)
}

function readStore(file: string): Record<string, string> {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT') return {}
    throw new ProvisionError(
      problem('TRUST_STORE_UNREADABLE', `${file} cannot be read: ${message}`, { cause }),
    )
  }
  const value = jsonOf(text)
  if (isEntries(value)) return value
  const message = `${file} is not a JSON object of URLs and certificates`
  throw new ProvisionError(problem('TRUST_STORE_UNREADABLE', message, { where: { file } }))
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isEntries(value: unknown): value is Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return Object.values(value).every((pem) => typeof pem === 'string')
}

function notWritten(file: string, cause: NodeJS.ErrnoException): ProvisionError {
  if (cause.code === 'ETIMEDOUT')
    return new ProvisionError(problem('TRUST_STORE_BUSY', cause.message, { cause }))
  return new ProvisionError(problem('FILE_NOT_WRITTEN', `${file}: ${cause.message}`, { cause }))
}

// SHA-256 fingerprints of certificates, in the forms users and scripts write.

/** `ab:cd:…`, as Determined's command line prints it (openssl in capitals). `hex` is lower case without separators. */
export function pairs(hex: string): string {
  return hex.replace(/..(?=.)/g, '$&:')
}

/** Reads `sha256:abcd…`, with or without prefix and colons, in any case. undefined when it is not a SHA-256. */
export function parseFingerprint(text: string): string | undefined {
  const hex = text
    .trim()
    .replace(/^sha-?256[:= ]/i, '')
    .replaceAll(':', '')
    .toLowerCase()
  return /^[0-9a-f]{64}$/.test(hex) ? hex : undefined
}

// The folder of the trust file of Determined's command line (harness determined/common/util.py, get_config_path).

export interface PlaceVariables {
  DET_DEBUG_CONFIG_PATH?: string
  XDG_CONFIG_HOME?: string
  LOCALAPPDATA?: string
  HOME?: string
}

export function trustStoreFile(env: PlaceVariables, platform: NodeJS.Platform = process.platform): string {
  return join(folderOf(env, platform), 'certs.json')
}

function folderOf(env: PlaceVariables, platform: NodeJS.Platform): string {
  if (env.DET_DEBUG_CONFIG_PATH) return env.DET_DEBUG_CONFIG_PATH
  return join(baseOf(env, platform), 'determined')
}

function baseOf({ XDG_CONFIG_HOME, LOCALAPPDATA, HOME }: PlaceVariables, platform: NodeJS.Platform): string {
  const home = HOME || homedir()
  // If it is empty, Python uses the current folder; here an empty value counts as unset.
  if (platform === 'linux' && XDG_CONFIG_HOME) return XDG_CONFIG_HOME
  if (platform === 'darwin') return join(home, 'Library', 'Application Support')
  if (platform === 'win32' && LOCALAPPDATA) return LOCALAPPDATA
  return join(home, '.config')
}
