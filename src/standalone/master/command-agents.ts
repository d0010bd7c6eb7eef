// Whether the agents of a pool can run a command. The built-in agent runs it as a process, Determined's in a container.

import type { PoolConfig } from '../../config/index.ts'
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

/** Determined's own image, in its registry or in a copy. */
const determinedImage = /(?:^|\/)determined-agent(?:[:@]|$)/

export function createCommandAgents({ pools, agents, now }: Options): CommandAgents {
  const lastSeen = new Map<string, boolean>()

  /** `runs`: commands as processes. undefined: any agent may join, and none has. */
  function agentsOf(pool: string): { runs: boolean; why: string } | undefined {
    const present = agents().filter((agent) => agent.pool === pool && hasJoined(agent))
    const own = { runs: true, why: `the agents of pool ${pool} are built-in, which run no containers` }
    const foreign = { runs: false, why: `the agents of pool ${pool} are Determined's, which run containers` }
    if (present.some((agent) => runsCommands(agent.version))) return own
    if (present.length > 0 || lastSeen.get(pool) === false) return foreign
    const provider = pools.find(({ pool_name }) => pool_name === pool)?.provider
    if (lastSeen.get(pool)) return own
    // A template may start any agent.
    if (!provider || provider.agent_setup_template !== undefined) return undefined
    if (provider.agent_runtime !== 'docker') return own
    const image = provider.agent_docker_image
    if (!determinedImage.test(image)) return undefined
    return {
      runs: false,
      why: `the agents of pool ${pool} are Determined's (${image}), which run containers`,
    }
  }

  function cannotRun({ pool, work }: Job): Problem | undefined {
    const on = agentsFor(work)
    const found = on === 'any' ? undefined : agentsOf(pool)
    if (!found || found.runs === (on === 'built-in')) return undefined
    const [why, remedy] = on === 'built-in' ? needsImage : needsNone
    return problem('WORK_CANNOT_RUN', `${found.why}; ${why}`, { remedy })
  }

  return {
    saw: ({ pool, version }) => void lastSeen.set(pool, runsCommands(version)),
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
