// Faults to plant: rollouts that hurt jobs, ignore their limits, or trust what has not proven itself.

import type { PlantedFault } from './faults.ts'

export const faultsOfRollouts: PlantedFault[] = [
  {
    name: 'rollout: terminate busy instances',
    does: 'terminates busy outdated instances without drain_timeout',
    always: ['generation_changed'],
    edits: [
      {
        file: 'planner/outdated.ts',
        find: "if (when !== 'budget' || drainTimeout === undefined) return false",
        replace: "if (when !== 'budget' || drainTimeout === undefined) return rolledSince !== undefined",
      },
    ],
  },
  {
    name: 'rollout: ignore drain_timeout',
    does: 'terminates busy outdated instances as soon as they are drained, if drain_timeout is set at all',
    always: ['generation_changed', 'drain_timeout'],
    edits: [
      {
        file: 'planner/outdated.ts',
        find: ' || now - rolledSince < drainTimeout) return false',
        replace: ') return false',
      },
    ],
  },
  {
    name: 'rollout: ignore max_unavailable',
    does: 'takes all outdated instances out of service at once',
    always: ['generation_changed'],
    edits: [
      {
        file: 'planner/rollout.ts',
        find: 'const most = shareOf(rules.maxUnavailable, inventory.lasting) - out',
        replace: 'const most = candidates.length',
      },
    ],
  },
  {
    name: 'rollout: forget what is out of service',
    does: 'counts only the instances that it takes out of service now',
    always: ['generation_changed'],
    edits: [
      {
        file: 'planner/rollout.ts',
        find: 'const most = shareOf(rules.maxUnavailable, inventory.lasting) - out',
        replace: 'const most = shareOf(rules.maxUnavailable, inventory.lasting) - Math.min(0, out)',
      },
    ],
  },
  {
    name: 'rollout: remove before replacing',
    does: 'takes outdated instances out of service whatever min_instances is',
    always: ['generation_changed'],
    edits: [
      {
        file: 'planner/rollout.ts',
        find: 'return inService(context) - Math.max(0, policy.minInstances - below)',
        replace: 'return inService(context) + below',
      },
    ],
  },
  {
    name: 'rollout: count starting instances',
    does: 'treats a replacement as joined as soon as it was launched',
    always: ['generation_changed'],
    edits: [
      {
        file: 'planner/rollout.ts',
        find: "      member.phase === 'ready' &&\n      isShown",
        replace: "      (member.phase === 'ready' || member.phase === 'coming') &&\n      isShown",
      },
    ],
  },
  {
    name: 'rollout: trust a new generation',
    does: 'replaces instances although none of the new generation has joined and lasted',
    always: ['generation_changed'],
    edits: [{ file: 'planner/rollout.ts', find: '    state.proven ||\n', replace: '    !state.proven ||\n' }],
  },
  {
    name: 'rollout: try a failed generation again',
    does: 'does not remember that the first instance of a generation failed',
    always: ['generation_changed'],
    edits: [
      {
        file: 'fleet/rollouts.ts',
        find: '  memory.rollout = { ...rollout, failed: { code, id, at: now } }\n',
        replace: '',
      },
    ],
  },
  {
    name: 'rollout: forget a failed generation',
    does: 'tries a generation that failed again after each restart',
    always: ['generation_changed', 'crash_loop'],
    edits: [
      {
        file: 'fleet/records.ts',
        find: '      if (record.rollout) memory.rollout = record.rollout\n',
        replace: '',
      },
      { file: 'fleet/records.ts', find: '  memory.rollout = { ...stored.rollout }\n', replace: '' },
    ],
  },
  {
    name: 'rollout: ignore a pause',
    does: 'replaces instances although a person paused the rollout',
    always: ['generation_changed', 'rollout_paused'],
    edits: [{ file: 'planner/rollout.ts', find: "  if (rollout!.paused) return 'PAUSED'\n", replace: '' }],
  },
  {
    name: 'rollout: ignore the schedule',
    does: 'replaces instances whenever it can',
    always: ['generation_changed', 'rollout_schedule'],
    edits: [{ file: 'planner/rollout.ts', find: "  if (!rollout!.open) return 'SCHEDULE'\n", replace: '' }],
  },
  {
    name: 'rollout: never replace',
    does: 'shows what is outdated, and replaces nothing',
    always: ['generation_changed'],
    edits: [
      {
        file: 'planner/rollout.ts',
        find: "const stop = rules.when === 'never' ?",
        replace: "const stop = rules.when !== 'never' ?",
      },
    ],
  },
]
