// What launching a local VM would do, as data for people.
import type { LaunchRequest } from '../../model/launch.ts'
import { ownerTagsOf } from '../../model/ownership.ts'
import type { LocalConfig } from '../../model/provider-config.ts'
import type { RequestInput } from '../provider.ts'
import { vmVariables } from './environment.ts'
import { instanceIds } from './names.ts'

export function buildRequest({ owner, intent }: RequestInput<LocalConfig>): LaunchRequest {
  return {
    call: 'spawn',
    body: {
      command: ['bash', 'script'],
      environment: [...vmVariables],
      instances: instanceIds(intent),
      tags: ownerTagsOf(owner, intent.id),
    },
    problems: [],
  }
}
