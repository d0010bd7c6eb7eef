// What the schema of a provider block is built from: zod's mini edition, and the types of keys and values.
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
