import { describe, expect, it } from 'vitest'
import type { Answer, Client } from '../../../src/http/client.ts'
import {
  drainInstances,
  fleetStatus,
  instanceList,
  launchInstances,
  poolStatus,
} from '../../../src/http/fleet-client.ts'
import { ProvisionError } from '../../../src/problems/index.ts'

function answering(status: number, value: unknown) {
  const asked: unknown[][] = []
  const client: Client = {
    url: 'https://p:8444',
    async meet() {},
    async ask(...request): Promise<Answer> {
      asked.push(request)
      return { status, value }
    },
  }
  return { client, asked }
}

async function refusal(asking: Promise<unknown>) {
  const error = await asking.catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(ProvisionError)
  return (error as ProvisionError).problems[0]!
}

describe('an error of a provisioner', () => {
  it('is passed on with its code and severity', async () => {
    const error = { code: 'MAX_REACHED', message: 'room for 1', remedy: 'Raise it.', details: { room: 1 } }
    const { client } = answering(409, { error })
    expect(await refusal(launchInstances(client, 'p', 2))).toMatchObject({ ...error, severity: 'error' })
  })

  it('keeps its message when a newer provisioner uses an unknown code', async () => {
    const { client } = answering(409, { error: { code: 'TOO_NEW', message: 'no', remedy: 'Wait.' } })
    expect(await refusal(drainInstances(client, ['a']))).toMatchObject({
      code: 'REQUEST_REFUSED',
      message: 'TOO_NEW: no',
      remedy: 'Wait.',
    })
  })

  it('may be a response of another server', async () => {
    expect(await refusal(fleetStatus(answering(404, { message: 'nothing here' }).client))).toMatchObject({
      code: 'MASTER_FAULT',
      message: 'https://p:8444 answered with status 404 and no reason',
    })
    expect(await refusal(fleetStatus(answering(200, { pools: 7 }).client))).toMatchObject({
      code: 'MASTER_FAULT',
    })
  })
})

describe('names of pools', () => {
  it('are percent-encoded in requests', async () => {
    const { client, asked } = answering(404, { error: { code: 'POOL_UNKNOWN', message: '', remedy: '' } })
    await refusal(poolStatus(client, 'a/b c'))
    await refusal(instanceList(client, 'a&b'))
    expect(asked).toEqual([
      ['GET', '/v1/pools/a%2Fb%20c'],
      ['GET', '/v1/instances?pool=a%26b'],
    ])
  })
})
