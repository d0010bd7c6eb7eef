// The kinds of providers this version has: one line for each. Their order is that of lists people see.
import { aws } from './aws/definition.ts'
import type { AnyProvider } from './definition.ts'
import { gcp } from './gcp/definition.ts'
import { local } from './local/definition.ts'

export const builtInProviders: readonly AnyProvider[] = [aws, gcp, local]
