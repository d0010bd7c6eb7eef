// Which server this is: `GET /info` of a provisioner, of the built-in master, and of Determined's masters.

import * as z from 'zod/mini'

/** Printable, since it is shown; nobody has vouched for a master that is dialled in plain text. */
const shown = z.string().check(z.regex(/^[\x21-\x7e]{1,100}$/))

export const infoSchema = z.object({
  version: shown,
  /** Other services that have a version have none. */
  cluster_id: z.optional(z.string()),
  cluster_name: z.optional(z.string()),
  /** What servers of ours call themselves; Determined's masters have none. */
  product: z.optional(shown),
})

export type InfoView = z.output<typeof infoSchema>
