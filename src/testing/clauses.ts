// Clauses of a contract: each lists the abilities that the subject needs for it. Skipped clauses are printed.
import { afterAll, expect, it } from 'vitest'

/** `!ability`: the clause applies only if the ability is missing. */
export type Need<A extends string> = A | `!${A}`

export type Clause<A extends string> = (text: string, needs: Need<A>[], body: () => Promise<void>) => void

/** Call it inside `describe`. */
export function clausesFor<A extends string>(name: string, can: readonly A[]): Clause<A> {
  const skipped: string[] = []
  const has = (need: Need<A>) =>
    need.startsWith('!') ? !can.includes(need.slice(1) as A) : can.includes(need as A)
  afterAll(() => {
    if (skipped.length > 0) console.log(`${name} cannot show:\n${skipped.map((s) => `  - ${s}`).join('\n')}`)
  })
  return (text, needs, body) => {
    const unmet = needs.filter((need) => !has(need))
    if (unmet.length > 0) skipped.push(`${text} (${unmet.join(', ')})`)
    it.skipIf(unmet.length > 0)(text, body)
  }
}

/** Endpoints may answer late and machines may be busy: fails after 10 s. */
export const eventually: typeof expect.poll = (read, options) =>
  expect.poll(read, { timeout: 10_000, ...options })
