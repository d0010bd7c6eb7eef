// AMD GPUs, as rocm-smi lists them.
import type { Logger } from '../../platform/ports.ts'
import type { Device } from '../protocol/device.ts'
import { allocated } from './allocated.ts'
import { askTool, type Environment } from './tool.ts'

const rocmSmi = 'rocm-smi'

/** A machine without rocm-smi, or with one that fails or babbles, has no AMD GPUs. */
export async function rocmDevices(visible: string, env: Environment, logger: Logger): Promise<Device[]> {
  const only = visible ? ['-d', ...visible.split(',')] : []
  const names = ['--showuniqueid', '--showproductname', '--showbus', '--json', ...only]
  let answer = await askTool(rocmSmi, names, env)
  // Cards without a product name make --showproductname fail; all we need of it is the vendor.
  if (answer.kind === 'failed')
    answer = await askTool(
      rocmSmi,
      names.filter((name) => name !== '--showproductname'),
      env,
    )
  if (answer.kind === 'missing') return []
  if (answer.kind === 'failed') {
    logger.warn('rocm-smi failed', { reason: answer.reason })
    return []
  }
  const devices = readCards(answer.text)
  if (!devices)
    logger.warn('rocm-smi answered with something that is no list of cards', {
      text: answer.text.slice(0, 200),
    })
  const mine = allocated(env, 'ROCR_VISIBLE_DEVICES')
  return (devices ?? []).filter((device) => mine(device.id, device.uuid))
}

/** `{"card0": {"Unique ID": "0x2b1f…", "Card vendor": "…"}}` */
function readCards(json: string): Device[] | undefined {
  try {
    const cards = JSON.parse(json) as Record<string, Record<string, unknown>>
    const devices = Object.entries(cards).map(([name, card]): Device => {
      if (!/^card\d+$/.test(name)) throw new TypeError(name)
      return {
        id: Number(name.slice('card'.length)),
        brand: String(card['Card vendor'] ?? ''),
        uuid: String(card['Unique ID'] ?? ''),
        type: 'rocm',
      }
    })
    return devices.sort((a, b) => a.id - b.id)
  } catch {
    return undefined
  }
}
