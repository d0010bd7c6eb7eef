// Preloaded into a process that runs sources: imports skip the entry files of rooms, as in the bundle.
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
