// The people who may log in to the built-in master: their names and password hashes, in one file.

import { createHash, randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { lstatSync } from 'node:fs'
import { promisify } from 'node:util'
import { readPlainFile, writeFileAtomic } from '../platform/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'

/** Name → hash in the PHC string format, such as `$scrypt$ln=15,r=8,p=3$SALT$HASH`. */
export type Users = ReadonlyMap<string, string>

export const userNamePattern = /^[\w.@-]{1,64}$/
export const leastPassword = 8

const derive = promisify<string, Buffer, number, object, Buffer>(scrypt)
/** 32 MiB for each password: one of the settings of OWASP's Password Storage Cheat Sheet. */
const cost = 'ln=15,r=8,p=3'
const options = { N: 2 ** 15, r: 8, p: 3, maxmem: 64 * 1024 * 1024 }
const shape = /^\$scrypt\$ln=15,r=8,p=3\$([\w-]{22})\$([\w-]{43})$/

/**
 * One line for each user, `NAME:HASH`; none without a file. Throws USERS_FILE_OPEN when other users can read or write the
 * file, USERS_FILE_UNUSABLE when it cannot be read or has a line of another kind.
 */
export function readUsers(file: string): Users {
  const text = readOwn(file) ?? ''
  const users = new Map<string, string>()
  for (const [n, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    const [, name = '', hash = ''] = /^([^:]*):(.*)$/.exec(line.trim()) ?? []
    if (!userNamePattern.test(name) || !shape.test(hash))
      throw unusable(file, `line ${n + 1} is not a name and a hash that \`provision user set\` made`)
    users.set(name, hash)
  }
  return users
}

function readOwn(file: string): string | undefined {
  try {
    const text = readPlainFile(file)
    const mode = text === undefined ? 0 : lstatSync(file).mode & 0o777
    if (mode & 0o077)
      throw new ProvisionError(
        problem(
          'USERS_FILE_OPEN',
          `${file} can be read or written by others (mode ${mode.toString(8).padStart(4, '0')})`,
          { remedy: `chmod 600 ${file}, and set the passwords again if others may have read it.` },
        ),
      )
    return text
  } catch (error) {
    throw error instanceof ProvisionError ? error : unusable(file, (error as Error).message)
  }
}

/** Replaces the file as a whole; its mode is 0600. Throws USERS_FILE_UNUSABLE. */
export function writeUsers(file: string, users: Users): void {
  const lines = [...users].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, hash]) => `${name}:${hash}\n`)
  try {
    writeFileAtomic(file, lines.join(''), 0o600)
  } catch (error) {
    throw unusable(file, (error as Error).message)
  }
}

function unusable(file: string, why: string): ProvisionError {
  return new ProvisionError(problem('USERS_FILE_UNUSABLE', `${file}: ${why}`))
}

/**
 * What Determined's clients send instead of the password (Determined: harness/determined/common/api/authentication.py). It
 * protects nobody; the hash of it that is stored does.
 */
export function asSent(password: string): string {
  return createHash('sha512').update(`GubPEmmotfiK9TMD6Zdw${password}`).digest('hex')
}

/** The hash to store for a password. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16)
  const hash = await derive(asSent(password), salt, 32, options)
  return `$scrypt$${cost}$${salt.toString('base64url')}$${hash.toString('base64url')}`
}

/** Takes as long for a user who does not exist as for a wrong password. */
export async function isPassword(sent: string, hash: string | undefined): Promise<boolean> {
  const [, salt = '', expected = ''] = shape.exec(hash ?? '') ?? []
  const known = Buffer.from(expected, 'base64url')
  const derived = await derive(sent, Buffer.from(salt, 'base64url'), 32, options)
  return known.length === derived.length && timingSafeEqual(derived, known)
}
