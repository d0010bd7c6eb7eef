// Launch templates of fleets: made once, found again by the content their name is the hash of, removed when outdated.
import type { Clock, Logger } from '../../platform/ports.ts'
import type { Ownership } from '../contract.ts'
import { type CreateLaunchTemplateRequest, type Ec2Api, pages } from './client.ts'
import { codeOf, ec2Failure } from './errors.ts'
import { ownerFilters } from './instances.ts'

export interface TemplateInput {
  api: Ec2Api
  owner: Ownership
  clock: Clock
  logger: Logger
}

export interface Templates {
  /** Resolves once the template exists. */
  ensure(template: CreateLaunchTemplateRequest, signal?: AbortSignal): Promise<void>
  /** EC2 says it does not exist (any more): the next `ensure` makes it. */
  forget(template: CreateLaunchTemplateRequest): void
}

/** A launch that was written down is sent again for 15 minutes at most; an hour is safely more. */
const keptMs = 3_600_000

export function launchTemplates({ api, owner, clock, logger }: TemplateInput): Templates {
  /** When each was last used; a pool with spot and on-demand VMs has one for each. */
  const usedAt = new Map<string, number>()
  return {
    async ensure(template, signal) {
      const name = template.LaunchTemplateName ?? ''
      const isKnown = usedAt.has(name)
      if (!isKnown) await make(template, signal)
      usedAt.set(name, clock.now())
      if (!isKnown) await removeOutdated(signal)
    },
    forget: ({ LaunchTemplateName }) => void usedAt.delete(LaunchTemplateName ?? ''),
  }

  async function make(template: CreateLaunchTemplateRequest, signal?: AbortSignal): Promise<void> {
    try {
      await api.createLaunchTemplate(template, signal)
    } catch (error) {
      if (codeOf(error) !== 'InvalidLaunchTemplateName.AlreadyExistsException') throw error
    }
  }

  /** A template left over costs nothing, so that a failure here stops no launch. VMs do not need theirs any more. */
  async function removeOutdated(signal?: AbortSignal): Promise<void> {
    try {
      for (const name of await outdated(signal)) {
        await api.deleteLaunchTemplate({ LaunchTemplateName: name }, signal)
        usedAt.delete(name)
      }
    } catch (error) {
      signal?.throwIfAborted()
      const { message } = ec2Failure(error, 'remove outdated launch templates').problem
      logger.warn('outdated launch templates were not removed', { pool: owner.pool, reason: message })
    }
  }

  async function outdated(signal?: AbortSignal): Promise<string[]> {
    const names: string[] = []
    const Filters = ownerFilters(owner)
    const fetchPage = (token: string | undefined) =>
      api.describeLaunchTemplates({ Filters, ...(token ? { NextToken: token } : {}) }, signal)
    for await (const { LaunchTemplates = [] } of pages(fetchPage))
      for (const { LaunchTemplateName, CreateTime } of LaunchTemplates) {
        const name = LaunchTemplateName ?? ''
        const at = usedAt.get(name) ?? CreateTime?.getTime() ?? clock.now()
        if (name && clock.now() - at > keptMs) names.push(name)
      }
    return names
  }
}
