// An offering in words.
import type { Offering } from '../../model/instance.ts'

export function nameOf({ instanceType, zone, capacityType }: Offering): string {
  return `${capacityType === 'spot' ? 'spot ' : ''}${instanceType}${zone ? ` in ${zone}` : ''}`
}
