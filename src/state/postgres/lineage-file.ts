// What this host remembers of the database, in a file beside its lock: a disk that was put back cannot change it.
import * as z from 'zod/mini'
import { type Logger, readPlainFile, replaceFile } from '../../platform/index.ts'
import { type Lineage, positionOf, positionText } from './lineage.ts'

export interface RememberedLineage extends Lineage {
  /** Of the row that this host writes: a random UUID. */
  host: string
}

export interface LineageFile {
  /** undefined before the first start here, and where the file is not readable, which is logged. */
  read(): RememberedLineage | undefined
  /** Never throws: without it only what happens while this process runs is noticed. */
  write(remembered: RememberedLineage): Promise<void>
}

const contents = z.object({
  host: z.uuid(),
  system: z.optional(z.string()),
  timeline: z.optional(z.int()),
  wal: z.optional(z.string().check(z.regex(/^[0-9A-F]+\/[0-9A-F]+$/))),
  beats: z.int(),
})

export function lineageFile(file: string, logger: Logger): LineageFile {
  let failing = false
  return {
    read() {
      try {
        const text = readPlainFile(file)
        if (text === undefined) return undefined
        const { wal, ...rest } = contents.parse(JSON.parse(text))
        return { ...rest, ...(wal !== undefined && { wal: positionOf(wal) }) } as RememberedLineage
      } catch (error) {
        logger.warn('the file about the database cannot be read and is written again', { file, error })
        return undefined
      }
    },
    async write({ wal, ...rest }) {
      const text = JSON.stringify({ ...rest, ...(wal !== undefined && { wal: positionText(wal) }) })
      try {
        await replaceFile(file, [Buffer.from(`${text}\n`)])
        failing = false
      } catch (error) {
        if (!failing) logger.error('the file about the database cannot be written', { file, error })
        failing = true
      }
    },
  }
}
