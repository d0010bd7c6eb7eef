// Rules between the top-level keys that are ours alone: where demand comes from, and the listener.
import type { DemandConfig, ListenConfig } from './master-config.ts'
import type { Partially } from './read-block.ts'
import { type Block, given, inner, note } from './reading.ts'

const determinedOnly = [
  'url',
  'user',
  'password_file',
  'token_file',
  'ca_file',
  'master_cert_name',
  'placeholder_agent',
]

export function checkDemand(block: Block, demand: Partially<DemandConfig> | undefined): void {
  const written = inner(block, 'demand')
  if (!written || !demand?.type) return
  if (demand.type !== 'determined') {
    for (const key of determinedOnly.filter((name) => given(written, name)))
      note(
        written,
        'CONFIG_CONFLICT',
        `demand.${key} is for a Determined master, but demand.type is "${demand.type}"`,
        {
          key,
          part: 'key',
          remedy: 'Write `type: determined`, or remove the key.',
        },
      )
    return
  }
  if (!given(written, 'user') !== !given(written, 'password_file')) {
    const [has, lacks] = given(written, 'user') ? ['user', 'password_file'] : ['password_file', 'user']
    note(written, 'CONFIG_NEEDS_KEY', `demand.${has} needs demand.${lacks}`, { key: has!, part: 'key' })
  }
  if (given(written, 'token_file') && given(written, 'user'))
    note(written, 'CONFIG_CONFLICT', 'demand.token_file and demand.user both say who logs in', {
      key: 'token_file',
      part: 'key',
    })
  if (!['user', 'password_file', 'token_file'].some((key) => given(written, key)))
    note(written, 'CONFIG_NEEDS_KEY', 'a Determined master wants a login', {
      key: 'type',
      remedy: 'Set demand.user and demand.password_file, or demand.token_file.',
    })
}

interface Surroundings {
  listen: Partially<ListenConfig> | undefined
  /** The master's. */
  port: number
  hasTls: boolean
  demandType: DemandConfig['type'] | undefined
}

export function checkListen(block: Block, { listen, port, hasTls, demandType }: Surroundings): void {
  const written = inner(block, 'listen')
  if (!written || !listen) return
  if (!given(written, 'tls') && !hasTls)
    note(block, 'CONFIG_NEEDS_KEY', 'listen needs a certificate: listen.tls or security.tls', {
      key: 'listen',
      part: 'key',
      remedy: 'Set listen.tls.cert and listen.tls.key; `provision certs` makes a development pair.',
    })
  if (listen.port === port && demandType === 'built-in')
    note(block, 'CONFIG_CONFLICT', `listen.port and the master's port are both ${port}`, {
      key: given(written, 'port') ? ['listen', 'port'] : 'port',
      remedy: "Choose another port, or remove listen: the built-in master's listener serves both.",
    })
}
