// What a person does with the agents' CA: create it, replace it in three steps, and let an instance bring another key.
import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { shortIds, writeFileAtomic } from '../platform/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'
import type { Binding, CaContents, JoinStore, StoredAuthority } from '../state/index.ts'
import { type CaFiles, ensureCa, idOf, newAuthority } from './issuer.ts'

/** Milliseconds in which an instance may bring another key. */
export const reissueTime = 3_600_000

/** Throws AGENTS_CA_EXISTS. `now`: the time of day in milliseconds, as everywhere here. */
export async function createCa(store: JoinStore, now: number): Promise<void> {
  if ((await ensureCa(store, now)) === 'created') return
  throw new ProvisionError(problem('AGENTS_CA_EXISTS', "there is an agents' CA already"))
}

/**
 * First step: a second CA, which is handed out beside the first and issues nothing yet, so that every master can know it in
 * time. Throws AGENTS_CA_ROTATION unless there is one CA only.
 */
export function startRotation(store: JoinStore, now: number): Promise<void> {
  return change(store, async ({ authorities }) => {
    if (authorities.length !== 1) throw outOfOrder('a rotation is in progress already', authorities)
    return [...authorities, { role: 'next', ...(await newAuthority(now)) }]
  })
}

/** Second step: the new CA issues, the old one is handed out still. Throws AGENTS_CA_ROTATION unless the first was done. */
export function activateNext(store: JoinStore): Promise<void> {
  return change(store, async ({ authorities }) => {
    if (!authorities.some(({ role }) => role === 'next'))
      throw outOfOrder('there is no CA that could issue next', authorities)
    const roles = { issuing: 'previous', next: 'issuing', previous: 'previous' } as const
    return authorities.map(({ key, ...kept }) => ({
      ...kept,
      role: roles[kept.role],
      // A CA that issues nothing any more needs no key.
      ...(kept.role === 'next' && key !== undefined && { key }),
    }))
  })
}

/**
 * Third step: the old CA is not handed out any more. Throws AGENTS_CA_ROTATION unless the second was done, and AGENTS_CA_IN_USE while
 * a certificate that it issued is valid, whose instance has not shown one of the new CA. No later one can exist: who issues reads the CA again after the binding was stored.
 */
export function finishRotation(store: JoinStore, now: number): Promise<void> {
  return change(store, async ({ authorities }) => {
    const old = authorities.filter(({ role }) => role === 'previous')
    if (old.length === 0) throw outOfOrder('no CA waits to be dropped', authorities)
    const ids = new Set(old.map(({ certificate }) => idOf(new X509Certificate(certificate))))
    const inUse = (await store.bindings()).flatMap(({ instance, issuer, expiresAt, earlier }) => {
      const used = [{ issuer, expiresAt }, ...(earlier ? [earlier] : [])]
      const last = used.find((one) => ids.has(one.issuer) && one.expiresAt > now)
      return last ? [{ instance, expiresAt: last.expiresAt }] : []
    })
    if (inUse.length > 0) throw stillUsed(inUse)
    return authorities.filter(({ role }) => role !== 'previous')
  })
}

/** Throws JOIN_BINDING_UNKNOWN. Resolves with the end of the time in which the instance may bring another key. */
export async function allowReissue(store: JoinStore, instance: string, now: number): Promise<number> {
  const found = await store.binding(instance)
  if (!found)
    throw new ProvisionError(
      problem('JOIN_BINDING_UNKNOWN', `no instance ${instance} has joined with a certificate`),
    )
  const { revision: _, ...binding } = found
  const reissueUntil = now + reissueTime
  if (!(await store.replaceBinding({ ...binding, reissueUntil }, found))) throw changed()
  return reissueUntil
}

/**
 * Writes the file in `state_dir` for a master's `client_ca`, readable by all: it holds no secret. Returns its path. Throws
 * STATE_DIR_UNUSABLE.
 */
export function writeBundle(stateDir: string, bundle: string): string {
  const file = join(stateDir, 'agents-ca.pem')
  try {
    writeFileAtomic(file, bundle, 0o644)
  } catch (cause) {
    const message = `${file} cannot be written: ${(cause as Error).message}`
    throw new ProvisionError(problem('STATE_DIR_UNUSABLE', message, { cause }))
  }
  return file
}

async function change(store: JoinStore, to: (ca: CaContents) => Promise<StoredAuthority[]>): Promise<void> {
  const ca = await store.readCa()
  if (!ca) throw new ProvisionError(problem('AGENTS_CA_MISSING', "there is no agents' CA yet"))
  // No file is named any more.
  if (ca.authorities.length === 0) throw isFile('in files that the configuration does not name now')
  if (!(await store.replaceCa({ ...ca, authorities: await to(ca) }, ca.revision))) throw changed()
}

/** Before a change of the CA in the state: it would have no effect on one in files. Throws AGENTS_CA_IS_FILE. */
export function assertNoFiles(files: CaFiles | undefined): void {
  if (files) throw isFile(`in ${files.certificateFile}`)
}

function isFile(where: string): ProvisionError {
  return new ProvisionError(problem('AGENTS_CA_IS_FILE', `the agents' CA is ${where}`))
}

function changed(): ProvisionError {
  return new ProvisionError(problem('AGENTS_CA_CHANGED', 'another process has changed it at the same time'))
}

function outOfOrder(why: string, authorities: readonly StoredAuthority[]): ProvisionError {
  const next = nextStep(authorities.map(({ role }) => role))
  return new ProvisionError(
    problem('AGENTS_CA_ROTATION', why, { remedy: `The next step is \`provision agents-ca ${next}\`.` }),
  )
}

/** The command of the next step. */
export function nextStep(roles: readonly StoredAuthority['role'][]): string {
  if (roles.includes('next')) return 'rotate --activate'
  return roles.includes('previous') ? 'rotate --finish' : 'rotate'
}

function stillUsed(inUse: readonly Pick<Binding, 'instance' | 'expiresAt'>[]): ProvisionError {
  const ids = shortIds(inUse.map(({ instance }) => instance))
  const last = Math.max(...inUse.map(({ expiresAt }) => expiresAt))
  const message = `certificates of ${inUse.length} instances were issued by the previous CA and are valid until ${new Date(last).toISOString()} at the latest: ${ids}`
  return new ProvisionError(problem('AGENTS_CA_IN_USE', message))
}
