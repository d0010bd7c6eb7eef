// Keys of `type: local`: VMs are processes on this machine.
import * as z from 'zod/mini'
import { count, keyOr, kinds, needed } from '../../config/fields.ts'
import { commonKeys } from '../../config/provider-keys.ts'

export const localKeys = {
  slots: keyOr(count(0), 1, 'Slots each local agent shows; they are artificial.'),
}

export const localProvider = z
  .strictObject({
    type: needed(z.literal('local'), 'VMs that are processes on this machine.'),
    ...commonKeys,
    ...localKeys,
  })
  .register(kinds, { noun: 'a provider of type local' })

export type LocalKeys = z.output<typeof localProvider>
