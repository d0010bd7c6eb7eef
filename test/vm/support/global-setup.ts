// Creates the disk with which all VMs start: Debian with systemd and docker, and the agent's image of the boot lane.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { setup as makeImage } from '../../boot/support/global-setup.ts'
import { imageDisk } from '../../boot/support/machine.ts'
import { workFolder } from '../../boot/support/work-folder.ts'
import { root as repository } from '../../support/sources.ts'
import { host } from './vm.ts'

export async function setup(project: TestProject): Promise<() => void> {
  const dispose = await makeImage(project)
  const script = join(repository, 'test/vm/machine/disk.sh')
  execFileSync(script, [host(), join(workFolder(), 'machine'), join(imageDisk(), 'docker')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  return dispose
}
