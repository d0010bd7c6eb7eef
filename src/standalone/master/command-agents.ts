// Whether the agents of a pool run commands. Only the built-in agent does; Determined's agents run containers.

import type { PoolConfig } from '../../config/index.ts'
import type { WaitingView, Written } from '../../http/index.ts'
import { type Problem, problem } from '../../problems/index.ts'
import { runsCommands } from '../protocol/accept.ts'
import { type Agent, hasJoined } from './agent.ts'
import type { Allocation } from './allocation.ts'

type Job = Pick<Allocation, 'pool' | 'work'>

export interface CommandAgents {
  /** An agent has joined: later instances of its pool are taken to be like it. */
  saw(agent: Agent): void
  /** Why the pool's agents cannot run the job; undefined if they can, or if it is not known. */
  cannotRun(job: Job): Problem | undefined
  /** What a pending job of that kind waits for. */
  waiting(job: Job & Pick<Allocation, 'submittedAt'>): Written<WaitingView> | undefined
}

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

  function whyNot(pool: string): string | undefined {
    const present = agents().filter((agent) => agent.pool === pool && hasJoined(agent))
    if (present.some((agent) => runsCommands(agent.version))) return undefined
    if (present.length > 0 || lastSeen.get(pool) === false)
      return `the agents of pool ${pool} are Determined's, which run containers`
    const provider = pools.find(({ pool_name }) => pool_name === pool)?.provider
    if (lastSeen.get(pool) || !provider || provider.agent_runtime !== 'docker') return undefined
    // A template may start any agent.
    if (provider.agent_setup_template !== undefined || !determinedImage.test(provider.agent_docker_image))
      return undefined
    return `the agents of pool ${pool} are Determined's (${provider.agent_docker_image}), which run containers`
  }

  function cannotRun({ pool, work }: Job): Problem | undefined {
    const why = work.kind === 'command' ? whyNot(pool) : undefined
    if (why === undefined) return undefined
    const remedy =
      'Choose a pool with built-in agents, or set `agent_docker_image` to an image of the built-in agent (images/agent) and restart; with `--force` the job is accepted, and waits for such an agent without a launch.'
    return problem('WORK_CANNOT_RUN', `${why}; commands run only on built-in agents`, { remedy })
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
