// Faults in what is known of the generations of instances.

import type { PlantedFault } from './faults.ts'

export const faultsOfDrift: PlantedFault[] = [
  {
    name: 'forget what an instance was made from',
    does: 'writes instances down without their generation',
    always: ['certificate_renewed', 'crash'],
    edits: [
      {
        file: 'fleet/records.ts',
        find: '    drifted: _____,\n',
        replace: '    drifted: _____,\n    generation: ______,\n',
      },
    ],
  },
  {
    name: 'restamp at every start',
    does: 'takes every instance for one of the present generation after a restart',
    always: ['certificate_renewed', 'crash'],
    edits: [
      {
        file: 'rollout/generation.ts',
        find: '  if (held.version === present.version) return held\n',
        replace: '  if (held.version === present.version) return present\n',
      },
    ],
  },
  {
    name: 'launch under the first generation',
    does: 'writes each launch down with the generation of the first one',
    always: ['certificate_renewed'],
    edits: [
      {
        file: 'fleet/memory.ts',
        find: '  memory.generation = generation.id\n',
        replace: '  memory.generation ??= generation.id\n',
      },
    ],
  },
]
