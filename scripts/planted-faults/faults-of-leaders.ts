// Faults to plant: each leaves out one rule by which a call that arrives late, or a leader whose term is over, is harmless.
// The rules are those of test/tools/model/leadership.pml.

import type { PlantedFault } from './faults.ts'

export const faultsOfLeaders: PlantedFault[] = [
  {
    name: 'forget terminations under way',
    does: 'forgets after a restart that a termination was begun, so that the agent may get jobs again',
    always: ['late_terminations', 'crash_loop'],
    edits: [
      {
        file: 'fleet/records.ts',
        find: '    track.recalled = true\n',
        replace: '    track.recalled = true\n    delete track.condemned\n',
      },
    ],
  },
  {
    name: 'forget late drains',
    does: 'takes a drain that arrives minutes late for that of a person, and leaves the agent drained',
    always: ['late_drains', 'restart', 'max_changed'],
    edits: [
      {
        file: 'fleet/demand.ts',
        find: 'else if (agent.draining) track.drainedAt ??= demandAt',
        replace: 'else if (agent.draining && demandAt < 0) track.drainedAt ??= demandAt',
      },
    ],
  },
  {
    name: 'no fence',
    does: 'writes to the shared journal whatever the newest epoch is',
    always: ['several_provisioners', 'host_suspended', 'suspended', 'stopped_in_call'],
    edits: [
      {
        file: 'simulator/shared-store.ts',
        find: 'if (!isNewest(written)) throw refused()\n      onAccepted(written)\n',
        replace: '',
      },
      {
        file: 'simulator/shared-store.ts',
        find: '{ disk, link, epoch, isNewest, onAccepted, onRewritten } = options',
        replace: '{ disk, link, onRewritten } = options\n  const epoch = () => ({ number: 0 })',
      },
      {
        file: 'fleet/run.ts',
        find: 'const deps = whileLed(given, { isOver, isAbandoned: () => run.abandoned })',
        replace:
          'const deps = { ...whileLed(given, { isOver, isAbandoned: () => run.abandoned }), journal: given.journal }',
      },
    ],
  },
  {
    name: 'act without a lease',
    does: 'decides and calls until its next renewal is answered, although its lease is over',
    always: ['several_provisioners', 'suspended', 'store_down', 'store_slow'],
    edits: [
      {
        file: 'fleet/run.ts',
        find: 'run.abandoned || given.isLed?.() === false',
        replace: 'run.abandoned',
      },
      { file: 'state/leases/leadership.ts', find: '    void guard(pool, lease)\n', replace: '' },
    ],
  },
  {
    name: 'close the intents of earlier leaders',
    does: 'takes a launch that an earlier leader wrote down for one that never happens',
    always: ['several_provisioners', 'stopped_in_call', 'host_killed'],
    edits: [
      {
        file: 'fleet/launch.ts',
        find: '  return Math.max(0, count - seen.size)',
        replace: '  return recalledAt === undefined ? Math.max(0, count - seen.size) : 0',
      },
      {
        file: 'fleet/launch.ts',
        find: 'export function missingOf({ count, seen }: OpenIntent)',
        replace: 'export function missingOf({ count, seen, recalledAt }: OpenIntent)',
      },
    ],
  },
  {
    name: 'settle launches of suspended leaders',
    does: 'settles by listings, after two minutes, what an earlier leader may still send',
    always: ['several_provisioners', 'stopped_in_call', 'certificate_renewed'],
    edits: [
      {
        file: 'fleet/launch.ts',
        find: 'intent.recalledAt + replayTime : 0',
        replace: '0 : 0',
      },
    ],
  },
  {
    name: 'terminate after an undrain in doubt',
    does: 'terminates a drained agent although an undrain of an earlier process may still arrive',
    always: ['late_drains', 'late_terminations', 'removal_ordered', 'max_changed'],
    edits: [
      { file: 'planner/rules.ts', find: '  if (instance.undrainDoubt) return false\n', replace: '' },
      { file: 'planner/removals.ts', find: "  if (instance.undrainDoubt) return 'drain'\n", replace: '' },
    ],
  },
  {
    name: 'lead beyond the lease',
    does: 'counts its lease from the answer of the store, and without a margin',
    always: ['several_provisioners', 'store_slow', 'store_paused', 'host_suspended'],
    edits: [
      {
        file: 'state/leases/leadership.ts',
        find: 'const deadline = (sentAt: number) => sentAt + times.ttl - times.margin',
        replace: 'const deadline = (sentAt: number) => Math.max(sentAt, clock.now()) + times.ttl',
      },
    ],
  },
  {
    name: 'trust a journal that lost commits',
    does: 'launches after a failover as if nothing had been written in the seconds before',
    always: ['several_provisioners', 'commits_lost', 'late_visibility', 'never_joins'],
    edits: [
      {
        file: 'fleet/recall-journal.ts',
        find: '      if (journalDamaged) run.memory.journalMissing = true\n',
        replace: '      if (journalDamaged && records.length < 0) run.memory.journalMissing = true\n',
      },
    ],
  },
]
