// Agents of this program beside a Determined master are an error of validate, check and the start.
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Problem } from '../../../src/problems/index.ts'
import { builtInProviders } from '../../../src/providers/index.ts'
import { validateAll } from '../../../src/provisioner/validate.ts'

let dir: string
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'command-agents-')))
  writeFileSync(join(dir, 'token'), 'token')
  writeFileSync(join(dir, 'own.hbs'), '#!/bin/bash\nexec /opt/determined-agent run\n')
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const beside = 'demand: {type: determined, url: "http://10.0.0.1:8080", token_file: token}'
const aws = 'type: aws, region: us-west-2, image_id: ami-0123456789abcdef0, instance_type: m5.large'
const gcp =
  'type: gcp, project: p, zone: us-west1-b, boot_disk_source_image: projects/p/global/images/i, instance_type: {machine_type: n1-standard-8, gpu_num: 0}'

async function found(provider: string, demand = beside): Promise<Problem[]> {
  const file = join(dir, 'master.yaml')
  writeFileSync(
    file,
    `${demand}\nresource_pools:\n  - pool_name: gpu\n    provider: {${provider}, master_url: "http://10.0.0.1:8080"}\n`,
  )
  const { problems } = await validateAll(file, { env: {}, now: Date.now(), providers: builtInProviders })
  return problems.filter(({ code }) => code === 'DETERMINED_COMMAND_AGENT')
}

describe('beside a Determined master', () => {
  it.each([
    ['type: local', 'an agent of this program'],
    [`${aws}, agent_docker_image: "registry.example.com/provision-agent:0.1.0"`, 'provision-agent:0.1.0'],
    [`${aws}, agent_docker_image: provision-agent`, 'agent_docker_image provision-agent'],
    [
      `${gcp}, agent_docker_image: "localhost:5000/team/provision-agent@sha256:0123"`,
      'provision-agent@sha256:0123',
    ],
    [`${aws}, agent_docker_image: "ghcr.io/x/dynamic-agent-provisioner-agent:1"`, 'provisioner-agent:1'],
  ])('%s is an error with its line', async (provider, words) => {
    const [problem, ...more] = await found(provider)
    expect(more).toEqual([])
    expect(problem).toMatchObject({ severity: 'error', where: { line: 4 } })
    expect(problem!.message).toContain('pool gpu')
    expect(problem!.message).toContain(words)
    expect(problem!.remedy).toContain('allow_command_agents: true')
  })

  it.each([
    'type: local, allow_command_agents: true',
    'type: local, agent_setup_template: own.hbs',
    aws,
    `${aws}, agent_docker_image: "determinedai/determined-agent:0.37.0"`,
    `${aws}, agent_docker_image: "registry.example.com/provision-agent-gpu/determined-agent:1"`,
    `${aws}, agent_docker_image: provision-agent, allow_command_agents: true`,
  ])('%s is none', async (provider) => {
    expect(await found(provider)).toEqual([])
  })
})

it.each(['demand: {type: built-in}', 'demand: {type: push}', ''])(
  '%s: all agents may be ours',
  async (demand) => {
    expect(await found('type: local', demand)).toEqual([])
  },
)

describe('several addresses in master_url', () => {
  async function judged(provider: string): Promise<Problem[]> {
    const file = join(dir, 'master.yaml')
    writeFileSync(
      file,
      `resource_pools:
  - pool_name: gpu
    provider:
      master_url: ["http://10.0.0.1:8080", "http://10.0.0.2:8080"]
      ${provider.replaceAll(', ', '\n      ')}
`,
    )
    const { problems } = await validateAll(file, { env: {}, now: Date.now(), providers: builtInProviders })
    return problems.filter(({ severity }) => severity === 'error')
  }

  it.each([
    aws,
    `${aws}, agent_docker_image: "determinedai/determined-agent:0.37.0"`,
    `${aws}, agent_docker_image: "registry.example.com/copy/determined-agent@sha256:0123"`,
  ])("with Determined's agent are an error with its line and a remedy: %s", async (provider) => {
    const [problem, ...more] = await judged(provider)
    expect(more).toEqual([])
    expect(problem).toMatchObject({
      code: 'MASTER_URL_ONE_HOST',
      where: { file: join(dir, 'master.yaml'), line: 4 },
      remedy: expect.stringContaining('agent_docker_image'),
    })
    expect(problem!.message).toMatch(/pool gpu: master_url has 2 addresses, .*determined-agent/)
  })

  it.each([
    'type: local',
    `${aws}, agent_docker_image: "registry.example.com/provision-agent:0.1.0"`,
    `${aws}, agent_runtime: process`,
    `${aws}, agent_setup_template: own.hbs`,
  ])('with other agents are none: %s', async (provider) => {
    expect(await judged(provider)).toEqual([])
  })
})
