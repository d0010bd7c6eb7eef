// Where the state is kept: the block `state`, beside the older key `state_dir`.
import { SecretText } from '../platform/index.ts'
import { choice, key, keyOr, name, shaped } from './fields.ts'
import type { Partially } from './read-block.ts'
import { type Block, given, inner, note } from './read-block.ts'

/** Kinds of stores that a file may name. */
export const stateTypes = ['folder', 'postgres'] as const
type StateType = (typeof stateTypes)[number]

/** The default of `state_dir`. */
export const defaultStateDir = '.provision'

/** Which pools a provisioner leads when several share a database. */
export const leaseChoices = ['share', 'all'] as const
export type LeaseChoice = (typeof leaseChoices)[number]

export const stateKeys = {
  type: keyOr(
    choice(...stateTypes),
    'folder',
    'Where identity, journals and decisions are kept: a folder of this machine, or PostgreSQL.',
  ),
  path: key(
    name,
    'The folder; relative to this file. The same as `state_dir`: one of the two is enough.',
    '`state_dir`',
  ),
  url: key(
    name,
    'Address of the database, `postgresql://user@host:5432/database`. With a password, use `url_file`.',
    'the variables of PostgreSQL: PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE, PGSSLMODE and others',
  ),
  url_file: key(name, 'File with that address. It is read again at each connection.'),
  schema: key(
    shaped(
      /^(?!pg_)[^\0\n]{1,40}$/i,
      'the name of a schema, at most 40 characters, not beginning with "pg_"',
    ),
    'Schema of the tables; created if it is missing.',
    '`provision`',
  ),
  leases: key(
    choice(...leaseChoices),
    'Pools that this provisioner leads where several share the database: its share, or all that it can have.',
    '`share`',
  ),
  ca_file: key(name, 'CA certificates (PEM) of the database.', 'the well-known CAs'),
  client_cert: key(name, 'Client certificate (PEM) for the database.'),
  client_key: key(name, 'Its private key (PEM).'),
}

/** The store of the state; a folder is `state_dir`. */
export type StateConfig = { type: 'folder' } | PostgresConfig

export interface PostgresConfig {
  type: 'postgres'
  url?: SecretText
  /** Absolute, as the other paths. */
  url_file?: string
  schema: string
  /** Default: `share`. */
  leases?: LeaseChoice
  ca_file?: string
  client_cert?: string
  client_key?: string
}

interface StateKeys extends Omit<PostgresConfig, 'type' | 'url' | 'schema'> {
  type: StateType
  path?: string
  url?: string
  schema?: string
}

/** @param pathOf makes a path of the file absolute */
export function stateOf(keys: StateKeys, pathOf: (path: string) => string): StateConfig {
  if (keys.type === 'folder') return { type: 'folder' }
  const files = (['url_file', 'ca_file', 'client_cert', 'client_key'] as const).flatMap((file) =>
    keys[file] === undefined ? [] : [[file, pathOf(keys[file])] as const],
  )
  return {
    type: 'postgres',
    schema: keys.schema ?? 'provision',
    ...(keys.leases !== undefined && { leases: keys.leases }),
    ...(keys.url !== undefined && { url: new SecretText(keys.url) }),
    ...Object.fromEntries(files),
  }
}

const postgresOnly = ['url', 'url_file', 'schema', 'leases', 'ca_file', 'client_cert', 'client_key']

/** Rules between the keys. Values are never part of a message: they may contain a password. */
export function checkState(
  block: Block,
  state: Partially<StateKeys> | undefined,
  stateDir: string | undefined,
  pathOf: (path: string) => string,
): void {
  // An empty string counts as absent elsewhere; here it would be another folder than the user means.
  if (block.raw['state_dir'] === '')
    note(block, 'CONFIG_BAD_VALUE', 'state_dir must be a non-empty string, but is ""', {
      key: 'state_dir',
      remedy: 'Write a string of at least one character.',
    })
  const written = inner(block, 'state')
  if (!written || !state?.type) return
  if (state.type === 'folder') {
    for (const key of postgresOnly.filter((name) => given(written, name)))
      note(written, 'CONFIG_CONFLICT', `state.${key} is for PostgreSQL, but state.type is "folder"`, {
        key,
        part: 'key',
        remedy: 'Write `type: postgres`, or remove the key.',
      })
    checkFolders(block, written, state.path, stateDir, pathOf)
    return
  }
  if (given(written, 'path'))
    note(written, 'CONFIG_CONFLICT', 'state.path is for a folder, but state.type is "postgres"', {
      key: 'path',
      part: 'key',
      remedy: 'Remove it. The folder of the control socket and of the token is `state_dir`.',
    })
  if (given(written, 'url') && given(written, 'url_file'))
    note(written, 'CONFIG_CONFLICT', 'state.url and state.url_file cannot be combined', {
      key: 'url',
      part: 'key',
    })
  if (given(written, 'url') && !/^postgres(?:ql)?:\/\//.test(state.url ?? ''))
    note(written, 'CONFIG_BAD_VALUE', 'state.url must begin with postgresql://', {
      key: 'url',
      part: 'key',
      remedy: 'Write `postgresql://user@host:5432/database`, or put the address into state.url_file.',
    })
  if (given(written, 'client_cert') !== given(written, 'client_key')) {
    const [has, lacks] = given(written, 'client_cert')
      ? ['client_cert', 'client_key']
      : ['client_key', 'client_cert']
    note(written, 'CONFIG_NEEDS_KEY', `state.${has} needs state.${lacks}`, { key: has!, part: 'key' })
  }
}

function checkFolders(
  block: Block,
  written: Block,
  path: string | undefined,
  stateDir: string | undefined,
  pathOf: (path: string) => string,
): void {
  if (path === undefined || stateDir === undefined || !given(block, 'state_dir')) return
  if (pathOf(path) === pathOf(stateDir)) return
  note(written, 'CONFIG_CONFLICT', `state.path is ${path}, but state_dir is ${stateDir}`, {
    key: 'path',
    remedy: 'With `type: folder` they are one folder: remove one of the two.',
  })
}
