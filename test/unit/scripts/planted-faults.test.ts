// Faults are planted by text: when the sources change, the faults have to follow.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { plantedFaults } from '../../../scripts/planted-faults/faults.ts'
import { root } from '../../support/sources.ts'

it.each(plantedFaults)('"$name" can be planted', ({ edits }) => {
  for (const { file, find } of edits) {
    const parts = readFileSync(join(root, 'src', file), 'utf8').split(find)
    expect(parts.length - 1, `times its text stands in src/${file}`).toBe(1)
  }
})
