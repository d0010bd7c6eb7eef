// For whoever embeds the provisioner: the same composition, with defaults where a program of one's own has no opinion.
import { fileURLToPath } from 'node:url'
import about from '../../package.json' with { type: 'json' }
import { type Loaded, loadConfig as load, type MasterConfig } from '../config/index.ts'
import { type DemandSource, type PushDemand, createPushDemand as pushDemand } from '../demand/index.ts'
import type { FleetEvent } from '../fleet/index.ts'
import { type Logger, systemClock } from '../platform/index.ts'
import { type AnyProvider, builtInProviders, withProviders } from '../providers/index.ts'
import { type PlanAllOptions, planAll } from './prepare.ts'
import { composeProvisioner, type Provisioner } from './provisioner.ts'

export type { PushDemand, PushedAgent, PushedDemand, PushedWork } from '../demand/index.ts'
export type { FleetEvent, PoolStatus } from '../fleet/index.ts'
export type { PoolsStatus } from './pools.ts'
export type { Provisioner } from './provisioner.ts'

export interface CreateProvisionerOptions {
  /** What `loadConfig` has read. */
  config: MasterConfig
  /** Of your own, beside the built-in ones; those `loadConfig` was given. */
  providers?: readonly AnyProvider[]
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

export interface LoadConfigOptions {
  readFile?: (path: string) => Uint8Array
  /** DET_PORT, DET_SECURITY_TLS_CERT and DET_SECURITY_TLS_KEY win over the file; nothing else is read. */
  env?: Record<string, string | undefined>
  /** Of your own, beside the built-in ones. Throws a TypeError where two are of one kind. */
  providers?: readonly AnyProvider[]
}

/** Never throws for what is in the file or wrong with it. Relative paths in it start from its folder. */
export function loadConfig(file: string, { providers, ...options }: LoadConfigOptions = {}): Loaded {
  return load(file, { ...options, providers: withProviders(builtInProviders, providers) })
}

/** Plans every pool as a start does, without network, credentials or key; writes nothing. */
export function prepareAll(
  config: MasterConfig,
  { providers, ...options }: Omit<PlanAllOptions, 'providers'> & Pick<LoadConfigOptions, 'providers'>,
): ReturnType<typeof planAll> {
  return planAll(config, {
    localAgent: ownAgent(),
    ...options,
    providers: withProviders(builtInProviders, providers),
  })
}

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/** Puts a provisioner together; nothing is opened, written or launched before `start`. */
export function createProvisioner(options: CreateProvisionerOptions): Provisioner {
  const { onLost, providers, ...rest } = options
  const provisioner = composeProvisioner({
    version: about.version,
    env: process.env,
    localAgent: ownAgent(),
    logger: silent,
    ...rest,
    providers: withProviders(builtInProviders, providers),
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

/** By the command line beside this file: as it is built, or as its source. */
function ownAgent(): string[] {
  const file = import.meta.url.endsWith('.ts') ? '../cli/main.ts' : './cli.cjs'
  return [process.execPath, fileURLToPath(new URL(file, import.meta.url)), 'agent']
}
