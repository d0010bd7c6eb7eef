import { describe, expect, it } from 'vitest'
import { renderScript } from '../../../src/agent-setup/render.ts'
import type { Machine } from '../../../src/agent-setup/setup.ts'
import { agentSetup, machines, type SetupChanges, trustPlan } from '../../support/agent-setups.ts'

async function problemsOf(changes: SetupChanges) {
  const { script, problems } = await renderScript(agentSetup(changes))
  return { rendered: script !== undefined, codes: problems.map(({ code }) => code), problems }
}

describe('a script', () => {
  it('is the same bytes for the same setup', async () => {
    const [first, second] = await Promise.all([renderScript(agentSetup()), renderScript(agentSetup())])
    expect(first).toEqual(second)
  })

  it('does not depend on the order in which values were put together', async () => {
    const setup = agentSetup()
    const reversed = Object.fromEntries(Object.entries(setup).reverse()) as unknown as typeof setup
    expect(await renderScript(reversed)).toEqual(await renderScript(setup))
  })

  it('holds no value twice that a user could have meant for a template', async () => {
    const { script } = await renderScript(agentSetup({ poolName: '{{master.host}} {{{sh pool}}}' }))
    expect(script).toContain("export DET_RESOURCE_POOL='{{master.host}} {{{sh pool}}}'")
  })
})

describe('a setup no script can be made of', () => {
  it('has all of its problems told at once, by the keys they are under', async () => {
    const { rendered, codes, problems } = await problemsOf({
      poolName: 'a\0b',
      docker: { image: 'x\ud800' },
      agentConfig: { deep: { er: 'y\0' } },
      startupScript: 'docker login -p hunter2\n',
    })
    expect(rendered).toBe(false)
    expect(codes).toEqual(['USER_DATA_TEXT', 'USER_DATA_TEXT', 'USER_DATA_TEXT', 'USER_DATA_SECRET'])
    expect(problems.map(({ details }) => details!['key'])).toEqual([
      'pool_name',
      'agent_docker_image',
      'agent_config_file_contents.deep.er',
      'startup_script',
    ])
  })

  it('is one of a process without a command', async () => {
    expect(await problemsOf({ runtime: 'process', command: [] })).toMatchObject({
      rendered: false,
      codes: ['AGENT_COMMAND_MISSING'],
    })
  })
})

describe('what is only warned about', () => {
  it('is a container_startup_script without a container', async () => {
    const process = {
      runtime: 'process',
      command: ['agent'],
      containerStartupScript: 'echo',
    } satisfies SetupChanges
    expect(await problemsOf(process)).toMatchObject({ rendered: true, codes: ['CONTAINER_SCRIPT_UNUSED'] })
  })
})

describe('allow_secrets_in_user_data', () => {
  it('lets secrets through', async () => {
    const setup = agentSetup({ startupScript: 'docker login -p hunter2\n' })
    const { script, problems } = await renderScript(setup, { allowSecrets: true })
    expect(problems).toEqual([])
    expect(script).toContain('hunter2')
  })
})

