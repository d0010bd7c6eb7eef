// The agents' CA, used nonces and bindings in tables. Changes need no lease: each states what it replaces.
import { createHash } from 'node:crypto'
import { ProvisionError, problem } from '../../problems/index.ts'
import {
  type Binding,
  bindingIn,
  bindingText,
  type CaContents,
  caIn,
  caText,
  type JoinStore,
  nonceMemory,
  type Revised,
} from '../join.ts'
import type { Answer, Database } from './database.ts'

export interface JoinTables {
  database: Database
  /** Quoted. */
  schema: string
  /** Of the store, for messages. */
  name: string
  /** There are tables. */
  ready(): Promise<boolean>
}

/** Used nonces after which expired ones are removed. */
const pruneEvery = 500

export function joinIn({ database, schema, name, ready }: JoinTables): JoinStore {
  let sincePrune = pruneEvery

  async function bindingsWhere(
    condition: string,
    values: readonly string[] = [],
  ): Promise<Revised<Binding>[]> {
    if (!(await ready())) return []
    const { rows } = await database.query(
      `SELECT contents, revision::int FROM ${schema}.join_bindings WHERE ${condition}`,
      values,
    )
    return rowsOf(rows).map(({ contents, revision }) =>
      parsed('a binding', () => bindingIn(contents, revision)),
    )
  }

  async function binding(instance: string): Promise<Revised<Binding> | undefined> {
    return (await bindingsWhere('instance = $1', [instance]))[0]
  }

  function parsed<T>(what: string, parse: () => T): T {
    try {
      return parse()
    } catch (cause) {
      const message = `${name}: ${what} in it is not valid`
      throw new ProvisionError(problem('AGENTS_CA_UNUSABLE', message, { cause }))
    }
  }

  async function pruneNonces(): Promise<void> {
    sincePrune = 0
    await database.query(
      `DELETE FROM ${schema}.join_nonces WHERE taken_at < clock_timestamp() - interval '${nonceMemory / 1000} seconds'`,
    )
  }

  return {
    async readCa(): Promise<Revised<CaContents> | undefined> {
      if (!(await ready())) return undefined
      const { rows } = await database.query(`SELECT contents, revision::int FROM ${schema}.join_ca`)
      const [row] = rowsOf(rows)
      return row && parsed("the agents' CA", () => caIn(row.contents, row.revision))
    },
    async replaceCa(contents, expected) {
      const text = caText(contents)
      const { count } =
        expected === undefined
          ? await database.query(
              `INSERT INTO ${schema}.join_ca (contents) VALUES ($1) ON CONFLICT DO NOTHING`,
              [text],
            )
          : await database.query(
              `UPDATE ${schema}.join_ca SET contents = $1, revision = revision + 1, written_at = clock_timestamp() WHERE revision = $2`,
              [text, expected],
            )
      return count > 0
    },
    async takeNonce(nonce) {
      if (++sincePrune > pruneEvery) await pruneNonces()
      const { count } = await database.query(
        `INSERT INTO ${schema}.join_nonces (sha256) VALUES ($1) ON CONFLICT DO NOTHING`,
        [createHash('sha256').update(nonce).digest('hex')],
      )
      return count > 0
    },
    binding,
    async bind(first) {
      for (;;) {
        const { count } = await database.query(
          `INSERT INTO ${schema}.join_bindings (instance, contents) VALUES ($1, $2) ON CONFLICT DO NOTHING`,
          [first.instance, bindingText(first)],
        )
        if (count > 0) return { ...first, revision: 1 }
        const found = await binding(first.instance)
        if (found) return found
      }
    },
    async replaceBinding(next, { instance, revision }) {
      const { count } = await database.query(
        `UPDATE ${schema}.join_bindings SET contents = $1, revision = revision + 1, written_at = clock_timestamp()
         WHERE instance = $2 AND revision = $3`,
        [bindingText(next), instance, revision],
      )
      return count > 0
    },
    bindings: () => bindingsWhere('true'),
    async removeBindings(instances) {
      if (!(await ready())) return
      await database.query(
        `DELETE FROM ${schema}.join_bindings WHERE instance IN
         (SELECT instance FROM ${schema}.join_bindings WHERE instance = ANY ($1::text[]) ORDER BY instance FOR UPDATE)`,
        [instances],
      )
    },
  }
}

function rowsOf(rows: Answer['rows']): { contents: string; revision: number }[] {
  return rows as { contents: string; revision: number }[]
}
