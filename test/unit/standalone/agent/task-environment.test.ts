import { describe, expect, it } from 'vitest'
import { type AgentOptions, readAgentOptions } from '../../../../src/standalone/agent/options.ts'
import {
  type TaskEnvironmentInput,
  taskEnvironment,
} from '../../../../src/standalone/agent/task-environment.ts'
import type { Device } from '../../../../src/standalone/protocol/container.ts'

function options(env: Record<string, string> = {}): AgentOptions {
  const given = { DET_MASTER_HOST: 'master', DET_AGENT_ID: 'agent-1', ...env }
  return readAgentOptions({ argv: [], env: given, defaultFile: '/nonexistent' }).options!
}

function environment(change: Partial<TaskEnvironmentInput> = {}, devices: Device[] = []) {
  return taskEnvironment({
    options: options(),
    env: {},
    master: { cluster_id: 'cluster', master_id: 'start' },
    container: { id: 'c-1', state: 'ASSIGNED', devices, description: '' },
    given: [],
    files: new Map(),
    bundle: (certificate) => `${certificate}.bundle`,
    ...change,
  })
}

describe('the environment of a task', () => {
  it('has the ids of the task and the address of the master', () => {
    expect(environment()).toEqual({
      DET_MASTER: 'http://master:80',
      DET_MASTER_HOST: 'master',
      DET_MASTER_ADDR: 'master',
      DET_MASTER_PORT: '80',
      DET_CLUSTER_ID: 'cluster',
      DET_MASTER_ID: 'start',
      DET_AGENT_ID: 'agent-1',
      DET_CONTAINER_ID: 'c-1',
      DET_SLOT_IDS: '[]',
      CUDA_VISIBLE_DEVICES: '',
      ROCR_VISIBLE_DEVICES: '',
    })
  })

  it("has the scheme of the agent's connection, and its certificate name", () => {
    const tls = { DET_SECURITY_TLS_ENABLED: '1', DET_SECURITY_TLS_MASTER_CERT_NAME: 'master.test' }
    const secure = environment({
      options: options({ ...tls, DET_MASTER_HOST: '::1', DET_MASTER_PORT: '8443' }),
    })
    expect(secure).toMatchObject({ DET_MASTER: 'https://[::1]:8443', DET_MASTER_CERT_NAME: 'master.test' })
    expect(environment()).not.toHaveProperty('DET_MASTER_CERT_NAME')
  })

  it('has the address for containers if there is one', () => {
    const env = { DET_CONTAINER_MASTER_HOST: 'inside', DET_CONTAINER_MASTER_PORT: '81' }
    expect(environment({ options: options(env) }).DET_MASTER).toBe('http://inside:81')
  })

  it("does not contain the agent's own variables", () => {
    const env = {
      PATH: '/bin',
      PROVISION_ROOT: '/vm',
      DET_SECURITY_TLS_MASTER_CERT: '/a.crt',
      AWS_SECRET_ACCESS_KEY: 'x',
      NODE_EXTRA_CA_CERTS: '/b.crt',
    }
    const own = environment({ env })
    expect(own).toMatchObject({ PATH: '/bin', PROVISION_ROOT: '/vm' })
    expect(Object.values(own)).not.toContain('x')
    expect(Object.values(own)).not.toContain('/a.crt')
    expect(Object.values(own)).not.toContain('/b.crt')
  })

  it("contains the order's variables, but not another agent or master", () => {
    const given = ['A=b=c', 'EMPTY=', 'PATH=/own', 'DET_AGENT_ID=other', 'DET_MASTER=http://evil']
    expect(environment({ env: { PATH: '/bin' }, given })).toMatchObject({
      A: 'b=c',
      EMPTY: '',
      PATH: '/own',
      DET_AGENT_ID: 'agent-1',
      DET_MASTER: 'http://master:80',
    })
  })

  it("has the real paths of the order's files", () => {
    const files = new Map([['/run/determined/etc/ssl/master.crt', '/tasks/c-1/files/master.crt']])
    const own = environment({
      files,
      given: ['DET_MASTER_CERT_FILE=/run/determined/etc/ssl/master.crt', 'OTHER=/run'],
    })
    expect(own).toMatchObject({
      DET_MASTER_CERT_FILE: '/tasks/c-1/files/master.crt',
      NODE_EXTRA_CA_CERTS: '/tasks/c-1/files/master.crt',
      SSL_CERT_FILE: '/tasks/c-1/files/master.crt.bundle',
      OTHER: '/run',
    })
  })

  it('lets the order set the trusted certificates', () => {
    const given = ['DET_MASTER_CERT_FILE=/m', 'SSL_CERT_FILE=/own', 'NODE_EXTRA_CA_CERTS=/own2']
    expect(environment({ given })).toMatchObject({ SSL_CERT_FILE: '/own', NODE_EXTRA_CA_CERTS: '/own2' })
  })

  it("trusts the agent's CAs if the order has no certificate", () => {
    const env = { SSL_CERT_FILE: '/usr/local/determined/ca-bundle.crt' }
    const bundle = '/usr/local/determined/ca-bundle.crt'
    expect(environment({ env })).toMatchObject({ SSL_CERT_FILE: bundle, NODE_EXTRA_CA_CERTS: bundle })
    expect(environment({ env, given: ['DET_MASTER_CERT_FILE=/m'] })).toMatchObject({
      SSL_CERT_FILE: '/m.bundle',
    })
  })

  it('lists only the GPUs of the task', () => {
    const gpus: Device[] = [
      { id: 1, brand: 'T4', uuid: 'GPU-b', type: 'cuda' },
      { id: 3, brand: 'T4', uuid: 'GPU-d', type: 'cuda' },
    ]
    expect(environment({}, gpus)).toMatchObject({
      DET_SLOT_IDS: '[1,3]',
      CUDA_VISIBLE_DEVICES: 'GPU-b,GPU-d',
      ROCR_VISIBLE_DEVICES: '',
    })
  })

  it("has the agent's proxies in upper and lower case", () => {
    const proxies = { DET_HTTPS_PROXY: 'http://p:1', DET_NO_PROXY: 'a,b' }
    expect(environment({ options: options(proxies) })).toMatchObject({
      HTTPS_PROXY: 'http://p:1',
      https_proxy: 'http://p:1',
      no_proxy: 'a,b',
    })
    expect(environment()).not.toHaveProperty('HTTP_PROXY')
  })
})
