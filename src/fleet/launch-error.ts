// `launch_error_timeout` and `launch_error_retries`: when failed launches become an error others may act on.
import type { Problem } from '../problems/problem.ts'

export interface LaunchErrorRules {
  /** Milliseconds; 0: never. */
  timeout: number
  retries: number
}

export interface LaunchErrorMemory {
  failures: number
  lastAt: number
  /** When we were ready to try again; our own pause does not count as time without a failure. */
  readyAt: number
  problem?: Problem
}

export function noLaunchError(): LaunchErrorMemory {
  return { failures: 0, lastAt: 0, readyAt: 0 }
}

/** Launches failed in a row, each within `timeout` of the last: origin's meaning (origin: pkg/errors/errors.go). */
export function recordLaunchFailure(
  memory: LaunchErrorMemory,
  { timeout }: LaunchErrorRules,
  problem: Problem,
  now: number,
  readyAt: number,
): void {
  const inRow = memory.failures > 0 && now - Math.max(memory.lastAt, Math.min(memory.readyAt, now)) <= timeout
  memory.failures = inRow ? memory.failures + 1 : 1
  memory.lastAt = now
  memory.readyAt = readyAt
  memory.problem = problem
}

export function forgetLaunchFailures(memory: LaunchErrorMemory): void {
  Object.assign(memory, noLaunchError(), { problem: undefined })
}

/** The error while it sticks: after more failures than `retries`, until `timeout` after the last. */
export function launchErrorOf(
  { failures, lastAt, problem }: LaunchErrorMemory,
  { timeout, retries }: LaunchErrorRules,
  now: number,
): Problem | undefined {
  return timeout > 0 && failures > retries && now < lastAt + timeout ? problem : undefined
}
