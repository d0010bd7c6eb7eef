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

  it('does not depend on the order of properties', async () => {
    const setup = agentSetup()
    const reversed = Object.fromEntries(Object.entries(setup).reverse()) as unknown as typeof setup
    expect(await renderScript(reversed)).toEqual(await renderScript(setup))
  })

  it('does not expand template syntax in values', async () => {
    const { script } = await renderScript(agentSetup({ poolName: '{{master.host}} {{{sh pool}}}' }))
    expect(script).toContain("export DET_RESOURCE_POOL='{{master.host}} {{{sh pool}}}'")
  })
})

describe('an invalid setup', () => {
  it('reports all of its problems at once, by key', async () => {
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

  it('has a process without a command', async () => {
    expect(await problemsOf({ runtime: 'process', command: [] })).toMatchObject({
      rendered: false,
      codes: ['AGENT_COMMAND_MISSING'],
    })
  })
})

describe('a warning', () => {
  it('is given for a container_startup_script without a container', async () => {
    const process = {
      runtime: 'process',
      command: ['agent'],
      containerStartupScript: 'echo',
    } satisfies SetupChanges
    expect(await problemsOf(process)).toMatchObject({ rendered: true, codes: ['CONTAINER_SCRIPT_UNUSED'] })
  })
})

describe('allow_secrets_in_user_data', () => {
  it('allows secrets', async () => {
    const setup = agentSetup({ startupScript: 'docker login -p hunter2\n' })
    const { script, problems } = await renderScript(setup, { allowSecrets: true })
    expect(problems).toEqual([])
    expect(script).toContain('hunter2')
  })
})

describe('the text partial of a provider', () => {
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
    ['an unknown name', 'X={{sh rack.row}}\n', 'TEMPLATE_UNKNOWN_NAME', 1, 8],
    ['unclosed quotes', 'echo "\n', 'TEMPLATE_POSITION', 1, 1],
    ['the partial itself', '{{> rack}}\n', 'TEMPLATE_NOT_ALLOWED', 1, 1],
  ])('is refused with %s, and names the provider type', async (_, text, code, line, column) => {
    const { script, problems } = await withPartial(text)
    expect(script).toBeUndefined()
    expect(problems).toMatchObject([
      { code, where: { file: 'the partial of provider type rack', line, column } },
    ])
  })

  it('is refused if it cannot be parsed', async () => {
    const { script, problems } = await withPartial('{{#if pool}}\n')
    expect(script).toBeUndefined()
    expect(problems).toMatchObject([
      { code: 'TEMPLATE_SYNTAX', where: { file: 'the partial of provider type rack' } },
    ])
  })
})

describe("a user's template", () => {
  const template = (text: string) => ({ name: '/etc/own.hbs', text })
  const setup = agentSetup({ trust: trustPlan('off') })

  it('replaces the built-in one, and can use its names and partials', async () => {
    const text =
      '\uFEFF#!/bin/bash\r\nPOOL={{sh pool}}\r\n{{#if cloud.aws}}\r\n{{> aws}}\r\n{{/if}}\r\necho "$POOL"\r\n'
    const { script, problems } = await renderScript(setup, { template: template(text) })
    expect(problems).toEqual([])
    expect(script).toMatch(/^#!\/bin\/bash\nPOOL='default'\n# The agent id is the instance id\.\n/)
    expect(script).toMatch(/\necho "\$POOL"\n$/)
    expect(script).not.toContain('\r')
  })

  it('is refused with file, line and column if a value could reach the shell', async () => {
    const { script, problems } = await renderScript(setup, {
      template: template('#!/bin/bash\necho "{{sh pool}}"\nX={{sh nope}}\n'),
    })
    expect(script).toBeUndefined()
    expect(problems.map(({ code, where }) => [code, where])).toEqual([
      ['TEMPLATE_POSITION', { file: '/etc/own.hbs', line: 2, column: 7 }],
      ['TEMPLATE_UNKNOWN_NAME', { file: '/etc/own.hbs', line: 3, column: 8 }],
    ])
  })

  it('may not contain a secret', async () => {
    const { problems } = await renderScript(setup, {
      template: template('#!/bin/bash\ndocker login -p hunter2\n'),
    })
    expect(problems.map(({ code }) => code)).toEqual(['USER_DATA_SECRET'])
  })
})

describe("a user's template, if agents trust the CAs of their VM", () => {
  const system = { trust: trustPlan('system', 'm.example.com') } satisfies SetupChanges
  const checked = async (body: string, changes: SetupChanges = system) => {
    const template = { name: 'own.hbs', text: `#!/bin/bash\n{{> report}}\n${body}` }
    const { script, problems } = await renderScript(agentSetup(changes), { template })
    return {
      rendered: script !== undefined,
      problems: problems.map(({ code, where }) => [code, where?.line]),
    }
  }

  it.each(['tls-check', 'docker', 'process'])('needs the CA bundle before {{> %s}}', async (name) => {
    const missing = { rendered: false, problems: [['TEMPLATE_NO_CA_BUNDLE', 3]] }
    const used = `{{> ${name}}}\n`
    expect(await checked(used)).toEqual(missing)
    expect(await checked(`${used}{{> ca-bundle}}\n`)).toEqual(missing)
    expect(await checked(`{{> ca-bundle}}\n${used}`)).toEqual({ rendered: true, problems: [] })
  })

  it('needs no CA bundle for its own parts, or in another mode', async () => {
    expect(await checked('docker run agent\n')).toEqual({ rendered: true, problems: [] })
    expect(await checked('{{> docker}}\n', {})).toEqual({ rendered: true, problems: [] })
  })
})
