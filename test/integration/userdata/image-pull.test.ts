// The agent's image is pulled while the script does other things, and what fails is tried again after growing pauses.
import { afterEach, describe, expect, it } from 'vitest'
import { failureStages } from '../../../src/agent-setup/stages.ts'
import { rendered, type ScriptVm, ScriptVms } from '../../support/script-vm.ts'
import { until } from '../../support/server.ts'

const vms = new ScriptVms()
afterEach(() => vms.close())

/** Waits in a fake tool until a file of the fakes exists; its status is 1 after ten seconds without. */
const appears = (file: string) =>
  `for n in {1..200}; do [ ! -e "$FAKES/${file}" ] || break; "$REAL_SLEEP" 0.05; done; [ -e "$FAKES/${file}" ]`

/** Docker with no image until `pull` has succeeded. */
const docker = (pull: string, more = '') => `${more}
case $1 in
  image) [ -e "$FAKES/image" ] ;;
  pull) : >"$FAKES/pulling"; { ${pull}; } && : >"$FAKES/image" ;;
  inspect) case $3 in *Pid*) echo 0 ;; *) echo true 0 ;; esac ;;
esac`

const hangs = 'exec "$REAL_SLEEP" 60'
const identity = 'case "$*" in *api/token*) echo t ;; *) echo i-1 ;; esac'
const pulls = (vm: ScriptVm) => vm.tools.calls('docker').filter(({ args }) => args[0] === 'pull').length

/** The pauses of the script itself: its watch pauses for 5 s each. */
const pauses = (vm: ScriptVm) =>
  vm.tools
    .calls('sleep')
    .map(({ args }) => args[0])
    .join(' ')

