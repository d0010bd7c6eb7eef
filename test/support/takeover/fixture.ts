// The state that a version left when its daemon stopped, as files below test/fixtures/takeover/VERSION/VARIANT:
//
//   master.yaml     the configuration; PORT is a placeholder for the port of the master
//   recorded.json   when and how the daemon stopped, and the last output of its command line
//   aws.json        the instances in the fake EC2, with their tags
//   gcp.json        the instances in the fake Compute Engine, with their labels and metadata
//   state/          state_dir, without the token, the lock and the socket
//
// Times are those of the recording. On reading they are moved, so that the daemon stopped a moment ago.
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { crc32 } from 'node:zlib'
import type { FakeVm as Ec2Vm } from '../fake-ec2/world.ts'
import type { FakeVm as GceVm } from '../fake-gce/world.ts'
import type { Clouds } from './clouds.ts'
import type { Instance } from './daemon.ts'

export const fixtures = resolve(import.meta.dirname, '../../fixtures/takeover')

export interface Recorded {
  version: string
  /** Milliseconds since the epoch. */
  stoppedAt: number
  stoppedBy: 'SIGTERM' | 'SIGKILL'
  clusterId: string
  writerId: string
  /** Without `joinedAt` after SIGKILL: it may not have been written yet. */
  instances: Instance[]
  /** Paused pools. */
  paused: string[]
  /** Ids of the jobs of the built-in master. */
  jobs: string[]
}

type RecordedEc2 = Pick<
  Ec2Vm,
  'id' | 'type' | 'subnet' | 'capacity' | 'launchedAt' | 'imageId' | 'state' | 'tags'
>
type RecordedGce = Pick<
  GceVm,
  'id' | 'name' | 'zone' | 'type' | 'capacity' | 'createdAt' | 'status' | 'labels' | 'metadata'
>

/** How long ago the daemon stopped: longer than a new instance may be missing from listings. */
const downtime = 5 * 60_000
const day = 86_400_000
/** Replaces a startup script, which contains the certificate and, for local instances, paths of the machine. */
const script = '#!/bin/bash\n'

