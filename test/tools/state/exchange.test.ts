// The contract of the exchange on a real PostgreSQL, with connections of two processes.
import { afterAll } from 'vitest'
import { describeExchangeContract } from '../../contract/exchange-contract.ts'
import { exchangeIn } from '../../contract/exchange-tables.ts'
import { type PostgresCluster, postgresCluster } from '../../support/postgres-cluster.ts'
import { databaseOf } from '../../support/postgres-database.ts'

let running: Promise<PostgresCluster> | undefined
let count = 0
afterAll(async () => (await running)?.dispose())

describeExchangeContract('PostgreSQL', {
  can: ['stores', 'sessions'],
  async open() {
    running ??= postgresCluster()
    const [own, others] = [databaseOf(await running), databaseOf(await running)]
    return {
      ...(await exchangeIn(own, others, `Odd "name" ${++count}`)),
      async dispose() {
        await own.close()
        await others.close()
      },
    }
  },
})
