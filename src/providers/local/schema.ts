// `type: local`: VMs are processes on this machine. Its keys, and what follows from them.
import type * as z from 'zod/mini'
import { count, keyOr } from '../../config/fields.ts'
import { providerSchema } from '../../config/provider.ts'
import { commonRules } from '../../config/provider-keys.ts'
import { type Block, note, type Partially } from '../../config/read-block.ts'

export const localProvider = providerSchema('local', 'VMs that are processes on this machine.', {
  slots: keyOr(count(0), 1, 'Slots each local agent shows; they are artificial.'),
})

type LocalKeys = z.output<typeof localProvider>

/** `type: local` after defaults and rules. */
export type LocalConfig = ReturnType<ReturnType<typeof localRules>>

export function localRules(keys: Partially<LocalKeys>, block: Block) {
  if (keys.agent_runtime === 'docker')
    note(block, 'CONFIG_CONFLICT', 'VMs of type local are processes, but agent_runtime is "docker"', {
      key: 'agent_runtime',
      remedy: 'Remove agent_runtime.',
    })
  const common = commonRules(keys, block, false)
  return (whole: LocalKeys) => ({ ...whole, ...common(whole), agent_runtime: 'process' as const })
}
