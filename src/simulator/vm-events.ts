// What a VM of the world does, from its making to its end, by the life drawn for it.
import { endVm, type Vm } from './cloud.ts'
import { lifeOf, type VmLife } from './vm-life.ts'
import { isCalm, userDataOf, type World } from './world.ts'

const second = 1000

export function liveVm(world: World, vm: Vm): void {
  const { scenario, random, clock, cloud, master, timeline } = world
  const { id } = vm.instance
  const life = lifeOf(scenario, random, cloud.created, clock.now())
  const isUp = () => vm.endedAt === undefined
  if (life.fault) timeline.add('world', `${id} will be: ${life.fault}`)

  if (life.joinsAfter !== undefined)
    clock.after(life.joinsAfter, () => {
      if (isUp()) join(world, vm, life)
    })
  clock.after(life.faultAfter, () => {
    // In a calm world only what was wrong from the beginning still shows.
    if (isUp() && (!isCalm(world) || life.joinsAfter === undefined)) strike()
  })

  function strike(): void {
    switch (life.fault) {
      case 'never_joins':
      case 'script_fails':
        vm.console += `PROVISION_STAGE=${life.stage}\n`
        endVm(cloud, vm, 'its script failed', scenario.seed.length % 2 ? 'stopping' : 'stopped')
        break
      case 'flaps':
        flap(5)
        break
      case 'cut_off':
        master.disconnect(id)
        break
      case 'vanishes':
        endVm(cloud, vm, 'the machine failed')
        break
      case 'stops':
        endVm(cloud, vm, 'somebody stopped it', 'stopped')
        break
      case 'spot_notice':
      case 'spot_notice_alone':
        vm.instance.interruptedAt = clock.now()
        timeline.add('cloud', `will take ${id} back`)
        if (life.fault === 'spot_notice')
          clock.after(120 * second, () => isUp() && endVm(cloud, vm, 'taken back'))
        break
      case 'spot_without_notice':
        endVm(cloud, vm, 'taken back')
    }
  }

  function flap(times: number): void {
    if (!isUp() || times === 0) return
    master.disconnect(id)
    const draw = random.fork('flap', id, times)
    clock.after(draw.whole(2, 50) * second, () => isUp() && join(world, vm, life))
    clock.after(draw.whole(60, 150) * second, () => flap(times - 1))
  }
}

function join(world: World, vm: Vm, { fault }: VmLife): void {
  const { master, timeline, certificate, cloud } = world
  const { id } = vm.instance
  if (vm.sha256 !== userDataOf(certificate).sha256 && !master.agents.has(id)) {
    vm.console += 'PROVISION_STAGE=tls_unknown_ca\n'
    timeline.add('world', `${id} does not trust the renewed certificate`)
    endVm(cloud, vm, 'its script failed')
    return
  }
  vm.console += 'PROVISION_STAGE=agent_connected\n'
  const slots = fault === 'short_of_slots' ? vm.slots - 1 : vm.slots
  master.join(id, slots, fault === 'broken_agent')
}
