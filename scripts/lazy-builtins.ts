// Modules of Node that a command loads when it first uses them, not when it starts: `node:https` alone takes as long to load
// as Node takes to start, and most commands make no connection.

const lazy =
  /\b(?:__toESM\(\s*)?require\("(node:(?:child_process|crypto|fs\/promises|https?|net|os|readline|stream|stream\/consumers|timers\/promises|tls|zlib))"\)(?:(?<=__toESM\(\s*require\("[^"]*"\))(?:,\s*1)?\))?/g

/** An object that loads the module when one of its properties is read; its default export is itself. */
const helper =
  'var __onDemand=(require,id)=>new Proxy({},{get:(_,name,all)=>name==="default"?all:require(id)[name],has:(_,name)=>name in require(id)});'

/** The bundled text with those modules loaded on demand: what is imported is read from the module where it is used. */
export function withBuiltinsOnDemand(bundled: string): string {
  const strict = '"use strict";'
  if (!bundled.startsWith(strict)) throw new Error('the bundle does not start with "use strict"')
  return `${strict}${helper}${bundled.slice(strict.length).replace(lazy, '__onDemand(require,"$1")')}`
}