describe('the pull of the image', () => {
  it('runs while the instance waits for its metadata and for the master', async () => {
    const vm = vms.create({
      curl: `${appears('pulling')} || exit 28; ${identity}`,
      openssl: `: >"$FAKES/checked"; echo 'verify return:1'`,
      docker: docker(appears('checked')),
    })
    const { status, stages, output } = await vm.run({})
    expect(status, output).toBe(0)
    expect(stages.slice(-3)).toEqual(['tls_checked', 'image_pulled', 'agent_started'])
    expect(pulls(vm)).toBe(1)
    const order = vm.tools.calls('docker').map(({ args }) => args[0])
    expect(order.indexOf('run')).toBeGreaterThan(order.indexOf('pull'))
  })

  it('runs while the startup_script does', async () => {
    const vm = vms.create({ docker: docker('true') })
    const startupScript = `#!/bin/bash\n${appears('image').replaceAll('$FAKES', '$PROVISION_ROOT/fakes').replace('"$REAL_SLEEP"', 'sleep')}`
    const { status, output } = await vm.run({ startupScript })
    expect(status, output).toBe(0)
    expect(pulls(vm)).toBe(1)
  })

  it('begins again after a startup_script that logs in to the registry', async () => {
    const vm = vms.create({
      curl: `${appears('image')} || exit 28; ${identity}`,
      docker: docker(`[ -e "$FAKES/login" ] || { : >"$FAKES/refused"; exit 1; }`),
    })
    const wait = appears('refused')
      .replaceAll('$FAKES', '$PROVISION_ROOT/fakes')
      .replace('"$REAL_SLEEP"', 'sleep')
    const startupScript = `#!/bin/bash\n${wait}\n: >"$PROVISION_ROOT/fakes/login"`
    const { status, output } = await vm.run({ startupScript })
    expect(status, output).toBe(0)
    expect(pulls(vm)).toBe(2)
    expect(pauses(vm)).not.toContain('1')
  })

  it('does not wait for an earlier one that hangs, if the startup_script has loaded the image', async () => {
    const vm = vms.create({ docker: docker(hangs) })
    const { status, output } = await vm.run({
      startupScript: '#!/bin/bash\n: >"$PROVISION_ROOT/fakes/image"',
    })
    expect(status, output).toBe(0)
  })

  it('is not lost where docker is installed or started later', async () => {
    const late = `[ "$1" = info ] && echo >>"$FAKES/asked"
[ "$(grep -cs '' "$FAKES/asked")" -ge 3 ] || { echo 'Cannot connect to the Docker daemon' >&2; exit 1; }`
    const vm = vms.create({
      // The early one is over before docker answers.
      openssl: `echo >>"$FAKES/tries"; [ "$(grep -c '' "$FAKES/tries")" -ge 3 ] || { echo 'Connection refused' >&2; exit 1; }`,
      docker: docker('true', late),
    })
    const { status, stages, output } = await vm.run({})
    expect(status, output).toBe(0)
    expect(stages.slice(-2)).toEqual(['image_pulled', 'agent_started'])
    expect(vm.has('fakes/image')).toBe(true)
  })

  it('that failed early and succeeds later shows no error', async () => {
    const once = `[ -e "$FAKES/once" ] || { : >"$FAKES/once"; echo 'connection reset' >&2; exit 1; }`
    const { status, output } = await vms.create({ docker: docker(once) }).run({})
    expect([status, output.includes('connection reset')]).toEqual([0, false])
  })

  it('that fails ends the boot after 77 s of pauses, with the reason of docker', async () => {
    const vm = vms.create({ docker: docker("echo 'manifest unknown' >&2; exit 1") })
    const { status, stages, output } = await vm.run({ poweroffIfNeverJoined: false })
    expect([status, stages.at(-1)]).toEqual([failureStages.image_pull_failed.exit, 'image_pull_failed'])
    expect(output).toContain('manifest unknown')
    expect(output).toContain('PROVISION_STAGE=image_pull_failed determinedai/determined-agent')
    // The early one, and 19 in sight.
    expect(pulls(vm)).toBe(20)
    expect(pauses(vm).match(/[123]/g)).toEqual(['1', '1', '2', '3'])
  })

  it('that hangs keeps neither a script that fails nor its machine', async () => {
    const vm = vms.create({ curl: 'exit 28', docker: docker(hangs) })
    const { status, stages } = await vm.run({})
    expect([status, stages.at(-1)]).toEqual([failureStages.metadata_unreachable.exit, 'metadata_unreachable'])
    await expect.poll(() => vm.tools.calls('shutdown')).toHaveLength(1)
  })

  it('that hangs is ended with the machine, by the watch', async () => {
    const vm = vms.create({ docker: docker(hangs) })
    vm.start(await rendered({ bootTimeoutSeconds: 1 }))
    await until(() => vm.tools.calls('shutdown').length === 1, 'shutdown')
    expect(vm.read('dev/console')).toContain('PROVISION_STAGE=never_joined')
  })

  it('holds nothing of a script that is killed', async () => {
    const vm = vms.create({ docker: docker(hangs) })
    const { child } = vm.start(await rendered({ poweroffIfNeverJoined: false }))
    const closed = new Promise((resolve) => child.once('close', (_, signal) => resolve(signal)))
    await until(() => vm.has('fakes/pulling'), 'a pull')
    child.kill('SIGTERM')
    expect(await closed).toBe('SIGTERM')
  })

  it('is for agents in a container only', async () => {
    const vm = vms.create()
    const command = ['bash', '-c', 'exec "$0/fakes/real/sleep" 60', vm.root]
    const { status, output } = await vm.run({ runtime: 'process', slotType: 'none', command })
    expect(status, output).toBe(0)
    expect(vm.tools.calls('docker')).toEqual([])
  })
})

describe('the pauses between attempts', () => {
  const sixTimes = `echo >>"$FAKES/tries"; [ "$(grep -c '' "$FAKES/tries")" -gt 6 ] || { echo 'Connection refused' >&2; exit 1; }`

  it.each([
    ['the master', { openssl: sixTimes }],
    ['the instance id', { curl: `${sixTimes}; ${identity}` }],
    ['docker', { docker: docker('true', `[ "$1" != info ] || { ${sixTimes}; }`) }],
  ])('grow up to 5 s: %s', async (_, tools) => {
    const vm = vms.create(tools)
    // The watch pauses, too.
    const script = (await rendered({})).replace('\nwatch_join <', '\n: <')
    const { status, output } = await vm.runScript(script)
    expect(status, output).toBe(0)
    // The last one is that after the start of the agent.
    expect(pauses(vm)).toBe('1 1 2 3 5 5 5')
  })
})
