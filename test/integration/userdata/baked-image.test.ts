// An instance whose machine image was made from another one, as docs/user-data.md describes: nothing is pulled, and nothing
// of the other instance's agent remains.
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { anchorsOf } from '../../../src/pki/trust-plan.ts'
import { trustPlan } from '../../support/agent-setups.ts'
import { dockerRun, rendered, type ScriptVm, ScriptVms } from '../../support/script-vm.ts'

const vms = new ScriptVms()
afterEach(() => vms.close())

/** Docker that keeps its images, and its container with its generation and state, below `$FAKES`. */
const docker = `case $1 in
  image) [ -e "$FAKES/image" ] ;;
  pull) : >"$FAKES/image" ;;
  inspect) case $3 in
      *generation*) [ -e "$FAKES/container" ] || { echo 'Error: No such object' >&2; exit 1; }
        echo "$(cat "$FAKES/state") $(cat "$FAKES/container")" ;;
      *Pid*) echo 0 ;;
      *Id*) echo c0ffee ;;
      *) echo true 0 ;;
    esac ;;
  rm) rm -f "$FAKES/container" ;;
  run) while [ $# -gt 0 ]; do
      [ "$1" != --cidfile ] || echo c0ffee >"$2"
      case $1 in provision.generation=*) echo "\${1#*=}" >"$FAKES/container" ;; esac
      shift
    done
    echo running >"$FAKES/state" ;;
esac`

const cloud = 'var/lib/cloud'
const part = `${cloud}/instance/scripts/part-001`
const perBoot = `${cloud}/scripts/per-boot/determined-agent`

/** A boot of EC2 with cloud-init: what is below /run is new, and the link to the instance's data is. */
async function boot(vm: ScriptVm, id: string, changes = {}) {
  rmSync(join(vm.root, 'run/determined'), { recursive: true, force: true })
  rmSync(join(vm.root, 'run/determined-agent-id'), { force: true })
  rmSync(join(vm.root, cloud, 'instance'), { force: true })
  mkdirSync(join(vm.root, cloud, 'instances', id, 'scripts'), { recursive: true })
  symlinkSync(join(vm.root, cloud, 'instances', id), join(vm.root, cloud, 'instance'))
  vm.write('fakes/id', id)
  vm.write(part, await rendered({ poweroffIfNeverJoined: false, ...changes }))
  const before = vm.tools.calls('docker').length
  const run = await vm.runScript(`exec bash '${join(vm.root, part)}'`)
  return {
    ...run,
    docker: vm.tools
      .calls('docker')
      .slice(before)
      .map(({ args }) => args[0]),
  }
}

/** `cloud-init clean` removes all of its folder but the seed. */
function cloudInitClean(vm: ScriptVm): void {
  for (const name of readdirSync(join(vm.root, cloud)))
    if (name !== 'seed') rmSync(join(vm.root, cloud, name), { recursive: true, force: true })
}

/** The rest of the recipe. */
function removeState(vm: ScriptVm): void {
  for (const path of ['etc/determined', 'usr/local/determined', 'var/lib/determined', 'fakes/container'])
    rmSync(join(vm.root, path), { recursive: true, force: true })
}

const create = () =>
  vms.create({ docker, curl: `case "$*" in *api/token*) echo t ;; *) cat "$FAKES/id" ;; esac` })
const bakeSetup = {
  agentConfig: { label: 'bake' },
  trust: trustPlan('embed', 'old.example.com'),
  startupScript: '#!/bin/bash\necho run >>"$PROVISION_ROOT/runs"',
}
const newTrust = { ...trustPlan('embed', 'new.example.com') }
newTrust.chain = newTrust.chain.slice(1)

describe('an instance of a baked image', () => {
  it('pulls nothing and starts the agent, as its first one', async () => {
    const vm = create()
    vm.write('fakes/image', '')
    const { status, stages, output, docker: calls } = await boot(vm, 'i-2')
    expect(status, output).toBe(0)
    expect(stages).toEqual([
      'started',
      'configuration_written',
      'tls_checked',
      'image_pulled',
      'agent_started',
    ])
    expect(calls).toContain('run')
    expect(calls).not.toContain('pull')
  })

  it.each([
    ['cleaned by the recipe', [cloudInitClean, removeState]],
    ['cleaned by cloud-init only', [cloudInitClean]],
    ['not cleaned', []],
  ])('has nothing of the instance that it was made from: %s', async (_, steps) => {
    const vm = create()
    expect((await boot(vm, 'i-1', bakeSetup)).docker).toContain('pull')
    // On a disk where /usr was read-only, the files are here.
    vm.write('var/lib/determined/master.crt', 'old')
    for (const step of steps) step(vm)

    const second = await boot(vm, 'i-2', { agentConfig: { label: 'new' }, trust: newTrust })
    expect(second.status, second.output).toBe(0)
    expect(second.docker.filter((call) => /^(?:pull|stop|rm|run)$/.test(call!))).toEqual([
      'stop',
      'rm',
      'run',
    ])
    const { environment, mounts } = dockerRun(vm)
    expect(environment).toMatchObject({
      DET_AGENT_ID: 'i-2',
      DET_SECURITY_TLS_MASTER_CERT_NAME: 'new.example.com',
    })
    expect(mounts['/usr/local/determined/master.crt']).toBe('/usr/local/determined/master.crt')
    expect(JSON.parse(vm.read('etc/determined/agent.yaml'))).toEqual({ label: 'new' })
    expect(vm.read('usr/local/determined/master.crt')).toBe(anchorsOf(newTrust))
    expect(vm.read('run/determined-agent-id')).toBe('i-2\n')
    expect(vm.read(perBoot)).toContain('/instances/i-2')
    expect(vm.read(perBoot)).not.toContain('i-1')
  })

  it('runs its startup_script, although that of the other instance has finished', async () => {
    const vm = create()
    await boot(vm, 'i-1', bakeSetup)
    cloudInitClean(vm)
    expect(existsSync(join(vm.root, perBoot))).toBe(false)
    expect((await boot(vm, 'i-2', bakeSetup)).stages).toContain('startup_script_done')
    expect(vm.read('runs')).toBe('run\nrun\n')
  })

  it('pulls an image that is not the baked one', async () => {
    const vm = vms.create({
      docker: docker.replace('[ -e "$FAKES/image" ]', '[ "$4" = agent:1 ]'),
      curl: 'echo i-2',
    })
    expect((await boot(vm, 'i-2', { docker: { image: 'agent:1' } })).docker).not.toContain('pull')
    expect((await boot(vm, 'i-3', { docker: { image: 'agent:2' } })).docker).toContain('pull')
  })
})
