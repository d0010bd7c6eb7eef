import { describe, expect, it } from 'vitest'
import { failureStages, lastStage } from '../../../src/agent-setup/stages.ts'

describe('the stage of a console', () => {
  it('is the last one that the script reported', () => {
    expect(lastStage('boot\nPROVISION_STAGE=started\nnoise\r\nPROVISION_STAGE=tls_unknown_ca\r\n')).toBe(
      'tls_unknown_ca',
    )
  })

  it('is found inside a kernel line', () => {
    expect(lastStage('[   12.3] cloud-init[812]: PROVISION_STAGE=image_pulled')).toBe('image_pulled')
  })

  it('is undefined without a report, or for an unknown stage', () => {
    expect(lastStage('')).toBeUndefined()
    expect(lastStage('PROVISION_STAGE=constructor PROVISION_STAGE=no_such_stage')).toBeUndefined()
  })

  it('has a different exit status for each failure', () => {
    const statuses = Object.values(failureStages).map((stage) => stage.exit)
    expect(new Set(statuses).size).toBe(statuses.length)
    // 126 and above have a meaning for the shell itself.
    expect(Math.max(...statuses)).toBeLessThan(126)
  })
})
