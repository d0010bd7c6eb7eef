// `dynamic-agent-provisioner/testing`: tests a provider against the contract, with Vitest. docs/internals/adding-a-provider.md

export { orderOf, ownerOf, userDataOf } from './order.ts'
export { describeProviderContract } from './provider-contract.ts'
export {
  type Ability,
  abilities,
  optionalAbilities,
  type ProviderHarness,
  type ProviderSubject,
} from './provider-harness.ts'
