// The boot of the machine: its id, and the time since then, independent of the wall clock.
import { readFileSync } from 'node:fs'
import type { BootMark } from './ports.ts'

/** The current moment. undefined if the system does not report it, as on macOS. */
export function bootMark(): BootMark | undefined {
  const [boot, uptime] = [bootId(), uptimeMs()]
  return boot === undefined || uptime === undefined ? undefined : { boot, uptime }
}

/** random(4): the kernel creates it at each boot. undefined on other systems. */
export function bootId(): string | undefined {
  return contentsOf('/proc/sys/kernel/random/boot_id')?.trim() || undefined
}

/** Milliseconds by proc_uptime(5), which includes suspend, to 10 ms. undefined on other systems. */
export function uptimeMs(): number | undefined {
  const seconds = Number.parseFloat(contentsOf('/proc/uptime') ?? '')
  return Number.isFinite(seconds) ? Math.round(seconds * 1000) : undefined
}

function contentsOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
