// What the script leaves on EC2 for the boots after the first one, when cloud-init no longer runs user data.
import { execFileSync } from 'node:child_process'
import { mkdirSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { rendered, type ScriptVm, ScriptVms } from '../../support/script-vm.ts'

const vms = new ScriptVms()
afterEach(() => vms.close())

const perBoot = 'var/lib/cloud/scripts/per-boot/determined-agent'
const part = 'var/lib/cloud/instance/scripts/part-001'

/** As cloud-init lays it out: the instance's data is a link to a folder with its id. */
function cloudInit(vm: ScriptVm): void {
  mkdirSync(join(vm.root, 'var/lib/cloud/instances/i-1/scripts'), { recursive: true })
  symlinkSync(join(vm.root, 'var/lib/cloud/instances/i-1'), join(vm.root, 'var/lib/cloud/instance'))
}

/** Runs it from the folder where cloud-init stores user data. */
async function boot(vm: ScriptVm, changes = {}, env: Record<string, string> = {}) {
  vm.write(part, await rendered(changes))
  return vm.runScript(`exec bash '${join(vm.root, part)}'`, env)
}

describe('the step of later boots', () => {
  it('is a script that runs the current user data', async () => {
    const vm = vms.create()
    cloudInit(vm)
    expect((await boot(vm)).status).toBe(0)
    expect(statSync(join(vm.root, perBoot)).mode & 0o777).toBe(0o755)
    const text = vm.read(perBoot)
    expect(text).toContain(`= '${vm.root}/var/lib/cloud/instances/i-1' ] || exit 0\n`)
    expect(text).toContain(`PROVISION_LATER_BOOT=true exec '${join(vm.root, part)}'\n`)
    execFileSync('bash', ['-n', join(vm.root, perBoot)])
  })

  it('is not left if the script was started by hand, nor on Compute Engine, whose runner repeats it', async () => {
    const vm = vms.create()
    await vm.run({})
    await vm.run({ cloud: 'gcp' })
    expect(vm.has(perBoot)).toBe(false)
  })

  it('does not repeat a startup_script that has finished, and does repeat one that has not', async () => {
    const vm = vms.create()
    cloudInit(vm)
    const startupScript = '#!/bin/bash\necho run >>"$PROVISION_ROOT/runs"; [ -e "$PROVISION_ROOT/well" ]'
    const later = { PROVISION_LATER_BOOT: 'true' }
    expect((await boot(vm, { startupScript })).status).toBe(20)
    vm.write('well', '')
    const second = await boot(vm, { startupScript }, later)
    expect([second.status, second.stages]).toEqual([0, expect.arrayContaining(['startup_script_done'])])
    const third = await boot(vm, { startupScript }, later)
    expect([third.status, third.stages.includes('startup_script_done')]).toEqual([0, false])
    expect(vm.read('runs')).toBe('run\nrun\n')
    // An image of this disk: the first boot of another instance.
    await boot(vm, { startupScript })
    expect(vm.read('runs')).toBe('run\nrun\nrun\n')
  })
})

describe('the serial console of EC2', () => {
  const inUnit = '0::/system.slice/cloud-final.service\n'

  async function consoleOf(cgroup: string, output: string): Promise<string> {
    const vm = vms.create({ systemctl: `echo StandardOutput=${output}` })
    vm.write('proc/self/cgroup', cgroup)
    const { stages, pid } = await vm.run({ bootTimeoutSeconds: 0, poweroffIfNeverJoined: false })
    expect([pid > 0, stages.at(-1)]).toEqual([true, 'agent_started'])
    await expect.poll(() => vm.read('dev/console')).toContain('PROVISION_STAGE=never_joined')
    return vm.read('dev/console')
  }

  it('gets the stages once if the unit of cloud-init shows its output there, and those of the watch', async () => {
    expect(await consoleOf(inUnit, 'journal+console')).not.toContain('PROVISION_STAGE=started')
    expect(await consoleOf(inUnit.replace('final', 'init-main'), 'journal+console')).not.toContain('=started')
  })

  it.each([
    ['the unit shows nothing', inUnit, 'journal'],
    ['it is no unit of cloud-init', '0::/user.slice/session-1.scope\n', 'journal+console'],
  ])('gets all of them where %s', async (_, cgroup, output) => {
    expect(await consoleOf(cgroup, output)).toContain('PROVISION_STAGE=started')
  })
})
