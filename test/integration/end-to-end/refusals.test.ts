// Masters that an agent must not join. The startup script on the VM, the agent itself, and the preflight each
// distinguish
// them, using only what the rendered user data contains.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { mergeAgentConfig } from '../../../src/agent-setup/agent-config.ts'
import { renderScript } from '../../../src/agent-setup/render.ts'
import { type FailureStage, failureStages } from '../../../src/agent-setup/stages.ts'
import { preflight } from '../../../src/pki/preflight.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { agentSetup } from '../../support/agent-setups.ts'
import { type LocalPool, localPool } from '../../support/local-pool.ts'
import { answerInfo, embed, Masters } from '../../support/masters.ts'
import { localAgent } from '../../support/stand-alone.ts'
import { day, type Issued, now } from '../../support/x509.ts'
import { dns } from '../../support/x509-extensions.ts'
import { authority, masterName, server } from '../../support/x509-profiles.ts'

const masters = new Masters()
const root = authority('Root')
const untrusted = authority('Stranger')
const leaf = server(root)
const trust = embed(masterName, ['leaf', leaf.pem], ['root', root.pem])

function serving({ pem, key }: Issued, ...issuers: Issued[]): Promise<number> {
  return masters.secure({ cert: pem + issuers.map((issuer) => issuer.pem).join(''), key: key.pem })
}

interface Refusal {
  master: string
  port: () => Promise<number>
  stage: FailureStage
  preflight: string
  /** The agent's message when there was no tool to detect it earlier. */
  agent: RegExp
}

const refusals: Refusal[] = [
  {
    master: 'of another CA',
    port: () => serving(server(untrusted), untrusted),
    stage: 'tls_unknown_ca',
    preflight: 'PREFLIGHT_UNKNOWN_CA',
    agent: /CA|trust/,
  },
  {
    master: 'with a certificate for another name',
    port: () => serving(server(root, { names: [dns('other.example.com')] })),
    stage: 'tls_wrong_name',
    preflight: 'PREFLIGHT_WRONG_NAME',
    agent: /name/,
  },
  {
    master: 'whose certificate has expired',
    port: () => serving(server(root, { notBefore: now - 20 * day, notAfter: now - day })),
    stage: 'tls_expired',
    preflight: 'PREFLIGHT_EXPIRED',
    agent: /expired/,
  },
  {
    master: 'that speaks plain text on the TLS port',
    port: () => masters.tcp(answerInfo()),
    stage: 'tls_not_tls',
    preflight: 'PREFLIGHT_NOT_TLS',
    agent: /TLS/,
  },
  {
    master: 'that is not there',
    port: () => masters.closedPort(),
    stage: 'tls_refused',
    preflight: 'PREFLIGHT_REFUSED',
    agent: /listens|refused/,
  },
]

function has(tool: string): boolean {
  try {
    execFileSync('bash', ['-c', `type ${tool}`], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** A folder with what the script needs, and no tool that could try TLS. */
function bareTools(): string {
  const folder = join(mkdtempSync(join(tmpdir(), 'bare-')), 'bin')
  mkdirSync(folder)
  for (const tool of [
    'bash',
    'cat',
    'chmod',
    'date',
    'grep',
    'kill',
    'mkdir',
    'readlink',
    'rm',
    'sed',
    'tail',
    'timeout',
  ])
    if (has(tool)) {
      const path = execFileSync('bash', ['-c', `type -P ${tool} || true`], { encoding: 'utf8' }).trim()
      if (path) symlinkSync(path, join(folder, tool))
    }
  // The script watches an agent for five seconds before it accepts it. `wx`: never through a link to the real one.
  const shortSleep = '#!/bin/bash\nread -rt 0.5 <> <(:) || true\n'
  writeFileSync(join(folder, 'sleep'), shortSleep, { mode: 0o755, flag: 'wx' })
  return folder
}

let bare: string
let pool: LocalPool
beforeAll(() => {
  bare = bareTools()
  return () => rmSync(join(bare, '..'), { recursive: true, force: true })
})
afterEach(async () => {
  await pool?.dispose()
  await masters.close()
})

/** Launches the rendered script as a local VM and waits for its end. */
async function boot(
  port: number,
  path: string,
  bootTimeoutSeconds: number,
): Promise<{ stage?: string; console: string; state: string }> {
  const { config } = mergeAgentConfig({}, trust)
  const master = { scheme: 'https', host: '127.0.0.1', port } as const
  const setup = agentSetup({
    cloud: 'local',
    runtime: 'process',
    command: localAgent,
    master,
    trust,
    agentConfig: config,
    slotType: 'none',
    bootTimeoutSeconds,
  })
  const { script } = await renderScript(setup)
  pool = localPool()
  const provider = await pool.open({ env: { PATH: path } })
  const { instances } = await provider.launch(pool.order(script!))
  const { id } = instances[0]!
  const state = async () => (await provider.list()).instances[0]?.state
  await expect.poll(state, { timeout: 60_000 }).toBe('stopped')
  return { stage: await provider.consoleStage(id), console: consoleText(id), state: 'stopped' }
}

/** The console, and the agent's own log, whose last lines appear on the console only when it exits at once. */
function consoleText(id: string): string {
  const files = ['console.log', 'var/log/determined-agent.log'].map((name) => pool.file(id, name))
  return files.map((file) => (existsSync(file) ? readFileSync(file, 'utf8') : '')).join('\n')
}

describe.each(refusals)('a master $master', (refusal) => {
  const { port, stage, agent } = refusal

  it.skipIf(!has('openssl') && !has('curl'))(`ends the boot with ${stage}`, async () => {
    const ended = await boot(await port(), process.env['PATH']!, 12)
    expect(ended.stage, ended.console).toBe(stage)
    expect(ended.console).toMatch(new RegExp(`PROVISION_STAGE=${stage} .*${masterName}`))
    expect(ended.console).not.toContain('agent_started')
    expect(failureStages[stage].exit).toBeGreaterThan(0)
  })

  it('is reported by the agent when the VM has no tool to try TLS', async () => {
    const ended = await boot(await port(), bare, 60)
    expect(ended.stage, ended.console).toBe('agent_failed')
    expect(ended.console).toContain('TLS was not tried')
    expect(ended.console).toMatch(agent)
  })

  it(`is rejected by the preflight as ${refusal.preflight}`, async () => {
    const address = { scheme: 'https', host: '127.0.0.1', port: await port() } as const
    const result = await preflight({ address, plan: trust, timeoutMs: 60_000, clock: systemClock })
    expect(result.problem?.code).toBe(refusal.preflight)
  })
})
