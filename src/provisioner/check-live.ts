// Rows about the live master, dialled as agents of one pool would: can they join, and are they of its version.

import { productName } from '../http/product.ts'
import type { MasterInfo } from '../pki/info.ts'
import { applyPreflight } from '../pki/policy.ts'
import type { PreflightResult } from '../pki/preflight.ts'
import type { Clock } from '../platform/ports.ts'
import { problem } from '../problems/problem.ts'
import { preflightPool } from './pool-preflight.ts'
import type { DialablePool } from './prepare-pool.ts'
import { type CheckRow, rowsOf } from './row.ts'

const joining = 'preflight'
const versions = 'agent version'

export interface MasterCheckInput {
  clock: Clock
  /** The master is the built-in one of this configuration, which may not have been started yet. */
  isOurs: boolean
}

/** @param dialable undefined when it is not known how agents would dial */
export async function checkMaster(
  subject: string,
  dialable: DialablePool | undefined,
  input: MasterCheckInput,
): Promise<CheckRow[]> {
  const { notChecked } = rowsOf(subject)
  const { rows, master } = await joinRows(subject, dialable, input)
  if (master && dialable) return [...rows, ...versionRows(subject, dialable, master)]
  return input.isOurs ? rows : [...rows, notChecked(versions, 'no master has told its own')]
}

async function joinRows(
  subject: string,
  dialable: DialablePool | undefined,
  { clock, isOurs }: MasterCheckInput,
): Promise<{ rows: CheckRow[]; master?: MasterInfo }> {
  const { passed, notChecked, of } = rowsOf(subject)
  if (!dialable) return { rows: [notChecked(joining, 'what failed has to be right first')] }
  const { preflight: mode } = dialable.pool.provider
  if (mode === 'off') return { rows: [notChecked(joining, 'the pool says `preflight: off`')] }
  const result = await preflightPool(dialable, clock)
  const place = placeOf(result)
  if (isOurs && result.problem?.code === 'PREFLIGHT_REFUSED')
    return {
      rows: [
        notChecked(joining, `the built-in master does not run now (${place}); \`provision\` dials it again`),
      ],
    }
  const { problem: fault } = applyPreflight(mode, result)
  const warnings = result.warnings.map((doubt) => of(joining, doubt))
  if (fault) return { rows: [of(joining, fault), ...warnings] }
  const found = passed(joining, `agents would join at ${place} (${result.protocol ?? 'plain http'})`)
  return { rows: [found, ...warnings], master: result.master }
}

function placeOf({ dialled: { host, port } }: PreflightResult): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** Determined's master and agents are released together; masters of ours speak to agents of that release. */
function versionRows(subject: string, { setup }: DialablePool, master: MasterInfo): CheckRow[] {
  const { passed, notChecked, of } = rowsOf(subject)
  const { image } = setup.docker
  if (master.product === productName || setup.runtime !== 'docker') return []
  const tag = versionIn(image)
  if (tag === undefined) return [notChecked(versions, `the name of ${image} does not tell it`)]
  if (tag === master.version) return [passed(versions, `${tag}, as the master's`)]
  const message = `the master is of version ${master.version}, and agents would run ${image}`
  return [of(versions, problem('AGENT_VERSION_DIFFERS', message))]
}

/** Of the tag, which a digest may follow: `registry:5000/name:0.38.1@sha256:…`. */
function versionIn(image: string): string | undefined {
  return /:v?(\d+\.\d+\.\d+[^@:/]*)(@[^@/]*)?$/.exec(image)?.[1]
}
