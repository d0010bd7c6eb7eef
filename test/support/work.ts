// Jobs in the REST API.
import { expect } from 'vitest'
import { type Answer, type TestMaster, token } from './master.ts'

export type Json = Record<string, unknown>

export async function post(m: TestMaster, path: string, body: Json = {}): Promise<Answer> {
  return m.ask(path, { method: 'POST', token, body })
}

/** Submits a job and returns its id. */
export async function submit(m: TestMaster, body: Json): Promise<string> {
  const { status, json } = await post(m, '/provision/v1/jobs', body)
  expect([status, json]).toEqual([201, { job: expect.objectContaining({ state: 'pending' }) }])
  return json.job.id
}

export const work = async (m: TestMaster, id: string) => (await m.ask(`/provision/v1/jobs/${id}`)).json.job

/** Resolves with the job when it is in that state. */
export async function becomes(m: TestMaster, id: string, state: string) {
  for (let i = 0; i < 1000; i++) {
    const now = await work(m, id)
    if (now.state === state) return now
    await new Promise((resolve) => setTimeout(resolve, 3))
  }
  throw new Error(`${id} is ${(await work(m, id)).state}, not ${state}`)
}