describe('the partial of a provider from outside', () => {
  const withPartial = (template: string) => {
    const outside: Machine = {
      kind: 'rack',
      meaning: 'the VM is a machine of our rack',
      partial: { at: 'agent', template },
      userData: { overflow: 'error' },
    }
    return renderScript(agentSetup({ machine: outside, machines: [...machines, outside] }))
  }

  it('is part of the script', async () => {
    const { script, problems } = await withPartial('export DET_AGENT_ID={{sh pool}}\r\n')
    expect(problems).toEqual([])
    expect(script).toContain("\nexport DET_AGENT_ID='default'\n")
  })

  it.each([
    ['a value that is not quoted', 'export DET_AGENT_ID={{pool}}\n', 'TEMPLATE_NOT_ALLOWED', 1, 21],
    ['a value inside quotes', ':\necho "{{sh pool}}"\n', 'TEMPLATE_POSITION', 2, 7],
    ['a name that is not there', 'X={{sh rack.row}}\n', 'TEMPLATE_UNKNOWN_NAME', 1, 8],
    ['quotes that stay open', 'echo "\n', 'TEMPLATE_POSITION', 1, 1],
    ['itself', '{{> rack}}\n', 'TEMPLATE_NOT_ALLOWED', 1, 1],
  ])('is refused with %s, by the kind that brings it', async (_, text, code, line, column) => {
    const { script, problems } = await withPartial(text)
    expect(script).toBeUndefined()
    expect(problems).toMatchObject([
      { code, where: { file: 'the partial of provider type rack', line, column } },
    ])
  })

  it('is refused when it cannot be read', async () => {
    const { script, problems } = await withPartial('{{#if pool}}\n')
    expect(script).toBeUndefined()
    expect(problems).toMatchObject([
      { code: 'TEMPLATE_SYNTAX', where: { file: 'the partial of provider type rack' } },
    ])
  })
})

describe("a user's own template", () => {
  const template = (text: string) => ({ name: '/etc/own.hbs', text })
  const setup = agentSetup({ trust: trustPlan('off') })

  it('takes the place of ours, with its names and our partials', async () => {
    const text =
      '\uFEFF#!/bin/bash\r\nPOOL={{sh pool}}\r\n{{#if cloud.aws}}\r\n{{> aws}}\r\n{{/if}}\r\necho "$POOL"\r\n'
    const { script, problems } = await renderScript(setup, { template: template(text) })
    expect(problems).toEqual([])
    expect(script).toMatch(/^#!\/bin\/bash\nPOOL='default'\n# The agent id is the instance id\.\n/)
    expect(script).toMatch(/\necho "\$POOL"\n$/)
    expect(script).not.toContain('\r')
  })

  it('is refused with file, line and column when it would let a value out', async () => {
    const { script, problems } = await renderScript(setup, {
      template: template('#!/bin/bash\necho "{{sh pool}}"\nX={{sh nope}}\n'),
    })
    expect(script).toBeUndefined()
    expect(problems.map(({ code, where }) => [code, where])).toEqual([
      ['TEMPLATE_POSITION', { file: '/etc/own.hbs', line: 2, column: 7 }],
      ['TEMPLATE_UNKNOWN_NAME', { file: '/etc/own.hbs', line: 3, column: 8 }],
    ])
  })

  it('may not bring a secret', async () => {
    const { problems } = await renderScript(setup, {
      template: template('#!/bin/bash\ndocker login -p hunter2\n'),
    })
    expect(problems.map(({ code }) => code)).toEqual(['USER_DATA_SECRET'])
  })
})

describe("a user's template, where agents trust the CAs of their machine", () => {
  const system = { trust: trustPlan('system', 'm.example.com') } satisfies SetupChanges
  const checked = async (body: string, changes: SetupChanges = system) => {
    const template = { name: 'own.hbs', text: `#!/bin/bash\n{{> report}}\n${body}` }
    const { script, problems } = await renderScript(agentSetup(changes), { template })
    return {
      rendered: script !== undefined,
      problems: problems.map(({ code, where }) => [code, where?.line]),
    }
  }

  it.each(['tls-check', 'docker', 'process'])('needs the list of CAs before {{> %s}}', async (name) => {
    const missing = { rendered: false, problems: [['TEMPLATE_NO_CA_BUNDLE', 3]] }
    const used = `{{> ${name}}}\n`
    expect(await checked(used)).toEqual(missing)
    expect(await checked(`${used}{{> ca-bundle}}\n`)).toEqual(missing)
    expect(await checked(`{{> ca-bundle}}\n${used}`)).toEqual({ rendered: true, problems: [] })
  })

  it('needs no list for parts of its own, nor in another mode', async () => {
    expect(await checked('docker run agent\n')).toEqual({ rendered: true, problems: [] })
    expect(await checked('{{> docker}}\n', {})).toEqual({ rendered: true, problems: [] })
  })
})
