// The identity in a table: short texts, which several processes may write at their first start.
import type { IdentityPart, StoredIdentity, StoreWords, Trace } from '../store.ts'
import { hasNotes } from './cluster-tables.ts'
import type { Database } from './database.ts'
import { quoted } from './migrations.ts'
import { isShared, refuseWhileAlone } from './occupants.ts'
import { ownerIn } from './open-journal.ts'
import { placeOfJournal } from './postgres-journal.ts'
import { heldRow, type Right, rightLost } from './right.ts'

/** After the first start of a cluster: hosts that are started together, or one after the other by a rollout. */
const youngFor = '5 minutes'

export interface IdentityTable {
  database: Database
  /** Quoted. */
  schema: string
  /** Of the store, for messages. */
  name: string
  alone: Right
  /** This process shares the state with others. */
  isShared(): boolean
  /** There are tables. */
  ready(): Promise<boolean>
}

export function identityTable({
  database,
  schema,
  name,
  alone,
  isShared: isSharedHere,
  ready,
}: IdentityTable): StoredIdentity {
  const placeOf = (part: string) => `${part} in ${name}`

  /**
   * Inserts a part, once for all who do so at this moment; resolves with what is there then, or with undefined where
   * `conflict` changes nothing. Throws STATE_RIGHT_LOST, and LOCK_HELD while another process has the state alone.
   */
  async function insert(part: IdentityPart, value: string, conflict: string): Promise<string | undefined> {
    for (;;) {
      const isAlone = !isSharedHere()
      const proof = isAlone ? alone.proof() : []
      const { rows } = await database.query(
        `WITH permitted AS (${isAlone ? heldRow(schema) : `SELECT WHERE ${isShared(schema)}`}),
         added AS (INSERT INTO ${schema}.identity AS i (part, value)
           SELECT $${proof.length + 1}::text, $${proof.length + 2}::text FROM permitted
           ON CONFLICT (part) DO ${conflict} RETURNING value)
         SELECT (SELECT count(*)::int FROM permitted) AS permitted, (SELECT value FROM added) AS value`,
        [...proof, part, value],
      )
      const [row] = rows as { permitted: number; value: string | null }[]
      if (row && row.permitted > 0) return row.value ?? undefined
      if (isAlone) throw rightLost(name)
      // Throws, unless that process has exited or gone.
      await refuseWhileAlone(database.query, schema, name)
    }
  }

  async function read(part: IdentityPart): Promise<string | undefined> {
    if (!(await ready())) return undefined
    const { rows } = await database.query(`SELECT value FROM ${schema}.identity WHERE part = $1`, [part])
    return rows[0] && String(rows[0]['value'])
  }

  async function partsThere(): Promise<string[]> {
    if (!(await ready())) return []
    const { rows } = await database.query(`SELECT part FROM ${schema}.identity`)
    return rows.map(({ part }) => String(part))
  }

  async function journals(condition: string): Promise<Trace[]> {
    if (!(await ready())) return []
    const { rows } = await database.query(
      `SELECT name, owner FROM ${schema}.journals WHERE ${condition} ORDER BY name = 'master' DESC, name`,
    )
    return (rows as { name: string; owner: string | null }[]).map((row) => {
      const owner = ownerIn(row.owner)
      return { place: placeOfJournal(row.name, name), ...(owner && { owner }) }
    })
  }

  return {
    isShared: true,
    read,
    async write(part, value) {
      // What is replaced or copied was made at another time, which is not known.
      const { count } = await database.query(
        `WITH held AS (${heldRow(schema)})
         INSERT INTO ${schema}.identity (part, value, written_at) SELECT $4::text, $5::text, to_timestamp(0) FROM held
         ON CONFLICT (part) DO UPDATE SET value = excluded.value, written_at = excluded.written_at`,
        [...alone.proof(), part, value],
      )
      if (count === 0) throw rightLost(name)
    },
    async settle(part, value) {
      return (await insert(part, value, 'NOTHING')) ?? (await read(part)) ?? value
    },
    async addIncarnation(line, most) {
      const lines = `string_to_array(btrim(i.value, E' \\n\\r\\t') || E'\\n' || excluded.value, E'\\n') AS l (lines)`
      const newest = `SELECT array_to_string(lines[greatest(1, cardinality(lines) - ${most} + 1):], E'\\n') FROM ${lines}`
      const text = await insert(
        'incarnations',
        line,
        `UPDATE SET value = (${newest}), written_at = clock_timestamp()`,
      )
      return (text ?? line).split('\n')
    },
    placeOf,
    async traces() {
      const there = await partsThere()
      const parts = ['writer-id', 'incarnations'].filter((part) => there.includes(part))
      return [...parts.map((part) => ({ place: placeOf(part) })), ...(await journals('in_use'))]
    },
    isNew: async () =>
      (await partsThere()).length === 0 &&
      (await journals('true')).length === 0 &&
      !((await ready()) && (await hasNotes({ database, schema }))),
    async isYoung() {
      if (!(await ready())) return false
      const { rows } = await database.query(
        `SELECT FROM ${schema}.identity WHERE part = 'writer-id' AND written_at > clock_timestamp() - interval '${youngFor}'`,
      )
      return rows.length > 0
    },
    pools: async () => (await journals('true')).flatMap(({ owner }) => owner?.pool ?? []),
    words: wordsOf(schema),
  }
}

function wordsOf(schema: string): StoreWords {
  const literal = (text: string) => `'${text.replaceAll("'", "''")}'`
  return {
    noun: 'schema',
    writeAgain: (part, value) =>
      `INSERT INTO ${schema}.identity (part, value) VALUES (${literal(part)}, ${literal(value)}) ON CONFLICT (part) DO UPDATE SET value = excluded.value`,
    startEmpty: (label) =>
      `start with an empty schema: ALTER SCHEMA ${schema} RENAME TO ${quoted(`${schema.slice(1, -1).replaceAll('""', '"')}_${label}`)}`,
    removeAll: `run DROP SCHEMA ${schema} CASCADE`,
  }
}
