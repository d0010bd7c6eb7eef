// A VM whose script gets a client certificate: the real bash, openssl and curl, with the servers of a test.
import { existsSync, readdirSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { SetupChanges } from '../../support/agent-setups.ts'
import type { ToolBehaviour } from '../../support/fake-tools.ts'
import { JoinEndpoint } from '../../support/join-endpoint.ts'
import { embed, Masters } from '../../support/masters.ts'
import { type MetadataServer, metadataServer } from '../../support/metadata-server.ts'
import { type ScriptVm, ScriptVms } from '../../support/script-vm.ts'
import { authority, masterName, server } from '../../support/x509-profiles.ts'

export const root = authority('Root')
const intermediate = authority('Intermediate', { issuer: root })
export const leaf = () => server(intermediate)
export const trust = embed(masterName, ['root', root.pem])

export const secret = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY='
export const session = `IQoJb3JpZ2luX2Vj${'A1b/c+'.repeat(120)}==`
export const credentials = `{
  "Code" : "Success",
  "LastUpdated" : "2026-11-30T01:02:03Z",
  "Type" : "AWS-HMAC",
  "AccessKeyId" : "ASIAIOSFODNN7EXAMPLE",
  "SecretAccessKey" : "${secret}",
  "Token" : "${session}",
  "Expiration" : "2026-11-30T07:02:03Z"
}`

/** What the metadata servers of both clouds answer. */
const metadata = {
  'instance-id': 'i-0123456789abcdef0',
  'placement/region': 'eu-central-1',
  'services/domain': 'amazonaws.com',
  'identity-credentials/ec2/security-credentials/ec2-instance': credentials,
  'instance-identity/document': '{\n  "instanceId" : "i-0123456789abcdef0"\n}',
  'instance-identity/rsa2048': 'MIAGCSqGSIb3\nDQEHAqCAMIAC\nAQExDzAN',
  'instance/name': 'det-agent-1',
  'instance/service-accounts/default/identity': 'eyJhbGciOiJS.eyJhdWQiOiJo.c2lnbmF0dXJl',
}

/** The servers around the VMs of one test file. */
export class JoinWorld {
  readonly vms = new ScriptVms()
  readonly masters = new Masters()
  endpoint!: JoinEndpoint
  imds!: MetadataServer
  port = 0
  master = 0

  async open(): Promise<void> {
    this.endpoint = new JoinEndpoint(leaf(), [intermediate])
    this.port = await this.endpoint.listen()
    this.imds = await metadataServer({ ...metadata })
    const own = leaf()
    // As a master that demands certificates: without one the TLS check fails.
    this.master = await this.masters.secure({
      cert: own.pem + intermediate.pem,
      key: own.key.pem,
      ca: this.endpoint.ca.pem,
      requestCert: true,
      rejectUnauthorized: true,
    })
  }

  async close(): Promise<void> {
    this.vms.close()
    await this.masters.close()
    await this.endpoint.close()
    await this.imds.close()
  }

  /** `renewAfter`: seconds that a renewal waits for; default: longer than any test. */
  vm(behaviour: ToolBehaviour = {}, renewAfter = 1000): ScriptVm {
    const imds = ['169.254.169.254', 'metadata.google.internal']
      .map((host) => `--connect-to '${host}:80:${this.imds.host}'`)
      .join(' ')
    return this.vms.create({
      openssl: `exec '${find('openssl')}' "$@"`,
      curl: `exec '${find('curl')}' ${imds} "$@"`,
      sleep: `if ((\${1%.*} < 60)); then exec "$REAL_SLEEP" 0.05; else exec "$REAL_SLEEP" ${renewAfter}; fi`,
      ...behaviour,
    })
  }

  setup(changes: SetupChanges = {}): SetupChanges {
    const kinds: Record<string, string> = { aws: 'aws-sts', gcp: 'gcp-identity-token', local: 'local-secret' }
    return {
      slotType: 'none',
      trust,
      master: { host: '127.0.0.1', port: this.master },
      join: {
        url: `https://127.0.0.1:${this.port}`,
        name: masterName,
        proofs: [kinds[changes.cloud ?? 'aws']!],
        renewSeconds: 86_400,
      },
      bootTimeoutSeconds: 60,
      ...changes,
    }
  }
}

export const folder = 'usr/local/determined/join'

export function modes(vm: ScriptVm): Record<string, string> {
  const mode = (path: string) => (statSync(join(vm.root, path)).mode & 0o777).toString(8)
  const files = readdirSync(join(vm.root, folder)).map((name) => [name, mode(join(folder, name))])
  return { '.': mode(folder), ...Object.fromEntries(files) }
}

export function find(tool: string): string {
  const found = (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((directory) => join(directory, tool))
    .find(existsSync)
  if (!found) throw new Error(`${tool} is not installed; test:tools needs it`)
  return found
}
