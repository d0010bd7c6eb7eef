// The size of user data with an ECDSA chain of three, plain and packed, on each cloud.

import { gzip } from '../src/agent-setup/pack.ts'
import { renderScript } from '../src/agent-setup/render.ts'
import { agentSetup } from '../test/support/agent-setups.ts'
import type { Report, Row } from './measure.ts'

const budget = 3600
const number = (n: number) => n.toLocaleString('en-US')

async function sizeOf(cloud: 'aws' | 'gcp', embedded: boolean): Promise<Row> {
  const setup = agentSetup({ cloud, trust: embedded ? {} : { mode: 'system', chain: [] } })
  const { script = '' } = await renderScript(setup)
  const plain = Buffer.byteLength(script)
  const packed = (await gzip(Buffer.from(script))).length
  return {
    what: `${cloud}, docker, GPUs, ${embedded ? 'private ECDSA chain of three' : 'no chain (trust: system)'}`,
    measured: `${number(packed)} bytes packed, ${number(plain)} plain of ${number(setup.machine.userData.limit ?? 0)}`,
    budget: embedded ? `${number(budget)} packed` : '',
    met: embedded ? packed <= budget : undefined,
  }
}

export async function userData(): Promise<Report> {
  return {
    title: 'User data',
    command: 'npm run bench user-data',
    rows: [await sizeOf('aws', true), await sizeOf('aws', false), await sizeOf('gcp', true)],
    notes: ['Packed with gzip at level 9; it is sent plain as long as it fits.'],
  }
}
