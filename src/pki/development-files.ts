// The files of a development CA: all of them or none, and never over a file that is there.
import {
  constants,
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { ProvisionError, problem } from '../problems/problem.ts'
import type { DevelopmentChain } from './development-ca.ts'

export interface DevelopmentFiles {
  /** Leaf, intermediate and root: for `security.tls.cert`. */
  chain: string
  /** Key of the leaf: for `security.tls.key`. */
  serverKey: string
  /** The leaf alone. */
  serverCertificate: string
  intermediateCertificate: string
  intermediateKey: string
  /** For clients that should trust everything this CA issues. */
  rootCertificate: string
  rootKey: string
}

/** Where the files of a development CA lie in a folder. */
export function developmentFiles(directory: string): DevelopmentFiles {
  return {
    chain: join(directory, 'chain.crt'),
    serverKey: join(directory, 'server.key'),
    serverCertificate: join(directory, 'server.crt'),
    intermediateCertificate: join(directory, 'intermediate.crt'),
    intermediateKey: join(directory, 'intermediate.key'),
    rootCertificate: join(directory, 'root.crt'),
    rootKey: join(directory, 'root.key'),
  }
}

/**
 * Writes the seven files, keys readable by their owner only (0600), in a folder made for them (0700) if need be.
 * Throws a ProvisionError: CERTS_EXIST when any of them is there already, CERTS_NOT_WRITTEN when the disk refuses.
 */
export function writeDevelopmentChain(directory: string, chain: DevelopmentChain): DevelopmentFiles {
  const files = developmentFiles(directory)
  const contents: [path: string, text: string, mode: number][] = [
    [files.rootKey, chain.root.key, 0o600],
    [files.rootCertificate, chain.root.certificate, 0o644],
    [files.intermediateKey, chain.intermediate.key, 0o600],
    [files.intermediateCertificate, chain.intermediate.certificate, 0o644],
    [files.serverCertificate, chain.leaf.certificate, 0o644],
    [files.serverKey, chain.leaf.key, 0o600],
    [files.chain, chain.chain, 0o644],
  ]
  const undo: (() => void)[] = []
  try {
    refuseToOverwrite(contents.map(([path]) => path))
    if (mkdirSync(directory, { recursive: true, mode: 0o700 })) undo.push(() => rmdirSync(directory))
    const staging = mkdtempSync(join(directory, '.certs-'))
    undo.push(() => rmSync(staging, { recursive: true, force: true }))
    const staged = contents.map(([path, text, mode], index) => {
      const from = join(staging, String(index))
      writeFileSync(from, text, { mode, flush: true })
      return { from, path }
    })
    for (const { from, path } of staged) {
      place(from, path)
      undo.push(() => rmSync(path))
    }
    rmSync(staging, { recursive: true, force: true })
    return files
  } catch (error) {
    for (const step of undo.reverse()) attempt(step)
    throw error instanceof ProvisionError ? error : refusal(directory, error)
  }
}

function refuseToOverwrite(paths: string[]): void {
  const there = paths.filter((path) => lstatSync(path, { throwIfNoEntry: false }))
  if (there.length > 0) throw alreadyThere(there)
}

/** A link appears whole and, unlike a rename, never replaces what came there in the meantime. */
function place(from: string, path: string): void {
  try {
    linkSync(from, path)
  } catch (error) {
    // Shared folders of virtual machines and FAT know no links.
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(codeOf(error))) throw error
    copyFileSync(from, path, constants.COPYFILE_EXCL)
  }
}

function refusal(directory: string, error: unknown): ProvisionError {
  const { dest, message } = error as Error & { dest?: string }
  if (codeOf(error) === 'EEXIST' && dest) return alreadyThere([dest])
  return new ProvisionError(
    problem('CERTS_NOT_WRITTEN', `no certificates written to ${directory}: ${message}`, { cause: error }),
  )
}

function alreadyThere(paths: string[]): ProvisionError {
  const message = `not overwritten: ${paths.join(', ')}`
  return new ProvisionError(problem('CERTS_EXIST', message, { details: { files: paths } }))
}

/** Cleaning up must not hide why it was needed. */
function attempt(step: () => void): void {
  try {
    step()
  } catch {}
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? ''
}