/** Paths below the folder, with `/`. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1))
    .sort()
}

/** Throws when the state contains one of the texts that must not be recorded. */
export function saveFixture(
  folder: string,
  { clouds, stateDir, master, recorded, forbidden }: SavedFixture,
): void {
  const save = (path: string, text: string) => {
    const found = forbidden.find((one) => text.includes(one))
    if (found) throw new Error(`${path} of ${stateDir} holds ${JSON.stringify(found)}`)
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  save('master.yaml', master)
  save('recorded.json', jsonOf(recorded))
  save('aws.json', jsonOf([...clouds.ec2.world.vms.values()].map(recordedEc2)))
  save('gcp.json', jsonOf([...clouds.gce.world.vms.values()].map(recordedGce)))
  for (const path of filesBelow(stateDir).filter(isRecorded))
    save(`state/${path}`, withoutMachine(path, readFileSync(join(stateDir, path), 'utf8')))
}

export interface SavedFixture {
  clouds: Clouds
  stateDir: string
  /** The text of master.yaml, with PORT. */
  master: string
  recorded: Recorded
  forbidden: string[]
}

function jsonOf(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`
}

/** All files except those created at each start, and of a local instance only its record. */
function isRecorded(path: string): boolean {
  if (path.startsWith('local/')) return isLocalRecord(path)
  return !/^(?:token|lock\b.*|control\.sock)$/.test(path)
}

function recordedEc2(vm: Ec2Vm): RecordedEc2 {
  const { id, type, subnet, capacity, launchedAt, imageId, state, tags } = vm
  return { id, type, subnet, capacity, launchedAt, imageId, state, tags }
}

function recordedGce(vm: GceVm): RecordedGce {
  const { id, name, zone, type, capacity, createdAt, status, labels } = vm
  const { 'startup-script': _, ...metadata } = vm.metadata
  return { id, name, zone, type, capacity, createdAt, status, labels, metadata }
}

/** Removes names of the machine of the recording. */
function withoutMachine(path: string, text: string): string {
  if (isLocalRecord(path)) return withProcess(text, { pid: 0, start: 'START' })
  const host = JSON.stringify(hostname())
  return mapRecords(withoutUserData(text), (json) => json.replaceAll(host, '"HOST"'))
}

export function isLocalRecord(path: string): boolean {
  return path.startsWith('local/') && basename(path) === 'vm.json'
}

/** The record of a local instance, with another process. */
export function withProcess(text: string, process: { pid: number; start: string }): string {
  return jsonOf({ ...JSON.parse(text), process })
}

/** Replaces the startup scripts in a journal, and all their digests. */
function withoutUserData(text: string): string {
  const digests: string[] = []
  const replaced = mapRecords(text, (json) => {
    const record = JSON.parse(json)
    if (record.kind !== 'user_data') return json
    digests.push(record.userData.sha256)
    const size = Buffer.byteLength(script)
    Object.assign(record.userData, {
      script,
      encoding: 'plain',
      packed: Buffer.from(script).toString('base64'),
      bytes: { ...record.userData.bytes, script: size, packed: size },
    })
    return JSON.stringify(record)
  })
  const digest = createHash('sha256').update(script).digest('hex')
  return mapRecords(replaced, (json) => digests.reduce((now, old) => now.replaceAll(old, digest), json))
}

/** Changes the records of a journal, each of which is a line: CRC-32 of the JSON, a space, the JSON. */
function mapRecords(text: string, change: (json: string) => string): string {
  return text.replace(/^[0-9a-f]{8} (\{.*\})$/gm, (_, json: string) => {
    const changed = change(json)
    return `${crc32(changed).toString(16).padStart(8, '0')} ${changed}`
  })
}

/** A recording with its times moved to now. */
export interface Fixture {
  recorded: Recorded
  /** By path in state_dir. */
  state: Map<string, string>
  ec2: RecordedEc2[]
  gce: RecordedGce[]
  master: string
}

export function readFixture(folder: string): Fixture {
  const read = (path: string) => readFileSync(join(folder, path), 'utf8')
  const { stoppedAt } = JSON.parse(read('recorded.json')) as Recorded
  const to = Date.now() - downtime
  const moved = (path: string) => withTimesMoved(read(path), stoppedAt, to)
  const state = filesBelow(join(folder, 'state')).map((path) => [path, moved(`state/${path}`)] as const)
  return {
    recorded: JSON.parse(moved('recorded.json')),
    state: new Map(state),
    ec2: JSON.parse(moved('aws.json')),
    gce: JSON.parse(moved('gcp.json')),
    master: read('master.yaml'),
  }
}

/** Moves every time within a day of the stop, in milliseconds since the epoch, by the same amount as the stop. */
function withTimesMoved(text: string, stoppedAt: number, to: number): string {
  const move = (json: string) =>
    json.replace(/(?<![\w.-])\d{13}(?![\w.-])/g, (time) =>
      Math.abs(Number(time) - stoppedAt) < day ? String(Number(time) + to - stoppedAt) : time,
    )
  return mapRecords(move(text), (json) => json)
}

/** Puts the recorded instances into the fake clouds. */
export function seedClouds({ ec2: { world: ec2 }, gce: { world: gce } }: Clouds, fixture: Fixture): void {
  const common = { visible: true, protected: false }
  for (const vm of fixture.ec2)
    ec2.vms.set(vm.id, { ...vm, ...common, userData: Buffer.alloc(0), made: {}, console: '' })
  for (const vm of fixture.gce) gce.vms.set(vm.name, { ...vm, ...common, properties: {}, serial: '' })
  // Later ids of the fake differ from those of all recorded instances.
  const last =
    fixture.ec2
      .map(({ id }) => id)
      .sort()
      .at(-1) ?? ''
  while (ec2.id('i') <= last);
}
