// Faults to plant: what is old is taken as new, or what was known is forgotten at a restart, while paused, or at a stop.

import type { PlantedFault } from './faults.ts'

export const faultsOfMemory: PlantedFault[] = [
  {
    name: 'take a stale view as fresh',
    does: 'acts on the newest view of the master, however old it is',
    always: ['master_down', 'stops', 'script_fails', 'suspended'],
    edits: [
      {
        file: 'planner/rules.ts',
        find: 'return demandAt !== undefined && now - demandAt <= allowedAge(maxSnapshotAge, took)',
        replace: 'return demandAt !== undefined && now - demandAt <= allowedAge(maxSnapshotAge, took) + 1e12',
      },
    ],
  },
  {
    name: 'forget the launch rate',
    does: 'starts with the whole budget of failed launches after each restart',
    always: ['short_lived', 'crash_loop'],
    edits: [
      { file: 'fleet/records.ts', find: '  memory.budget = stored.budget\n', replace: '' },
      { file: 'fleet/records.ts', find: '      memory.budget = record.budget\n', replace: '' },
    ],
  },
  {
    name: 'forget the breaker',
    does: 'starts with a closed breaker after each restart',
    always: ['bad_image', 'crash_loop'],
    edits: [
      { file: 'fleet/records.ts', find: '  memory.breaker = stored.breaker\n', replace: '' },
      {
        file: 'fleet/records.ts',
        find: '      memory.breaker = record.breaker\n      memory.budget',
        replace: '      memory.budget',
      },
    ],
  },
  {
    name: 'repeat a launch before a listing',
    does: 'repeats a launch after a restart before the cloud was listed',
    always: ['reply_lost', 'crash_loop', 'failed_listing'],
    edits: [
      {
        file: 'fleet/launch.ts',
        find: 'return now >= retryAt && listing?.complete === true && listing.completeAt >= listAfter',
        replace: 'return now >= retryAt && (listing?.completeAt ?? listAfter) >= listAfter',
      },
      {
        file: 'planner/rules.ts',
        find: 'return listing !== undefined && now - listing.completeAt <=',
        replace: 'return listing === undefined || now - listing.completeAt <=',
      },
    ],
  },
  {
    name: 'launch while paused',
    does: 'terminates and launches in a paused pool after a restart',
    always: ['paused', 'crash_loop'],
    edits: [
      { file: 'fleet/records.ts', find: '      memory.paused = record.paused\n', replace: '' },
      { file: 'fleet/records.ts', find: '  memory.paused = stored.paused\n', replace: '' },
    ],
  },
  {
    name: 'count old failures again',
    does: 'counts terminated VMs as failed launches again after each restart',
    always: ['ended_stay_listed', 'short_lived', 'never_joins', 'crash_loop'],
    edits: [
      {
        file: 'fleet/observe.ts',
        find: 'const isNews = memory.tracks.has(instance.id) || launch?.seen.has(instance.id) === false',
        replace: 'const isNews = true',
      },
      {
        file: 'fleet/records.ts',
        find: '      for (const id of record.ids) memory.tracks.delete(id)\n',
        replace: '',
      },
    ],
  },
  {
    name: 'leave drains at a stop',
    does: 'stops without undraining the agents it was about to remove',
    always: ['restart', 'pool_leaves', 'max_changed', 'removal_ordered'],
    edits: [
      {
        file: 'fleet/index.ts',
        find: '.filter(isDrained)',
        replace: '.filter(isDrained).slice(0, 0)',
      },
    ],
  },
  {
    name: 'ignore gangs',
    does: 'launches nothing for jobs that need several instances together',
    always: ['gangs'],
    edits: [
      {
        file: 'planner/catalog.ts',
        find: 'slots % size.slots === 0)',
        replace: 'slots % size.slots === 0 && slots < 0)',
      },
    ],
  },
]
