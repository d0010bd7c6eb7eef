// Codes of reading and checking the configuration.
import type { CodeInfo } from './code-info.ts'
import { configFileCodes } from './config-file.ts'
import { configKeyCodes } from './config-keys.ts'
import { configProviderCodes } from './config-providers.ts'

export const configCodes = {
  ...configFileCodes,
  ...configKeyCodes,
  ...configProviderCodes,
} as const satisfies Record<string, CodeInfo>
