// Preloaded into a process that must stay offline: loading an SDK, opening a socket or resolving a name ends it.
import dns from 'node:dns'
import { registerHooks } from 'node:module'
import net from 'node:net'

function forbidden(what) {
  process.stderr.write(`FORBIDDEN: ${what}\n`)
  process.exit(99)
}

registerHooks({
  resolve(specifier, context, next) {
    if (/vendor[/\\](aws|google|ws|x509|prom-client|handlebars)\.cjs$/.test(specifier))
      forbidden(`loads ${specifier}`)
    return next(specifier, context)
  },
})
net.Socket.prototype.connect = () => forbidden('opens a socket')
dns.lookup = () => forbidden('asks for a name')
