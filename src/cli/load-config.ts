// The configuration as every command reads it: with the providers this version has.
import { type Loaded, loadConfig as load } from '../config/load.ts'
import { builtInProviders } from '../providers/registry.ts'

export function loadConfig(file: string, { env }: { env: NodeJS.ProcessEnv }): Loaded {
  return load(file, { env, providers: builtInProviders })
}
