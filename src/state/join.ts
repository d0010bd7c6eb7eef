// The port: the agents' CA, which nonces of joins were used, and which key each instance has joined with.
import * as z from 'zod/mini'

/**
 * - `issuing`: signs the certificates of instances; there is always exactly one
 * - `next`: handed out already, and issues nothing yet
 * - `previous`: handed out still, and issues nothing any more */
export const authorityRoles = ['issuing', 'next', 'previous'] as const

const authority = z.object({
  role: z.enum(authorityRoles),
  /** PEM. */
  certificate: z.string(),
  /** PKCS #8, PEM; left out where the key is not kept in the state. */
  key: z.optional(z.string()),
})

const caContents = z.object({
  /** 32 bytes, base64. Nonces of every provisioner of the cluster are authenticated with it. */
  nonceKey: z.string().check(z.regex(/^[A-Za-z0-9+/]{43}=$/)),
  /** Of earlier to later rotations. Empty where certificates and key are the user's files. */
  authorities: z.array(authority),
})

const binding = z.object({
  instance: z.string(),
  pool: z.string(),
  /** SHA-256 of the SubjectPublicKeyInfo in DER, hex. */
  key: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  /** When the instance joined with this key. Milliseconds since the epoch, as all times here. */
  boundAt: z.number(),
  /** SHA-256 of the CA certificate in DER that issued the last certificate, hex. */
  issuer: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  /** When the last certificate expires. */
  expiresAt: z.number(),
  /** The last certificate of another issuer: the instance may have no later one, until it has shown one of `issuer`. */
  earlier: z.optional(z.object({ issuer: z.string(), expiresAt: z.number() })),
  /** When another key came with a valid proof, and was refused. */
  otherKeyAt: z.optional(z.number()),
  /** Until then a person lets the instance bring another key, once. */
  reissueUntil: z.optional(z.number()),
})

export type CaContents = z.output<typeof caContents>
export type StoredAuthority = z.output<typeof authority>
export type Binding = z.output<typeof binding>

/** A value as it was read: `revision` proves to a later change that it has not changed in between. */
export type Revised<T> = T & { readonly revision: number }

/**
 * Every change is atomic, and resolves once it survives a crash. Changes need neither a lease nor the right to the whole
 * state: each states what it replaces, so that provisioners of a cluster, and a command beside them, may make them at once.
 * Each call may throw a ProvisionError, STATE_UNREACHABLE or STATE_DIR_UNUSABLE.
 */
export interface JoinStore {
  /** undefined before the first `replaceCa`. */
  readCa(): Promise<Revised<CaContents> | undefined>
  /** False, and nothing changes, unless the CA still has this revision; undefined: there is none. */
  replaceCa(contents: CaContents, expected: number | undefined): Promise<boolean>
  /**
   * True once for each nonce, whoever asks. Such a nonce is remembered for at least ten minutes. `nonce`: any text.
   */
  takeNonce(nonce: string): Promise<boolean>
  binding(instance: string): Promise<Revised<Binding> | undefined>
  /** Adds the binding if the instance has none. Resolves with the one in force: the first of all that are made at once. */
  bind(binding: Binding): Promise<Revised<Binding>>
  /** False, and nothing changes, unless the binding of the instance still has the revision of `expected`. */
  replaceBinding(next: Binding, expected: Revised<Binding>): Promise<boolean>
  /** All, in any order. */
  bindings(): Promise<Revised<Binding>[]>
  removeBindings(instances: readonly string[]): Promise<void>
}

/** Milliseconds for which a used nonce is remembered: far longer than one is valid, whatever the clocks of the provisioners. */
export const nonceMemory = 600_000

/** In this order of fields, so that equal values have equal texts. Throws for what is not a CA. */
export function caText({ nonceKey, authorities }: CaContents): string {
  return JSON.stringify(caContents.parse({ nonceKey, authorities }))
}

/** Throws for text that this program did not write. */
export function caIn(text: string, revision: number): Revised<CaContents> {
  return { ...caContents.parse(JSON.parse(text)), revision }
}

/** Without the revision. */
export function bindingText(of: Binding): string {
  return JSON.stringify(binding.parse(of))
}

/** Throws for text that this program did not write. */
export function bindingIn(text: string, revision: number): Revised<Binding> {
  return { ...binding.parse(JSON.parse(text)), revision }
}
