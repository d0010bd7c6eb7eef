// The notes about the cluster in tables. Changes need no lease: each adds or removes its own rows, also those of a process that has
// just lost its leases, and every provisioner of the cluster makes them. Rows are changed in one order, so that none waits in a circle.
import { createHash } from 'node:crypto'
import type { Adoption, ClusterLocation, ClusterNotes, StoredCluster } from '../cluster.ts'
import type { Database, Query } from './database.ts'

export interface ClusterTables {
  database: Database
  /** Quoted. */
  schema: string
  /** The file of an earlier state in the folder of this machine; undefined when there is none. */
  earlier?: () => { text: string; notes: ClusterNotes } | undefined
}

export function clusterIn({ database, schema, earlier }: ClusterTables): StoredCluster {
  const changes = changesIn(database.query, schema)
  return {
    read: () => readNotes(database.query, schema),
    addLocation: (place) => changes.addLocations([place]),
    adopt: changes.adopt,
    addDrained: changes.addDrained,
    removeDrained: changes.removeDrained,
    async takeOver() {
      const found = earlier?.()
      if (!found) return
      const sha256 = createHash('sha256').update(found.text).digest('hex')
      await database.transaction(async (query) => {
        const { count } = await query(
          `INSERT INTO ${schema}.cluster_imports (sha256) VALUES ($1) ON CONFLICT DO NOTHING`,
          [sha256],
        )
        if (count === 0) return
        const { locations, adopted, drained } = found.notes
        const { addLocations, adopt, addDrained } = changesIn(query, schema)
        await addLocations(locations)
        await adopt(adopted)
        await addDrained(drained)
      })
    },
  }
}

/** Whether anything is noted. */
export async function hasNotes({ database, schema }: ClusterTables): Promise<boolean> {
  const { count } = await database.query(
    `SELECT 1 AS found FROM ${schema}.cluster_locations UNION ALL SELECT 1 FROM ${schema}.cluster_adopted
     UNION ALL SELECT 1 FROM ${schema}.cluster_drained LIMIT 1`,
  )
  return count > 0
}

function changesIn(query: Query, schema: string) {
  async function addLocations(places: readonly ClusterLocation[]): Promise<void> {
    await query(
      `INSERT INTO ${schema}.cluster_locations AS known (provider, location, account)
       SELECT DISTINCT ON (provider, location) provider, location, account
       FROM unnest($1::text[], $2::text[], $3::text[]) AS added (provider, location, account)
       ORDER BY provider, location, account NULLS LAST
       ON CONFLICT (provider, location) DO UPDATE SET account = excluded.account
       WHERE known.account IS NULL AND excluded.account IS NOT NULL`,
      [
        places.map(({ provider }) => provider),
        places.map(({ location }) => textOf(location)),
        places.map(({ account = null }) => account),
      ],
    )
  }
  return {
    addLocations,
    async adopt(adopted: readonly Adoption[]): Promise<void> {
      await query(
        `INSERT INTO ${schema}.cluster_adopted (writer, pool)
         SELECT DISTINCT writer, pool FROM unnest($1::text[], $2::text[]) AS added (writer, pool) ORDER BY writer, pool
         ON CONFLICT DO NOTHING`,
        [adopted.map(({ writer }) => writer), adopted.map(({ pool }) => pool)],
      )
    },
    async addDrained(ids: readonly string[]): Promise<void> {
      await query(
        `INSERT INTO ${schema}.cluster_drained (instance)
         SELECT DISTINCT instance FROM unnest($1::text[]) AS added (instance) ORDER BY instance ON CONFLICT DO NOTHING`,
        [ids],
      )
    },
    async removeDrained(ids: readonly string[]): Promise<void> {
      await query(
        `DELETE FROM ${schema}.cluster_drained WHERE instance IN
         (SELECT instance FROM ${schema}.cluster_drained WHERE instance = ANY ($1::text[]) ORDER BY instance FOR UPDATE)`,
        [ids],
      )
    },
  }
}

/** In one statement, so as they are at one moment. */
async function readNotes(query: Query, schema: string): Promise<ClusterNotes> {
  const { rows } = await query(
    `SELECT 'location' AS kind, provider AS one, location AS two, account AS three, noted_at FROM ${schema}.cluster_locations
     UNION ALL SELECT 'adopted', writer, pool, NULL, noted_at FROM ${schema}.cluster_adopted
     UNION ALL SELECT 'drained', instance, NULL, NULL, noted_at FROM ${schema}.cluster_drained
     ORDER BY noted_at, one, two`,
  )
  const of = (kind: string) =>
    (rows as { kind: string; one: string; two: string; three: string | null }[]).filter(
      (row) => row.kind === kind,
    )
  return {
    locations: of('location').map(({ one: provider, two: location, three: account }) => ({
      provider,
      location: JSON.parse(location) as ClusterLocation['location'],
      ...(account !== null && { account }),
    })),
    adopted: of('adopted').map(({ one: writer, two: pool }) => ({ writer, pool })),
    drained: of('drained').map(({ one: instance }) => instance),
  }
}

/** Equal for equal locations, whatever the order of the keys. */
function textOf(location: ClusterLocation['location']): string {
  return JSON.stringify(Object.fromEntries(Object.entries(location).sort()))
}
