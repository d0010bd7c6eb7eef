// The configuration as the program reads it, with its providers.
import * as load from '../../src/config/index.ts'
import { builtInProviders } from '../../src/providers/index.ts'

type Options = Partial<load.LoadOptions>

export function loadConfig(file: string, options: Options = {}): load.Loaded {
  return load.loadConfig(file, { providers: builtInProviders, ...options })
}

export function parseConfig(text: string, file: string, options: Options = {}): load.Loaded {
  return load.parseConfig(text, file, { providers: builtInProviders, ...options })
}
