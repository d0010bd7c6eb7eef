// Credentials that expire while the provisioner runs: nothing is launched or terminated without proof, and new ones are
// read.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { type AwsCloud, awsCloud } from '../../support/aws-cloud.ts'
import { offering } from '../../support/cloud-pools.ts'

let cloud: AwsCloud
let folder: string
beforeEach(async () => {
  cloud = await awsCloud()
  folder = mkdtempSync(join(tmpdir(), 'aws-'))
  vi.stubEnv('AWS_ACCESS_KEY_ID', undefined)
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', undefined)
  vi.stubEnv('AWS_CONFIG_FILE', '/nowhere')
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(folder, 'credentials'))
})
afterEach(async () => {
  await cloud.dispose()
  rmSync(folder, { recursive: true })
})

const one = [offering('g5.xlarge', { zone: 'subnet-a' })]

function profile(key: string): void {
  const text = `[default]\naws_access_key_id = ${key}\naws_secret_access_key = secret\naws_session_token = ${key}\n`
  writeFileSync(join(folder, 'credentials'), text)
}

it('of a profile that expire are reported by every call, and read again once they are renewed', async () => {
  profile('first')
  const provider = await cloud.open()
  const { instances } = await provider.launch(cloud.order(1, one))
  const id = instances[0]!.id

  cloud.ec2.world.expiredKeys.add('first')
  const refused = { class: 'auth', problem: { code: 'PROVIDER_AUTH' } }
  expect(await provider.list()).toMatchObject({ complete: false, problems: [{ code: 'PROVIDER_AUTH' }] })
  const order = cloud.order(2, one)
  expect(await provider.launch(order)).toMatchObject({ instances: [], failures: [refused] })
  expect(await provider.terminate([id])).toMatchObject({ terminated: [], failures: [refused] })
  expect(cloud.ec2.world.vms.size).toBe(1)

  profile('second')
  expect((await provider.launch(order)).instances).toHaveLength(2)
  expect((await provider.list()).instances).toHaveLength(3)
  expect(await provider.terminate([id])).toEqual({ terminated: [id], failures: [] })
})

it('that expire are reported with a remedy', async () => {
  profile('first')
  cloud.ec2.world.expiredKeys.add('first')
  const { problems } = await (await cloud.open()).list()
  expect(problems[0]!.message).toBe(
    'could not list the instances of pool GPU pool *: RequestExpired: Request has expired',
  )
  expect(problems[0]!.remedy).toContain('Renew the session credentials')
})
