// Tasks connect to their master with curl and with Python's strictest verifier, without configuration.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type TaskCluster, taskCluster } from '../../support/task-cluster.ts'

let cluster: TaskCluster
beforeEach(async () => {
  cluster = await taskCluster()
})
afterEach(() => cluster.dispose())

const strict = `
import json, os, ssl, urllib.request
context = ssl.create_default_context()
context.verify_flags |= ssl.VERIFY_X509_STRICT
with urllib.request.urlopen(os.environ['DET_MASTER'] + '/info', context=context) as answer:
    print(json.load(answer)['cluster_id'])
`

describe('a task that connects to its master with HTTPS', () => {
  it.each([
    [
      'curl',
      ['bash', '-c', 'curl --silent --show-error --fail "$DET_MASTER/info"'],
      /"cluster_id":"cluster-of-the-tests"/,
    ],
    ['Python, strict', ['python3', '-c', strict], /^cluster-of-the-tests$/m],
  ])('verifies it with %s', async (_, command, output) => {
    expect(await cluster.run(command)).toMatchObject({
      state: 'finished',
      stdout: expect.stringMatching(output),
    })
  })

  it.each([
    [
      'curl',
      ['bash', '-c', 'unset SSL_CERT_FILE; curl --silent --show-error "$DET_MASTER/info"'],
      /certificate/,
    ],
    ['Python, strict', ['env', '-u', 'SSL_CERT_FILE', 'python3', '-c', strict], /CERTIFICATE_VERIFY_FAILED/],
  ])('with %s fails without its environment', async (_, command, output) => {
    expect(await cluster.run(command)).toMatchObject({
      state: 'failed',
      stderr: expect.stringMatching(output),
    })
  })

  it('also trusts the CAs of the machine', async () => {
    const count = 'import ssl; print(len(ssl.create_default_context().get_ca_certs()) > 50)'
    expect((await cluster.run(['python3', '-c', count])).stdout).toBe('True\n')
  })
})
