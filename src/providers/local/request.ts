// What launching a local VM would do, as data for printing.

import { createHash } from 'node:crypto'
import type * as z from 'zod/mini'
import {
  type Block,
  checkImages,
  commonRules,
  count,
  keyOr,
  note,
  type Partially,
  providerSchema,
  requiresProof,
} from '../../config/index.ts'
import { type Intent, type LaunchRequest, ownerTagsOf, type RequestInput } from '../contract.ts'

// `type: local`: VMs are processes on this machine. Its keys and rules.

export const localProvider = providerSchema('local', 'Instances that are processes on this machine.', {
  slots: keyOr(count(0), 1, 'Slots that each local agent reports; they are artificial.'),
})

type LocalKeys = z.output<typeof localProvider>

/** `type: local` after defaults and rules. */
export type LocalConfig = ReturnType<ReturnType<typeof localRules>>

export function localRules(keys: Partially<LocalKeys>, block: Block) {
  if (keys.agent_runtime === 'docker')
    note(block, 'CONFIG_CONFLICT', 'instances of type local are processes, but agent_runtime is "docker"', {
      key: 'agent_runtime',
      remedy: 'Remove agent_runtime.',
    })
  checkImages(keys, block, false)
  const common = commonRules(keys, block, false)
  return (whole: LocalKeys) => ({ ...whole, ...common(whole), agent_runtime: 'process' as const })
}

export function buildRequest({ config, owner, intent }: RequestInput<LocalConfig>): LaunchRequest {
  return {
    call: 'spawn',
    body: {
      command: ['bash', 'script'],
      environment: [...instanceVariables, ...(requiresProof(config) ? [joinSecretVariable] : [])],
      instances: instanceIds(intent),
      tags: ownerTagsOf(owner, intent.id),
    },
    problems: [],
  }
}

// Ids of local VMs, derived from the intent: the same intent always gives the same names, so that a retry starts no
// second set.

const shape = /^local-[0-9a-f]{8}-[1-9]\d*$/

/** `local-<8 hex of the intent>-<n>`, n from 1. */
export function instanceIds(intent: Pick<Intent, 'id' | 'count'>): string[] {
  const stem = createHash('sha256').update(intent.id).digest('hex').slice(0, 8)
  return Array.from({ length: intent.count }, (_, n) => `local-${stem}-${n + 1}`)
}

/** Checks every id that becomes part of a path. */
export function isInstanceId(id: string): boolean {
  return shape.test(id)
}

// The environment of a local VM: that of a machine, and which VM it is. It gets nothing else of this process's
// environment.

type Environment = Readonly<Record<string, string | undefined>>

const hostVariables = ['PATH', 'TMPDIR', 'LANG', 'LC_ALL', 'SSL_CERT_FILE', 'SSL_CERT_DIR'] as const
export const instanceVariables = [...hostVariables, 'PROVISION_ROOT', 'PROVISION_INSTANCE_ID'] as const
/** The secret for the join proof of the instance; only in pools that require one. */
const joinSecretVariable = 'PROVISION_JOIN_SECRET'

export function instanceEnvironment({
  id,
  root,
  env,
  joinSecret,
}: {
  id: string
  root: string
  env: Environment
  joinSecret?: string | undefined
}): Environment {
  const machine = Object.fromEntries(hostVariables.map((name) => [name, env[name]]))
  return {
    ...machine,
    PROVISION_ROOT: root,
    PROVISION_INSTANCE_ID: id,
    ...(joinSecret !== undefined && { [joinSecretVariable]: joinSecret }),
  }
}

/** In the environment of every process of the VM, and of no other process. */
export function rootVariable(root: string): string {
  return `PROVISION_ROOT=${root}`
}
