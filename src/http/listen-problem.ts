// Why a port cannot be had, and what to do about it.
import { type Problem, problem } from '../problems/problem.ts'

/** `error` is what `server.listen` emitted. */
export function listenProblem(error: NodeJS.ErrnoException, address: string, port: number): Problem {
  const host = address.includes(':') ? `[${address}]` : address
  const place = `${host || 'every address'}, port ${port}`
  const rest = { details: { address, port, code: error.code }, cause: error }
  switch (error.code) {
    case 'EADDRINUSE':
      return problem('LISTEN_PORT_TAKEN', `another process listens on ${place}`, {
        ...rest,
        remedy: `Stop that process (\`ss -ltnp 'sport = :${port}'\` names it), or configure another port.`,
      })
    case 'EACCES':
      return problem('LISTEN_NOT_PERMITTED', `this user may not listen on ${place}`, {
        ...rest,
        remedy: `Ports below 1024 need CAP_NET_BIND_SERVICE: configure a port such as 8443, or grant it.`,
      })
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return problem('LISTEN_NO_SUCH_ADDRESS', `${host} is not an address of this machine`, rest)
    default:
      return problem('LISTEN_FAILED', `cannot listen on ${place}: ${error.message}`, rest)
  }
}
