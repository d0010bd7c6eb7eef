// Preloaded into a process that runs sources: they are loaded as they are bundled, past the entry files of rooms.
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'
import { straight } from '../../scripts/straight.ts'

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context)
    if (!/^file:.*\/src\/.*\.ts$/.test(url)) return loaded
    return { ...loaded, source: straight(fileURLToPath(url), String(loaded.source)) }
  },
})
