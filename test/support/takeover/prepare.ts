// Prepares a recording for a takeover: its state in a new folder, its instances in the fake clouds.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { type Clouds, startClouds } from './clouds.ts'
import { type Daemon, freePort, startDaemon } from './daemon.ts'
import { type Fixture, filesBelow, isLocalRecord, readFixture, seedClouds, withProcess } from './fixture.ts'
import { type LocalInstance, startLocalInstance } from './local-instance.ts'

export interface Takeover {
  /** Contains master.yaml. */
  dir: string
  stateDir: string
  fixture: Fixture
  clouds: Clouds
  /** Ids of the recorded instances, sorted. */
  ids: string[]
  locals: LocalInstance[]
  start(): Daemon
  /** The contents of a file in state_dir; undefined if it does not exist. */
  stateFile(path: string): string | undefined
  /** Tags, labels and metadata of every instance in the clouds, by id. */
  tags(): Record<string, object>
  /** Terminates what runs and removes the folder. */
  dispose(): Promise<void>
}

export interface PrepareOptions {
  /** Of the recording. */
  folder: string
  /** The launcher of the version that takes over. */
  cli: string
  /** Folder with the certificate of the master. */
  certificates: string
}

export async function prepareTakeover({ folder, cli, certificates }: PrepareOptions): Promise<Takeover> {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'takeover-')))
  const stateDir = join(dir, 'state')
  const fixture = readFixture(folder)
  const clouds = await startClouds()
  seedClouds(clouds, fixture)
  const port = await freePort()
  writeFileSync(join(dir, 'master.yaml'), fixture.master.replaceAll('PORT', String(port)))
  cpSync(certificates, join(dir, 'certs'), { recursive: true })
  const daemons: Daemon[] = []
  const locals = new Map<string, LocalInstance>()
  for (const [path, text] of fixture.state) {
    const file = join(stateDir, path)
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    if (!isLocalRecord(path)) writeFileSync(file, text)
    else {
      const local = await startLocalInstance(dirname(file))
      locals.set(basename(dirname(file)), local)
      writeFileSync(file, withProcess(text, local.process))
    }
  }
  const { ec2, gce } = clouds
  return {
    dir,
    stateDir,
    fixture,
    clouds,
    ids: [...ec2.world.vms.keys(), ...gce.world.vms.keys(), ...locals.keys()].sort(),
    locals: [...locals.values()],
    start() {
      const daemon = startDaemon({ cli, dir, port, env: clouds.env })
      daemons.push(daemon)
      return daemon
    },
    stateFile: (path) =>
      filesBelow(stateDir).includes(path) ? readFileSync(join(stateDir, path), 'utf8') : undefined,
    tags: () =>
      structuredClone({
        ...Object.fromEntries([...ec2.world.vms].map(([id, { tags }]) => [id, tags])),
        ...Object.fromEntries(
          [...gce.world.vms].map(([name, { labels, metadata }]) => [name, { labels, metadata }]),
        ),
      }),
    async dispose() {
      for (const daemon of daemons) await daemon.dispose()
      for (const local of locals.values()) local.dispose()
      await clouds.close()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
