// Whether the agents of a pool can run a command. The built-in agent runs it as a process, Determined's in a container.

import { isDeterminedImage, type PoolConfig } from '../../config/index.ts'
import type { WaitingView, Written } from '../../http/index.ts'
import { type Problem, problem } from '../../problems/index.ts'
import { runsCommands } from '../protocol/accept.ts'
import { type Agent, hasJoined } from './agent.ts'
import { type Allocation, agentsFor } from './allocation.ts'

type Job = Pick<Allocation, 'pool' | 'work'>

export interface CommandAgents {
  /** An agent has joined: later instances of its pool are taken to be like it. */
  saw(agent: Agent): void
  /** Why the pool's agents cannot run the job; undefined if they can, or if it is not known. */
  cannotRun(job: Job): Problem | undefined
  /** What a pending job of that kind waits for. */
  waiting(job: Job & Pick<Allocation, 'submittedAt'>): Written<WaitingView> | undefined
}

const needsImage = [
  'a command without an image runs only on built-in agents',
  'Name an image (`provision submit --image`, `environment.image` for `det`), choose a pool with built-in agents, or set `agent_docker_image` to an image of the built-in agent (images/agent) and restart; with `provision submit --force` the job is accepted, and waits for such an agent without a launch.',
] as const

const needsNone = [
  "an image runs only on Determined's agents",
  "Leave the image out, or choose a pool with Determined's agents; with `provision submit --force` the job is accepted, and waits for such an agent without a launch.",
] as const

interface Options {
  pools: readonly Pick<PoolConfig, 'pool_name' | 'provider'>[]
  agents: () => Agent[]
  /** Milliseconds since the epoch. */
  now: () => number
}

type Kind = 'built-in' | 'determined'

function kindOf({ version }: Agent): Kind {
  return runsCommands(version) ? 'built-in' : 'determined'
}

export function createCommandAgents({ pools, agents, now }: Options): CommandAgents {
  const lastSeen = new Map<string, Kind>()

  /** Why no agent of the pool is of that kind; undefined if one is or may be. */
  function whyNone(pool: string, kind: Kind): string | undefined {
    const joined = agents().filter((agent) => agent.pool === pool && hasJoined(agent))
    const last = lastSeen.get(pool)
    const seen = joined.length > 0 ? joined.map(kindOf) : last ? [last] : []
    if (seen.includes(kind)) return undefined
    const configured = seen.length > 0 ? undefined : configuredAgents(pool)
    if (seen.length === 0 && (!configured || configured.kind === kind)) return undefined
    return kind === 'determined'
      ? `the agents of pool ${pool} are built-in, which run no containers`
      : `the agents of pool ${pool} are Determined's${configured?.image ?? ''}, which run containers`
  }

  /** undefined: any agent may join. */
  function configuredAgents(pool: string): { kind: Kind; image?: string } | undefined {
    const provider = pools.find(({ pool_name }) => pool_name === pool)?.provider
    // A template may start any agent.
    if (!provider || provider.agent_setup_template !== undefined) return undefined
    if (provider.agent_runtime !== 'docker') return { kind: 'built-in' }
    const image = provider.agent_docker_image
    return isDeterminedImage(image) ? { kind: 'determined', image: ` (${image})` } : undefined
  }

  function cannotRun({ pool, work }: Job): Problem | undefined {
    const kind = agentsFor(work)
    const found = kind === 'any' ? undefined : whyNone(pool, kind)
    if (found === undefined) return undefined
    const [why, remedy] = kind === 'built-in' ? needsImage : needsNone
    return problem('WORK_CANNOT_RUN', `${found}; ${why}`, { remedy })
  }

  return {
    saw: (agent) => void lastSeen.set(agent.pool, kindOf(agent)),
    cannotRun,
    waiting(job) {
      const found = cannotRun(job)
      if (!found) return undefined
      const { code, message: meaning, remedy } = found
      const [since, nextAt] = [job.submittedAt, now()].map((ms) => new Date(ms).toISOString())
      return {
        ...{ code, meaning: `${meaning}.`, remedy, numbers: {}, since: since!, nextAt: nextAt! },
        ...{ instances: undefined, problem: undefined },
      }
    },
  }
}
