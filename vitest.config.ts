import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig, type Plugin } from 'vitest/config'
import { straight } from './scripts/straight.ts'

const src = join(import.meta.dirname, 'src')
const entries = readdirSync(src)
  .map((room) => join(src, room, 'index.ts'))
  .filter((file) => existsSync(file))
  .reduce((hash, file) => hash.update(readFileSync(file)), createHash('sha256'))
  .digest('hex')

/** Each test file loads what it tests, not all of the rooms it touches. */
const plugins: Plugin[] = [
  {
    name: 'straight',
    enforce: 'pre',
    transform: (code, id) =>
      /\/src\/.*\.ts$/.test(id) ? { code: straight(id, code), map: null } : undefined,
    // What a file becomes depends on the entries of the rooms that it imports.
    configureVitest: ({ defineCacheKeyGenerator }) => defineCacheKeyGenerator(() => entries),
  },
]

/** Examples and their tests know the package by its name. */
const alias = {
  'dynamic-agent-provisioner/testing': join(import.meta.dirname, 'src/testing/index.ts'),
  'dynamic-agent-provisioner': join(import.meta.dirname, 'src/index.ts'),
}

const common = {
  environment: 'node',
  globalSetup: 'test/support/global-setup.ts',
  // Far beyond what any test takes: a busy machine is no failure.
  testTimeout: 90_000,
  hookTimeout: 90_000,
  expect: { poll: { timeout: 60_000 } },
} as const

export default defineConfig({
  test: {
    // Many tests wait for processes and sockets: more of them at once than there are processors.
    maxWorkers: 4,
    projects: [
      {
        plugins,
        resolve: { alias },
        test: {
          ...common,
          name: 'default',
          // Files share their worker's modules: loading them anew for each file took a third of the whole run.
          isolate: false,
          include: [
            'test/{unit,contract,simulation,integration,golden,architecture}/**/*.test.ts',
            'examples/**/*.test.ts',
          ],
        },
      },
      {
        plugins,
        test: {
          ...common,
          name: 'localstack',
          include: ['test/localstack/**/*.test.ts'],
          globalSetup: 'test/localstack/global-setup.ts',
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        plugins,
        test: {
          ...common,
          name: 'tools',
          include: ['test/tools/**/*.test.ts'],
          // They install packages and compile programs.
          testTimeout: 300_000,
          hookTimeout: 600_000,
        },
      },
      {
        plugins,
        test: {
          ...common,
          name: 'network',
          include: ['test/network/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        plugins,
        test: {
          ...common,
          name: 'boot',
          include: ['test/boot/**/*.test.ts'],
          globalSetup: 'test/boot/support/global-setup.ts',
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        plugins,
        test: {
          ...common,
          name: 'vm',
          include: ['test/vm/**/*.test.ts'],
          globalSetup: 'test/vm/support/global-setup.ts',
          testTimeout: 2_700_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
