// Rows about the live master, dialled as agents of one pool would: can they join, and are they of its version.
import type { Clock } from '../../model/ports.ts'
import { problem } from '../../model/problem.ts'
import { productName } from '../../model/product.ts'
import type { MasterInfo } from '../../tls/preflight/info.ts'
import { applyPreflight } from '../../tls/preflight/policy.ts'
import type { PreflightResult } from '../../tls/preflight/preflight.ts'
import { preflightPool } from '../pool-preflight.ts'
import type { DialablePool } from '../prepare-pool.ts'
import { type CheckRow, rowsOf } from './row.ts'

const what = 'preflight'

/** @param isOurs the master is the built-in one of this configuration, which may not have been started yet */
export async function checkMaster(
  subject: string,
  dialable: DialablePool | undefined,
  { clock, isOurs }: { clock: Clock; isOurs: boolean },
): Promise<CheckRow[]> {
  const { passed, notChecked, of } = rowsOf(subject)
  if (!dialable) return [notChecked(what, 'what failed has to be right first')]
  const { preflight: mode } = dialable.pool.provider
  if (mode === 'off') return [notChecked(what, 'the pool says `preflight: off`')]
  const result = await preflightPool(dialable, clock)
  if (isOurs && result.problem?.code === 'PREFLIGHT_REFUSED')
    return [
      notChecked(
        what,
        `the built-in master does not run now (${placeOf(result)}); \`provision\` dials it again`,
      ),
    ]
  const { problem: fault } = applyPreflight(mode, result)
  const warnings = result.warnings.map((doubt) => of(what, doubt))
  if (fault) return [of(what, fault), ...warnings]
  const { master, protocol = 'plain http' } = result
  const rows = [passed(what, `agents would join at ${placeOf(result)} (${protocol})`), ...warnings]
  return master ? [...rows, ...checkVersion(subject, dialable, master)] : rows
}

function placeOf({ dialled: { host, port } }: PreflightResult): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** Determined's master and agents are released together; masters of ours speak to agents of that release. */
function checkVersion(subject: string, { setup }: DialablePool, master: MasterInfo): CheckRow[] {
  const { passed, notChecked, of } = rowsOf(subject)
  const { image } = setup.docker
  const topic = 'agent version'
  if (master.product === productName || setup.runtime !== 'docker') return []
  const tag = versionIn(image)
  if (tag === undefined) return [notChecked(topic, `the name of ${image} does not tell it`)]
  if (tag === master.version) return [passed(topic, `${tag}, as the master's`)]
  const message = `the master is of version ${master.version}, and agents would run ${image}`
  return [of(topic, problem('AGENT_VERSION_DIFFERS', message))]
}

/** Of the tag, which a digest may follow: `registry:5000/name:0.38.1@sha256:…`. */
function versionIn(image: string): string | undefined {
  return /:v?(\d+\.\d+\.\d+[^@:/]*)(@[^@/]*)?$/.exec(image)?.[1]
}
