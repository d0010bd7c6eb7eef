// How changes reach running instances: what an instance was made from, and how it differs from what is launched now.
// Imports platform, planner, pki, config, agent-setup and providers.
// Start here: launchedNow() in generation.ts describes what a pool launches, drifted() compares instances with it.

export { drifted } from './drift.ts'
export {
  type Generation,
  type LaunchedNow,
  launchedNow,
  restamped,
} from './generation.ts'
export { watchNewestImage } from './newest-image.ts'
