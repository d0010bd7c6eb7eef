// Faults to plant in a copy of the sources: each is a promise broken on purpose, which the simulation must notice.

import type { FaultKind } from '../../src/simulator/scenario.ts'
import { faultsOfDrift } from './faults-of-drift.ts'
import { faultsOfLeaders } from './faults-of-leaders.ts'
import { faultsOfMemory } from './faults-of-memory.ts'
import { faultsOfRollouts } from './faults-of-rollouts.ts'

interface Edit {
  file: string
  /** Occurs in the file exactly once. */
  find: string
  replace: string
}

export interface PlantedFault {
  name: string
  /** What the planted program does. */
  does: string
  /** The faults that are needed in a world for it to matter; they are part of every world that is searched. */
  always?: FaultKind[]
  edits: Edit[]
}

export const plantedFaults: PlantedFault[] = [
  {
    name: 'ignore the ledger',
    does: 'forgets launches in flight, and VMs until a listing shows them',
    edits: [
      { file: 'fleet/decide.ts', find: 'missing: missingOf(intent),', replace: 'missing: 0,' },
      {
        file: 'fleet/launch.ts',
        find: 'if (!memory.tracks.has(instance.id)) memory.tracks.set(instance.id, trackOf(instance, intent, now))',
        replace: 'trackOf(instance, intent, now)',
      },
    ],
  },
  {
    name: 'drop the re-check after the drain',
    does: 'terminates an agent as soon as its drain was answered, without checking for jobs',
    edits: [
      {
        file: 'planner/rules.ts',
        find: '  if (agent?.busy) return false\n',
        replace: '  if (instance.drainedAt !== undefined) return true\n  if (agent?.busy) return false\n',
      },
    ],
  },
  {
    name: 'terminate without a drain',
    does: "terminates idle agents at once, as Determined's provisioner does",
    edits: [
      {
        file: 'planner/rules.ts',
        find: 'return instance.drainedAt !== undefined && agent.draining && demandAt > instance.drainedAt',
        replace: 'return instance.drainedAt === undefined || demandAt > 0',
      },
    ],
  },
  {
    name: 'count stopped instances',
    does: 'treats a stopped VM as healthy: it counts for min_instances, and stays',
    edits: [
      {
        file: 'planner/inventory.ts',
        find: "  else if (instance.state === 'stopped') markFailed(member, 'STOPPED')\n",
        replace: '',
      },
    ],
  },
  {
    name: 'reuse a token',
    does: 'derives the intent from the number of VMs instead of taking a new one',
    edits: [
      { file: 'fleet/launch.ts', find: 'id: request ?? deps.newId(),', replace: "id: 'intent-of-' + count," },
    ],
  },
  {
    name: 'forget the jitter',
    does: 'waits exactly the doubled time after a refusal',
    edits: [{ file: 'platform/backoff.ts', find: '(1 + random() / 4)', replace: '(1 + 0 * random())' }],
  },
  {
    name: 'do not back off',
    does: 'retries a refused offering after five seconds, forever',
    edits: [
      {
        file: 'fleet/failures.ts',
        find: 'const count = (memory.get(key)?.failures ?? 0) + 1',
        replace: 'const count = 1',
      },
      {
        file: 'fleet/failures.ts',
        find: 'capacity: { first: 30_000, most: 1_800_000 },',
        replace: 'capacity: { first: 5_000, most: 5_000 },',
      },
    ],
  },
  {
    name: 'replay a changed request',
    does: 'repeats a request with the old token and the current user data',
    edits: [
      {
        file: 'fleet/launch.ts',
        find: 'const isSame = carried?.version === intent.version && carried.sha256 === intent.sha256',
        replace: 'const isSame = carried !== undefined',
      },
      {
        file: 'fleet/launch.ts',
        find: 'userData: memory.userData.get(sha256)!,',
        replace:
          "userData: ((ready) => (ready.kind === 'ready' ? ready.userData : memory.userData.get(sha256)!))(deps.launchInputs()),",
      },
    ],
  },
  {
    name: 'ignore free slots',
    does: "launches for jobs that fit existing agents, as Determined's provisioner does",
    edits: [
      {
        file: 'planner/bins.ts',
        find: 'agent.slots, agent.freeSlots, 1, aux)',
        replace: 'agent.slots, 0, 1, aux)',
      },
    ],
  },
  {
    name: 'send before recording',
    does: 'sends a launch first and records its intent after that',
    edits: [
      {
        file: 'fleet/launch.ts',
        find: '      await writing\n',
        replace: '      void send(run, intent)\n      await writing\n      return\n',
      },
    ],
  },
  {
    name: 'trust partial listings',
    does: 'terminates VMs based on a partial listing, or on one from before the drain',
    edits: [
      {
        file: 'planner/rules.ts',
        find: 'if (listing?.complete !== true) return false',
        replace: 'if (!listing?.complete || isForced(instance)) return true',
      },
    ],
  },
  {
    name: 'trust listings alone',
    does: 'treats an instance as gone that two listings leave out, without a lookup by id',
    edits: [
      {
        file: 'fleet/missing.ts',
        find: 'if (visibility !== 0 && !isAccepted) continue',
        replace: 'if (!isAgain) continue',
      },
    ],
  },
  {
    name: 'trust stored times',
    does: 'uses the times of an earlier process unchanged, whatever its clock was',
    edits: [
      {
        file: 'fleet/stored-times.ts',
        find: '  moveTimes(memory, shiftOf(writtenIn(records), now, mark), now)\n',
        replace: '  if (now < 0) moveTimes(memory, shiftOf(writtenIn(records), now, mark), now)\n',
      },
    ],
  },
  {
    name: 'terminate busy orphans',
    does: 'terminates instances of a removed pool without checking for jobs',
    edits: [
      {
        file: 'planner/orphans.ts',
        find: '  const { agent } = view\n',
        replace: "  const { agent } = view\n  if (agent?.connected) return { kind: 'terminate' }\n",
      },
    ],
  },
  {
    name: 'ignore agents in listings',
    does: 'treats an instance as missing although the master shows its agent, without a lookup',
    edits: [
      {
        file: 'fleet/missing.ts',
        find: 'if (isFresh && memory.agents.get(track.id)?.connected && !track.ending) {',
        replace: 'if (isFresh && maxWordAge < 0) {',
      },
      {
        file: 'fleet/missing.ts',
        find: 'if (visibility !== 0 && !isAccepted) continue',
        replace: 'if (!isAgain) continue',
      },
    ],
  },
  {
    name: 'repeat a launch under a new name',
    does: 'repeats a request after a restart with the tag of the current start',
    edits: [
      {
        file: 'fleet/launch.ts',
        find: 'owner: { ...deps.owner, writerId },',
        replace: 'owner: { ...deps.owner, writerId: writerId && deps.owner.writerId },',
      },
    ],
  },
  {
    name: 'change foreign instances',
    does: "treats another writer's VMs as its own",
    edits: [
      {
        file: 'fleet/observe.ts',
        find: 'if (memory.adopted.has(writerId) || writerId === writer) return true',
        replace: 'if (memory.adopted.has(writerId) || writerId !== unknownWriter) return true',
      },
    ],
  },
  {
    name: 'launch without preflight',
    does: 'launches with the last user data while the preflight fails',
    always: ['gate_closed'],
    edits: [
      {
        file: 'fleet/holds.ts',
        find: "if (material.kind === 'refused') holds",
        replace: "if (material.kind === 'refused' && memory.userData.size === 0) holds",
      },
      {
        file: 'fleet/decide.ts',
        find: "if (material.kind === 'ready') launch(run, decision, material)",
        replace: 'launch(run, decision, material as Extract<LaunchInputs, { kind: "ready" }>)',
      },
      {
        file: 'fleet/decide.ts',
        find: 'openLaunch(run, { ...decision, count }, material)',
        replace:
          "openLaunch(run, decision, material.kind === 'ready' ? material : { kind: 'ready', version: 'simulated', probe: false, userData: [...run.memory.userData.values()].at(-1)! })",
      },
    ],
  },
  {
    name: 'no breaker',
    does: 'replaces VMs that never join, forever',
    always: ['bad_image'],
    edits: [
      {
        file: 'fleet/failures.ts',
        find: "if (openings === 0) return { state: 'closed' }",
        replace: "if (openings >= 0) return { state: 'closed' }",
      },
    ],
  },
  {
    name: 'no boot timeout',
    does: 'waits forever for a VM to join',
    edits: [
      {
        file: 'planner/rules.ts',
        find: 'return joinedAt === undefined && knownSince + bootTimeout <= at',
        replace: 'return joinedAt === undefined && knownSince + bootTimeout <= 0 * at',
      },
    ],
  },
  {
    name: 'ignore min_instances when removing',
    does: 'terminates idle VMs below min_instances',
    edits: [
      {
        file: 'planner/removals.ts',
        find: "lasting - unproven - policy.minInstances, 'LONG_IDLE'",
        replace: "lasting, 'LONG_IDLE'",
      },
    ],
  },
  {
    name: 'jobs for unknown agents',
    does: 'treats an agent as a managed instance before anything was listed',
    always: ['strangers', 'journal_lost'],
    edits: [
      {
        file: 'fleet/admission.ts',
        find: "if (firstCompleteAt === undefined || foreign.has(id)) return 'later'",
        replace: "if (firstCompleteAt === undefined || foreign.has(id)) return 'yes'",
      },
    ],
  },
  {
    name: 'count slots of unknown agents',
    does: 'counts slots of agents that get no jobs as room',
    always: ['strangers'],
    edits: [
      {
        file: 'planner/inventory.ts',
        find: 'isOpen(agent) && !agent.getsNoWork) inventory',
        replace: 'isOpen(agent)) inventory',
      },
    ],
  },
  {
    name: 'launch above max_instances',
    does: 'counts only joined VMs against max_instances',
    edits: [
      {
        file: 'planner/placement.ts',
        find: 'room: roomBelowMax(inventory, policy),',
        replace: 'room: roomBelowMax({ live: inventory.live - inventory.coming, inFlight: 0 }, policy),',
      },
    ],
  },
  {
    name: 'terminate VMs on stop',
    does: 'terminates idle VMs when it is asked to stop',
    edits: [
      {
        file: 'fleet/index.ts',
        find: 'undrain(run, drained(), true)\n      await within(run, stopTime',
        replace:
          'undrain(run, drained(), true)\n      await deps.provider.terminate([...run.memory.tracks.keys()]).catch(() => {})\n      await within(run, stopTime',
      },
    ],
  },
  {
    name: 'give no reason',
    does: 'gives no reason for jobs that get nothing',
    edits: [
      {
        file: 'planner/index.ts',
        find: '    ...placement.unserved.map(({ code, work, numbers }) => hold(code, numbers, work)),\n',
        replace: '',
      },
    ],
  },
  {
    name: 'count a shared listing from its arrival',
    does: 'takes a listing that pools share for as new as its arrival, not as its start',
    always: ['shared_listing', 'slow_listing'],
    edits: [
      {
        file: 'providers/shared-cluster.ts',
        find: 'return { ...view, startedAt,',
        replace: 'return { ...view, startedAt: clock.now(),',
      },
    ],
  },
  ...faultsOfMemory,
  ...faultsOfDrift,
  ...faultsOfRollouts,
  ...faultsOfLeaders,
]
