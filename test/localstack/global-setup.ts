// Before the tests on LocalStack: bundles the program, and provides an EC2. AWS_ENDPOINT_URL names a running one;
// without
// it LocalStack is installed, started, and stopped at the end.
import type { TestProject } from 'vitest/node'
import { setup as bundled } from '../support/global-setup.ts'
import { installLocalStack } from './install.ts'
import { type Endpoint, startLocalStack } from './start.ts'

declare module 'vitest' {
  interface ProvidedContext {
    ec2Endpoint: string
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const removeBundle = await bundled(project)
  const endpoint = await openEndpoint()
  project.provide('ec2Endpoint', endpoint.url)
  console.log(`EC2 is ${endpoint.url}`)
  return async () => {
    await endpoint.stop()
    removeBundle()
  }
}

async function openEndpoint(): Promise<Endpoint> {
  const given = process.env['AWS_ENDPOINT_URL_EC2'] || process.env['AWS_ENDPOINT_URL']
  if (!given) return startLocalStack(await installLocalStack())
  if (/\.(?:amazonaws\.com|aws\.dev|api\.aws)(?:\.cn)?$/.test(new URL(given).hostname))
    throw new Error(`${given} is the real EC2, where VMs cost money: see docs/aws.md for that`)
  return { url: given, stop: async () => {} }
}
