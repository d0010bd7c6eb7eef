// Which server this is: `GET /info` of a provisioner, of the built-in master, and of Determined's masters.

import * as z from 'zod/mini'

/** Printable, because it is shown and a master over plain text is not authenticated. */
const shown = z.string().check(z.regex(/^[\x21-\x7e]{1,100}$/))

export const infoSchema = z.object({
  version: shown,
  /** Tells a master from other services that have a version. */
  cluster_id: z.optional(z.string()),
  cluster_name: z.optional(z.string()),
  /** Name of this product; missing for Determined masters. */
  product: z.optional(shown),
})

export type InfoView = z.output<typeof infoSchema>
