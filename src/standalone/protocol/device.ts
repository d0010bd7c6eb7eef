// One accelerator, or the CPUs, of an agent (origin: master/pkg/device/device.go).
import { integer, list, object, type Reader, text, word } from './read.ts'

export const deviceTypes = ['cpu', 'cuda', 'rocm', ''] as const
/** '' is a device that gives no slot. */
export type DeviceType = (typeof deviceTypes)[number]

export interface Device {
  id: number
  brand: string
  uuid: string
  type: DeviceType
}

/** More accelerators than any machine has; a longer list is an attack or a mistake. */
const mostDevices = 1024

export const readDevices: Reader<Device[]> = list(
  object<Device>({ id: integer, brand: text(256), uuid: text(256), type: word(deviceTypes) }),
  mostDevices,
)

function sameDevice(a: Device, b: Device): boolean {
  return a.id === b.id && a.brand === b.brand && a.uuid === b.uuid && a.type === b.type
}

/** Equal in count and in every field, whatever the order. */
export function sameDevices(a: Device[], b: Device[]): boolean {
  return a.length === b.length && a.every((device) => b.some((other) => sameDevice(device, other)))
}
