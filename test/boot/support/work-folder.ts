// The folder of this run of the lane in memory: roots, disks and consoles of its machines.

/** Throws outside the lane, because only there everything is in namespaces. */
export function workFolder(): string {
  return given('BOOT_WORK')
}

/** The parent folder for the control groups of machines. */
export function controlGroup(): string {
  return given('BOOT_CGROUP')
}

function given(name: string): string {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set: start these tests with npm run test:boot`)
  return value
}
