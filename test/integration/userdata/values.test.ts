// Whatever a value contains, it arrives unchanged: no character of it is ever interpreted by a shell or a template.
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { renderScript } from '../../../src/agent-setup/render.ts'
import { agentSetup, type SetupChanges, trustPlan } from '../../support/agent-setups.ts'
import { dockerRun, ScriptVms } from '../../support/script-vm.ts'

const vms = new ScriptVms()
afterEach(() => vms.close())

const nasty = [
  ...[
    '"',
    "'",
    "''",
    '\\',
    '`touch PWNED`',
    '$(touch PWNED)',
    '$' + '{HOME}',
    '$$',
    '!',
    '#',
    ';touch PWNED',
    '&',
  ],
  ...['\n', '\n\n', '\nEND\n', '\nEND2\n', '\nEOF\n', '\t', ' ', '\r', '\x01', '\x7f', '\u0085', '\u2028'],
  ...[
    '{{pool}}',
    '{{sh pool}}',
    '{{{',
    '}}',
    '%s',
    '%n',
    '-',
    '--',
    '*',
    '~',
    '{a,b}',
    '<<END',
    'é',
    '名',
    '🚀',
  ],
]
const text = fc.oneof(
  fc.array(fc.constantFrom(...nasty), { maxLength: 12 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 40 }).map((value) => value.replaceAll('\0', '')),
)
/** JSON has no -0. */
const json = fc.jsonValue({ maxDepth: 2 }).map((value): unknown => JSON.parse(JSON.stringify(value)))
const filled = text.filter((value) => value !== '')
const values = fc.record({
  pool: text,
  host: filled,
  certificateName: filled,
  image: filled,
  network: text,
  runtime: text,
  logOptions: fc.array(text, { maxLength: 3 }),
  words: fc.array(text, { maxLength: 3 }),
  script: text,
  config: fc.dictionary(text, fc.oneof(text, json), { noNullPrototype: true }),
})
type Values = typeof values extends fc.Arbitrary<infer T> ? T : never

function changesOf({
  pool,
  host,
  certificateName,
  image,
  network,
  runtime,
  logOptions,
  script,
  config,
}: Values) {
  return {
    poolName: pool,
    master: { host },
    trust: trustPlan('embed', certificateName),
    docker: { image, network, runtime, logOptions },
    // Only the file matters here: true(1) runs no part of it.
    startupScript: `#!/bin/true\n${script}`,
    containerStartupScript: `#!/bin/true\n${script}`,
    agentConfig: config,
    bootTimeoutSeconds: 14,
  } satisfies SetupChanges
}

async function scriptOf(changes: SetupChanges): Promise<string> {
  const { script, problems } = await renderScript(agentSetup(changes), { allowSecrets: true })
  expect(problems).toEqual([])
  return script!
}

/** As an editor would have saved it, and as a shell reads it: LF, and one at the end. */
const asFile = (script: string) => `#!/bin/true\n${script}`.replaceAll('\r\n', '\n').replace(/\n*$/, '\n')

async function expectUnchangedInContainer(given: Values): Promise<void> {
  const vm = vms.create()
  const { status, output } = await vm.runScript(await scriptOf(changesOf(given)))
  expect(status, output).toBe(0)
  const { image, environment, options } = dockerRun(vm)
  expect({
    image,
    options: options.slice(options.indexOf('--network')),
    pool: environment['DET_RESOURCE_POOL'],
    host: environment['DET_MASTER_HOST'],
    name: environment['DET_SECURITY_TLS_MASTER_CERT_NAME'],
    startup: vm.read('usr/local/determined/startup_script'),
    container: vm.read('usr/local/determined/container_startup_script'),
    config: parse(vm.read('etc/determined/agent.yaml'), { maxAliasCount: 0 }),
    verified: vm.tools.calls('openssl')[0]?.args.includes(given.certificateName),
    executed: vm.has('PWNED'),
  }).toEqual({
    image: given.image,
    options: ['--network', given.network, '--runtime', given.runtime, '--gpus', 'all', ...given.logOptions],
    pool: given.pool,
    host: given.host,
    name: given.certificateName,
    startup: asFile(given.script),
    container: asFile(given.script),
    config: given.config,
    verified: true,
    executed: false,
  })
  vm.close()
}

describe('any value', () => {
  it('arrives unchanged in the container and its files', async () => {
    await fc.assert(fc.asyncProperty(values, expectUnchangedInContainer), { numRuns: 12, endOnFailure: true })
  })

  it('of 100 KB also arrives unchanged', async () => {
    const unit = `it's "quoted" $(touch PWNED) \`touch PWNED\` {{pool}} \\ é\nEND\n`
    const long = unit.repeat(Math.ceil(100_000 / Buffer.byteLength(unit)))
    expect(Buffer.byteLength(long)).toBeGreaterThanOrEqual(100_000)
    await expectUnchangedInContainer({
      ...{ pool: long, host: long, certificateName: long, image: long, network: long, runtime: long },
      ...{ logOptions: [long], words: [], script: long, config: { [long]: long } },
    })
  })

  it("arrives unchanged in a local agent's command line and environment", async () => {
    const agent =
      'for it in "$@" "$DET_RESOURCE_POOL" "$DET_MASTER_HOST"; do printf "%s\\0" "$it"; done >"$HOME/seen"'
    await fc.assert(
      fc.asyncProperty(values, async ({ words, pool, host }) => {
        const vm = vms.create({ sleep: 'while [ ! -s "$FAKES/../seen" ]; do "$REAL_SLEEP" 0.01; done' })
        const command = ['bash', '-c', agent, 'agent', ...words]
        const changes = {
          poolName: pool,
          master: { host },
          cloud: 'local',
          runtime: 'process',
          command,
        } as const
        await vm.runScript(await scriptOf({ ...changes, command: [...command] }), {
          PROVISION_INSTANCE_ID: 'l',
        })
        expect(vm.read('seen').split('\0')).toEqual([...words, pool, host, ''])
        expect(vm.has('PWNED')).toBe(false)
        vm.close()
      }),
      { numRuns: 10, endOnFailure: true },
    )
  })
})
