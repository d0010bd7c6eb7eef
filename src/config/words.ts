// What the schema of a provider block is made with: zod's small edition, and the kinds of keys and values we have.
export * from 'zod/mini'
export {
  block,
  choice,
  count,
  duration,
  flag,
  key,
  keyOr,
  name,
  names,
  needed,
  oldKey,
  period,
  port,
  shaped,
  text,
} from './fields.ts'
export { instanceTypes, spotKey } from './provider-keys.ts'
