import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type DetectOptions, detectDevices } from '../../../../src/standalone/agent/devices.ts'
import { capturingLogger } from '../../../support/capturing-logger.ts'

let bin: string
let env: Record<string, string>
const log = capturingLogger()

beforeEach(() => {
  bin = mkdtempSync(join(tmpdir(), 'tools-'))
  env = { PATH: bin }
  log.lines.length = 0
})
afterEach(() => rmSync(bin, { recursive: true }))

/** A program on the PATH that answers like the vendor's tool. `$ARGS` are its arguments. */
function tool(name: string, body: string): void {
  writeFileSync(join(bin, name), `#!/bin/bash\nARGS="$*"\n${body}\n`)
  chmodSync(join(bin, name), 0o755)
}

function detect(change: Partial<DetectOptions> = {}) {
  const options = {
    agentId: 'agent-1',
    slotType: 'auto',
    visibleGpus: '',
    artificialSlots: 0,
    ...change,
  } as const
  return detectDevices(options, env, log)
}

const twoT4s = `case $ARGS in
  *mig.mode*) echo '[N/A]' ;;
  *index,name,uuid*) [[ $ARGS != *--id=1* ]] && echo '0, Tesla T4, GPU-aa'; echo '1, Tesla T4, GPU-bb' ;;
esac`
const t4 = (id: number, uuid: string) => ({ id, brand: 'Tesla T4', uuid, type: 'cuda' })

const mig = `case $ARGS in
  *mig.mode*) echo Enabled ;;
  -L) echo 'GPU 0: A100-SXM4-40GB (UUID: GPU-e86cb44c)'
      echo '  MIG 3g.20gb     Device  0: (UUID: MIG-one)'
      echo '  MIG 1g.5gb      Device  1: (UUID: MIG-two)' ;;
  *) echo '0, A100-SXM4-40GB, GPU-e86cb44c' ;;
esac`

const cards = JSON.stringify({
  card1: { 'Unique ID': '0xb', 'Card vendor': 'AMD' },
  card0: { 'Unique ID': '0xa', 'Card vendor': 'AMD' },
})
const amd = (id: number, uuid: string) => ({ id, brand: 'AMD', uuid, type: 'rocm' })

describe('artificial slots', () => {
  it('replace all other devices, in the requested number', async () => {
    tool('nvidia-smi', twoT4s)
    const devices = await detect({ artificialSlots: 3, slotType: 'cuda' })
    expect(devices.map(({ id, brand, type }) => ({ id, brand, type }))).toEqual(
      [0, 1, 2].map((id) => ({ id, brand: 'Artificial', type: 'cpu' })),
    )
    expect(new Set(devices.map((device) => device.uuid)).size).toBe(3)
  })

  it('are the same for the same agent, and different for another', async () => {
    const first = await detect({ artificialSlots: 2 })
    expect(await detect({ artificialSlots: 2 })).toEqual(first)
    const other = await detect({ artificialSlots: 2, agentId: 'agent-2' })
    expect(other[0]!.uuid).not.toBe(first[0]!.uuid)
    expect(first[0]!.uuid).toMatch(/^[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-8[\da-f]{3}-[\da-f]{12}$/)
  })
})

describe('slot types', () => {
  it('none gives no devices on any machine', async () => {
    tool('nvidia-smi', twoT4s)
    expect(await detect({ slotType: 'none' })).toEqual([])
  })

  it('cpu is one slot of all cores, the same at every call', async () => {
    const devices = await detect({ slotType: 'cpu' })
    expect(devices).toMatchObject([{ id: 0, type: 'cpu', brand: expect.stringMatching(/\d+ cores/) }])
    expect(await detect({ slotType: 'cpu' })).toEqual(devices)
  })

  it.each(['cuda', 'gpu'] as const)(
    '%s gives no device on a machine without nvidia-smi',
    async (slotType) => {
      expect(await detect({ slotType })).toEqual([])
    },
  )

  it('auto prefers NVIDIA to AMD, and AMD to CPUs', async () => {
    expect(await detect()).toMatchObject([{ type: 'cpu' }])
    tool('rocm-smi', `echo '${cards}'`)
    expect(await detect()).toEqual([amd(0, '0xa'), amd(1, '0xb')])
    tool('nvidia-smi', twoT4s)
    expect(await detect()).toEqual([t4(0, 'GPU-aa'), t4(1, 'GPU-bb')])
  })
})

describe('NVIDIA GPUs', () => {
  it('are only the named ones', async () => {
    tool('nvidia-smi', twoT4s)
    expect(await detect({ slotType: 'cuda', visibleGpus: '1' })).toEqual([t4(1, 'GPU-bb')])
  })

  it.each(['1', 'GPU-bb', ' 1 ,GPU-zz'])(
    'are only those that a batch system assigned: %s',
    async (visible) => {
      tool('nvidia-smi', twoT4s)
      env['CUDA_VISIBLE_DEVICES'] = visible
      expect(await detect({ slotType: 'cuda' })).toEqual([t4(1, 'GPU-bb')])
    },
  )

  it('are their MIG instances if they are partitioned', async () => {
    tool('nvidia-smi', mig)
    expect(await detect({ slotType: 'cuda' })).toEqual([
      { id: 0, brand: 'MIG 3g.20gb', uuid: 'MIG-one', type: 'cuda' },
      { id: 1, brand: 'MIG 1g.5gb', uuid: 'MIG-two', type: 'cuda' },
    ])
  })

  it('are whole if MIG is on but nothing is partitioned', async () => {
    tool('nvidia-smi', mig.replaceAll(/MIG-(one|two)/g, ''))
    expect(await detect({ slotType: 'cuda' })).toMatchObject([{ uuid: 'GPU-e86cb44c' }])
  })

  it('are not reported, with a warning, when the driver fails', async () => {
    tool('nvidia-smi', 'echo "NVIDIA-SMI has failed: no driver" >&2; exit 9')
    expect(await detect({ slotType: 'cuda' })).toEqual([])
    expect(log.lines.join('\n')).toMatch(/warn nvidia-smi failed .*no driver/)
  })

  it('with unreadable output stop the agent, and the error quotes the output', async () => {
    tool('nvidia-smi', 'echo "zero, one"')
    await expect(detect({ slotType: 'cuda' })).rejects.toMatchObject({
      code: 'AGENT_DEVICES_UNREADABLE',
      message: expect.stringContaining('zero, one'),
    })
  })
})

describe('AMD GPUs', () => {
  it('are queried again without their names if the tool fails with them', async () => {
    tool('rocm-smi', `[[ $ARGS = *productname* ]] && exit 1; echo '${cards}'`)
    expect(await detect({ slotType: 'rocm' })).toEqual([amd(0, '0xa'), amd(1, '0xb')])
  })

  it('are only the named or assigned ones', async () => {
    tool('rocm-smi', `[[ $ARGS = *'-d 0 1' ]] && echo '${cards}'`)
    env['ROCR_VISIBLE_DEVICES'] = '1'
    expect(await detect({ slotType: 'rocm', visibleGpus: '0,1' })).toEqual([amd(1, '0xb')])
  })

  it.each(['echo not json', 'echo \'{"system": {}}\'', 'exit 3'])(
    'are not reported, with a warning: %s',
    async (body) => {
      tool('rocm-smi', body)
      expect(await detect({ slotType: 'rocm' })).toEqual([])
      expect(log.lines.join('\n')).toMatch(/warn rocm-smi/)
    },
  )
})
