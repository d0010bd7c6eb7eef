// Where this run of the lane keeps what is in memory: roots, disks and consoles of its machines.

/** Throws outside of the lane: only there is everything in namespaces. */
export function workFolder(): string {
  return given('BOOT_WORK')
}

/** The folder of control groups that machines are put below. */
export function controlGroup(): string {
  return given('BOOT_CGROUP')
}

function given(name: string): string {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set: start these tests with npm run test:boot`)
  return value
}
