// Creates the archive of the agent's image: the contents of images/agent/Containerfile, on Debian slim.
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { setup as bundleProgram } from '../../support/global-setup.ts'
import { root as repository } from '../../support/sources.ts'
import { imageDisk, Machine } from './machine.ts'
import { agentImage } from './site.ts'
import { workFolder } from './work-folder.ts'

export async function setup(project: TestProject): Promise<() => void> {
  const dispose = await bundleProgram(project)
  const share = join(workFolder(), 'share')
  // Debian slim, unpacked only for this run.
  const agent = join(share, 'agent')
  installAgent(dirname(project.getProvidedContext().cli), agent)
  const own = process.env['BOOT_AGENT_IMAGE']
  const archive = join(share, own ? 'image.tar' : 'agent.tar')
  if (own) cpSync(own, archive)
  else execFileSync('tar', ['-cf', archive, '-C', agent, '.'])
  await makeImageDisk()
  rmSync(archive)
  return dispose
}

function installAgent(built: string, image: string): void {
  const program = join(image, 'opt/provision')
  for (const folder of [program, join(image, 'etc/determined')]) mkdirSync(folder, { recursive: true })
  cpSync(process.execPath, join(image, 'usr/local/bin/node'))
  for (const file of ['package.json', 'templates'])
    cpSync(join(repository, file), join(program, file), { recursive: true })
  cpSync(built, join(program, 'dist'), { recursive: true })
  cpSync(join(repository, 'images/agent/entrypoint.sh'), join(program, 'entrypoint.sh'))
  symlinkSync('/opt/provision/dist/cli.cjs', join(image, 'usr/local/bin/provision'))
}

async function makeImageDisk(): Promise<void> {
  const machine = new Machine('image')
  machine.boot()
  await machine.ended()
  const images = join(machine.folder, 'disk/docker/image/overlay2/repositories.json')
  if (!existsSync(images) || !readFileSync(images, 'utf8').includes(agentImage))
    throw new Error(`the agent's image could not be made\n${machine.describe()}`)
  renameSync(join(machine.folder, 'disk'), imageDisk())
}
