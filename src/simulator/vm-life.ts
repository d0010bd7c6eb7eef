// The life of each VM, drawn when it is made: when it runs, when its agent joins, and what goes wrong with it.
import type { FailureStage } from '../agent-setup/stages.ts'
import type { VmFault } from './fault-kinds.ts'
import type { Random } from './random.ts'
import type { Scenario } from './scenario.ts'

export interface VmLife {
  fault: VmFault | undefined
  /** Milliseconds from its making until it runs; undefined: never. */
  startsAfter: number | undefined
  /** Milliseconds from its making until its agent joins; undefined: never. */
  joinsAfter: number | undefined
  /** Milliseconds from its making until the fault shows, for those that show later. */
  faultAfter: number
  /** The stage its script ends with. */
  stage: FailureStage | undefined
}

const second = 1000
const faultyPercent = 35

/** `ordinal` counts the VMs of the world from 1; VMs made when all is calm are sound. */
export function lifeOf(scenario: Scenario, random: Random, ordinal: number, now: number): VmLife {
  const draw = random.fork('vm', ordinal)
  const { startsAfter, joinsAfter } = bootOf(scenario, draw)
  const life = {
    startsAfter,
    joinsAfter,
    faultAfter: joinsAfter + draw.whole(5, 300) * second,
    stage: undefined,
  }
  const fault = now < scenario.calmAt ? faultOf(scenario, draw) : undefined
  const { bootTimeout } = scenario.policy
  switch (fault) {
    case 'stuck_pending':
      return { ...life, fault, startsAfter: undefined, joinsAfter: undefined }
    case 'never_boots':
      return { ...life, fault, joinsAfter: undefined }
    case 'never_joins':
      return {
        ...life,
        fault,
        joinsAfter: undefined,
        faultAfter: bootTimeout + startsAfter,
        stage: 'tls_unknown_ca',
      }
    case 'script_fails':
      return { ...life, fault, joinsAfter: undefined, faultAfter: joinsAfter, stage: 'no_docker' }
    case 'joins_late':
      return { ...life, fault, joinsAfter: bootTimeout + draw.whole(-20, 40) * second }
    default:
      return { ...life, fault }
  }
}

function bootOf({ given }: Scenario, draw: Random): { startsAfter: number; joinsAfter: number } {
  if (given) {
    const joinsAfter = draw.whole(given.boot.least, given.boot.most)
    return { startsAfter: Math.floor(joinsAfter / 4), joinsAfter }
  }
  const startsAfter = draw.whole(3, 25) * second
  return { startsAfter, joinsAfter: startsAfter + draw.whole(10, 60) * second }
}

function faultOf({ vmFaults, oddities }: Scenario, draw: Random): VmFault | undefined {
  if (oddities.has('bad_image')) return draw.pick(['never_boots', 'never_joins', 'script_fails'])
  return vmFaults.length > 0 && draw.chance(faultyPercent) ? draw.pick(vmFaults) : undefined
}
