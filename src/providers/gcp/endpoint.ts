// Where Google's APIs are asked: their public hosts, or what gcloud's own variables say
// (https://cloud.google.com/sdk/docs/properties#setting_properties_via_environment_variables).
import { ProvisionError, problem } from '../../problems/problem.ts'

type Env = Readonly<Record<string, string | undefined>>

export interface Endpoints {
  compute: URL
  resourceManager: URL
}

export function endpointsOf(env: Env): Endpoints {
  const universe = env['GOOGLE_CLOUD_UNIVERSE_DOMAIN'] || 'googleapis.com'
  return {
    compute: endpoint(env, 'CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE', `https://compute.${universe}`),
    resourceManager: endpoint(
      env,
      'CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDRESOURCEMANAGER',
      `https://cloudresourcemanager.${universe}`,
    ),
  }
}

/** Throws PROVIDER_CONFIG for what is no URL, and for plain http to another machine: tokens would be readable. */
function endpoint(env: Env, variable: string, standard: string): URL {
  const given = env[variable] || standard
  const url = URL.canParse(given) ? new URL(given) : undefined
  const loopback = url && /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname)
  if (url && (url.protocol === 'https:' || (url.protocol === 'http:' && loopback))) return url
  const message = `${variable} is ${url ? 'plain http' : 'no URL'}: ${given}`
  throw new ProvisionError(problem('PROVIDER_CONFIG', message, { remedy: 'Use an https:// URL.' }))
}
