// For whoever embeds the provisioner: the same composition, with defaults where a program of one's own has no opinion.
import { fileURLToPath } from 'node:url'
import about from '../../package.json' with { type: 'json' }
import type { MasterConfig } from '../config/master-config.ts'
import { type PushDemand, createPushDemand as pushDemand } from '../demand/push.ts'
import type { DemandSource } from '../demand/source.ts'
import type { FleetEvent } from '../fleet/run.ts'
import { systemClock } from '../platform/clock.ts'
import type { Logger } from '../platform/ports.ts'
import { type PrepareAllOptions, prepareAll as plan } from './prepare.ts'
import { composeProvisioner, type Provisioner } from './provisioner.ts'

export { loadConfig } from '../config/load.ts'
export type { PushDemand, PushedAgent, PushedDemand, PushedWork } from '../demand/push.ts'
export type { FleetEvent } from '../fleet/run.ts'
export type { PoolStatus } from '../fleet/status.ts'
export type { PoolsStatus } from './pools.ts'
export { type DryRunPool, dryRunPool, type PoolPlan } from './prepare.ts'
export type { Provisioner } from './provisioner.ts'

export interface CreateProvisionerOptions {
  /** What `loadConfig` has read. */
  config: MasterConfig
  /** Where demand comes from, in place of what the configuration says. It is not closed by `stop`. */
  demand?: DemandSource
  /** Nothing is logged without it. */
  logger?: Logger
  /** What happens to the pools. What it throws is reported to the logger. */
  onEvent?: (event: FleetEvent) => void
  /** Another process took the state folder over: this one has decided its last and is being stopped. */
  onLost?: () => void
  /** Credentials of the clouds are read from it; default: that of the process. */
  env?: Readonly<Record<string, string | undefined>>
  /** How a VM of a `local` pool starts its agent; default: the built-in agent of this package. */
  localAgent?: string[]
}

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/** Puts a provisioner together; nothing is opened, written or launched before `start`. */
export function createProvisioner(options: CreateProvisionerOptions): Provisioner {
  const { onLost, ...rest } = options
  const provisioner = composeProvisioner({
    version: about.version,
    env: process.env,
    localAgent: ownAgent(),
    logger: silent,
    ...rest,
    clock: systemClock,
    onLockLost() {
      void provisioner.stop()
      onLost?.()
    },
  })
  return provisioner
}

export interface CreatePushDemandOptions {
  /**
   * Stops new work from going to the agent. Resolves when that is so: every push of a later moment shows the agent as
   * draining. False when there is no such agent. May be asked again.
   */
  drain(agentId: string): boolean | Promise<boolean>
  /** Undoes `drain`. */
  undrain(agentId: string): boolean | Promise<boolean>
}

/** Demand of a master in this process: give it to `createProvisioner`, and push whenever something has changed. */
export function createPushDemand(options: CreatePushDemandOptions): PushDemand {
  return pushDemand({ ...options, clock: systemClock })
}

/** Plans every pool as a start does, without network, credentials or key; writes nothing. */
export function prepareAll(config: MasterConfig, options: PrepareAllOptions): ReturnType<typeof plan> {
  return plan(config, { localAgent: ownAgent(), ...options })
}

/** By the command line beside this file: as it is built, or as its source. */
function ownAgent(): string[] {
  const file = import.meta.url.endsWith('.ts') ? '../cli/main.ts' : './cli.cjs'
  return [process.execPath, fileURLToPath(new URL(file, import.meta.url)), 'agent']
}
