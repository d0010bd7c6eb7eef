// What launching a local VM would do, as data for people.

import type { LocalConfig } from '../../config/provider-config.ts'
import type { RequestInput } from '../contract.ts'
import type { LaunchRequest } from '../launch.ts'
import { ownerTagsOf } from '../ownership.ts'
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
