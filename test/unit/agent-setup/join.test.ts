// The script with `join`: its size, templates of users, and proofs of other providers.
import { describe, expect, it } from 'vitest'
import { mergeAgentConfig } from '../../../src/agent-setup/agent-config.ts'
import { gzip, packUserData } from '../../../src/agent-setup/pack.ts'
import { renderScript } from '../../../src/agent-setup/render.ts'
import {
  agentSetup,
  exampleChain,
  joinSetup,
  machines,
  type SetupChanges,
  trustPlan,
} from '../../support/agent-setups.ts'

const name = 'determined-master.example.com'
const url = 'https://determined-master.example.com:8443'

async function packed(changes: SetupChanges, joins: boolean): Promise<number> {
  const plan = trustPlan('embed', name)
  const { config } = mergeAgentConfig({}, plan, { joins })
  const { script } = await renderScript(agentSetup({ ...changes, trust: plan, agentConfig: config }))
  return (await gzip(Buffer.from(script!))).length
}

describe('the script with join', () => {
  it.each([
    ['aws', 'docker', ['aws-sts']],
    ['aws', 'process', ['aws-sts']],
    ['aws', 'docker', ['aws-sts', 'aws-identity-document']],
    ['gcp', 'docker', ['gcp-identity-token']],
    ['gcp', 'process', ['gcp-identity-token']],
  ] as const)(
    'has at most 2,200 bytes more, compressed, on %s as %s with %j',
    async (cloud, runtime, proofs) => {
      const base: SetupChanges = { cloud, runtime, command: ['determined-agent', 'run'] }
      const more =
        (await packed({ ...base, join: joinSetup(url, name, ...proofs) }, true)) - (await packed(base, false))
      expect(more).toBeGreaterThan(1_000)
      expect(more).toBeLessThanOrEqual(2_200)
    },
  )

  it('fits on EC2 with a chain of three for the master, and another for the provisioner', async () => {
    const chain = exampleChain()
      .map(({ pem }) => pem)
      .join('')
    const join = { ...joinSetup(url, name, 'aws-sts', 'aws-identity-document'), chain }
    const setup = agentSetup({ join })
    const { script } = await renderScript(setup)
    const { userData, problems } = await packUserData(script!, setup)
    expect(problems).toEqual([])
    // The same chain twice compresses well; another one adds its 1,300 bytes.
    expect(userData!.bytes.packed).toBeLessThan(9_300)
  })

  it('counts the chain of the provisioner as certificates', async () => {
    const chain = 'x'.repeat(300_000)
    const setup = agentSetup({ join: { ...joinSetup(url, name, 'aws-sts'), chain } })
    const noise = Array.from({ length: 60_000 }, (_, n) => ((n * 7_919) % 99_991).toString(36)).join('')
    const { problems } = await packUserData(noise, setup)
    const { parts } = problems[0]!.details as { parts: Record<string, number> }
    expect(parts['certificates']).toBeGreaterThan(300_000)
  })

  it('asks the address of join.url, and verifies another name', async () => {
    const lines = async (join: string, verified: string) => {
      const { script } = await renderScript(agentSetup({ join: joinSetup(join, verified, 'aws-sts') }))
      return Array.from(script!.matchAll(/^JOIN_(?:URL|TO|ENDPOINT)='(.*)'$/gm), ([, value]) => value)
    }
    expect(await lines('https://10.0.0.9:8444', name)).toEqual([
      'https://10.0.0.9:8444',
      '::10.0.0.9:8444',
      `https://${name}:8444/v1/join`,
    ])
    expect(await lines('https://[fd00::5]', 'fd00::5')).toEqual([
      'https://[fd00::5]',
      '::[fd00::5]:443',
      'https://[fd00::5]:443/v1/join',
    ])
    expect(await lines('https://local-ipv4:8443', name)).toContain('::local-ipv4:8443')
  })
})

describe("a user's template in a pool with join", () => {
  const checked = async (body: string, changes: SetupChanges) => {
    const template = { name: 'own.hbs', text: `#!/bin/bash\n{{> report}}\n${body}` }
    const { script, problems } = await renderScript(agentSetup(changes), { template })
    return {
      rendered: script !== undefined,
      problems: problems.map(({ code, where }) => [code, where?.line]),
    }
  }
  const joining = { join: joinSetup(url, name, 'aws-sts') }

  it.each(['tls-check', 'docker', 'process'])('needs {{> join}} before {{> %s}}', async (partial) => {
    const used = `{{> ${partial}}}\n`
    const missing = { rendered: false, problems: [['TEMPLATE_NO_JOIN', 3]] }
    expect(await checked(used, joining)).toEqual(missing)
    expect(await checked(`${used}{{> join}}\n`, joining)).toEqual(missing)
    expect(await checked(`{{> join}}\n${used}`, joining)).toEqual({ rendered: true, problems: [] })
    expect(await checked(used, {})).toEqual({ rendered: true, problems: [] })
  })

  it('needs it also without another part', async () => {
    const missing = { rendered: false, problems: [['TEMPLATE_NO_JOIN', undefined]] }
    expect(await checked('docker run agent\n', joining)).toEqual(missing)
  })
})

describe('another provider', () => {
  const own = (template: string) => {
    const proof = { kinds: ['tpm-quote'], template }
    const machine = { ...machines[0]!, kind: 'own', proof }
    return agentSetup({ machine, machines: [...machines, machine], join: joinSetup(url, name, 'tpm-quote') })
  }

  it('brings the function that makes its proofs, and knows which are configured', async () => {
    const text =
      '{{#if proof.tpm_quote}}\njoin_proof() { tpm "$2"; }\n{{/if}}\nPROOF_FUNCTIONS=(join_proof)\n'
    const { script, problems } = await renderScript(own(text))
    expect(problems).toEqual([])
    expect(script).toContain('\njoin_proof() { tpm "$2"; }\nPROOF_FUNCTIONS=(join_proof)\n')
    expect(script).toContain("\nJOIN_PROOFS=('tpm-quote')\n")
  })

  it('is told of faults in it', async () => {
    const { problems } = await renderScript(own('join_proof() { echo "{{sh pool}}"; }\n'))
    expect(problems.map(({ code, where }) => [code, where?.file])).toEqual([
      ['TEMPLATE_POSITION', 'the proof partial of provider type own'],
    ])
  })
})
