// For programs that embed the provisioner: the same composition, with defaults.
import { fileURLToPath } from 'node:url'
import about from '../../package.json' with { type: 'json' }
import { type Loaded, loadConfig as load, type MasterConfig } from '../config/index.ts'
import { type DemandSource, type PushDemand, createPushDemand as pushDemand } from '../demand/index.ts'
import type { FleetEvent } from '../fleet/index.ts'
import { type Logger, systemClock } from '../platform/index.ts'
import { type AnyProvider, builtInProviders, withProviders } from '../providers/index.ts'
import { type PlanAllOptions, planAll } from './prepare.ts'
import { composeProvisioner, type Provisioner } from './provisioner.ts'
import { type ValidateOptions, type Validation, validateAll } from './validate.ts'

export type { PushDemand, PushedAgent, PushedDemand, PushedWork } from '../demand/index.ts'
export type { FleetEvent, PoolStatus } from '../fleet/index.ts'
export type { PoolsStatus } from './pools.ts'
export type { Provisioner } from './provisioner.ts'

export interface CreateProvisionerOptions {
  /** The result of `loadConfig`. */
  config: MasterConfig
  /** Your own, in addition to the built-in ones; the same as passed to `loadConfig`. */
  providers?: readonly AnyProvider[]
  /** The source of demand, instead of the configured one. `stop` does not close it. */
  demand?: DemandSource
  /** Nothing is logged without it. */
  logger?: Logger
  /** Called for the events of the pools. Errors that it throws are logged. */
  onEvent?: (event: FleetEvent) => void
  /** Another process took over the state folder: this one decides nothing more and is being stopped. */
  onLost?: () => void
  /** The environment that cloud credentials are read from; default: that of the process. */
  env?: Readonly<Record<string, string | undefined>>
  /** How a VM of a `local` pool starts its agent; default: the built-in agent of this package. */
  localAgent?: string[]
}

export interface LoadConfigOptions {
  readFile?: (path: string) => Uint8Array
  /** DET_PORT, DET_SECURITY_TLS_CERT and DET_SECURITY_TLS_KEY override the file; no other variable is read. */
  env?: Record<string, string | undefined>
  /** Your own, in addition to the built-in ones. Throws a TypeError if two have the same kind. */
  providers?: readonly AnyProvider[]
}

/** Never throws because of the file or its contents. Relative paths in it start from its folder. */
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

/**
 * Everything that `provision validate` reports: the file, its certificates and the plan of every pool, without a network.
 * Never throws because of a file. `now`: milliseconds since the epoch; default: the clock.
 */
export function validateConfig(
  file: string,
  { providers, env = {}, now = Date.now(), strict }: Partial<ValidateOptions> = {},
): Promise<Validation> {
  return validateAll(file, {
    env,
    now,
    strict,
    localAgent: ownAgent(),
    providers: withProviders(builtInProviders, providers),
  })
}

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/** Creates a provisioner; nothing is opened, written or launched before `start`. */
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
   * Stops new jobs from being placed on the agent. Resolves once that is in force: every later push shows the agent as
   * draining. False when there is no such agent. May be called again.
   */
  drain(agentId: string): boolean | Promise<boolean>
  /** Undoes `drain`. */
  undrain(agentId: string): boolean | Promise<boolean>
}

/** Demand of a master in this process: pass it to `createProvisioner`, and push whenever something has changed. */
export function createPushDemand(options: CreatePushDemandOptions): PushDemand {
  return pushDemand({ ...options, clock: systemClock })
}

/** Starts the command line beside this file: the built one, or its source. */
function ownAgent(): string[] {
  const file = import.meta.url.endsWith('.ts') ? '../cli/main.ts' : './cli.cjs'
  return [process.execPath, fileURLToPath(new URL(file, import.meta.url)), 'agent']
}
