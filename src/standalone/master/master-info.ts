// What anybody may know about this master: GET /info as agents and the origin's CLI read it, and GET /api/v1/master.
import { productName } from '../../http/product.ts'
import type { MasterInfo } from '../protocol/agent-message.ts'
import { ok, type Route } from './router.ts'

export function masterInfoRoutes(info: MasterInfo): Route[] {
  return [
    {
      method: 'GET',
      path: '/info',
      answer: () => ok({ ...info, product: productName }),
    },
    {
      method: 'GET',
      path: '/api/v1/master',
      answer: () =>
        ok({
          version: info.version,
          masterId: info.master_id,
          clusterId: info.cluster_id,
          clusterName: info.cluster_name,
          telemetryEnabled: info.telemetry.enabled,
          externalLoginUri: '',
          externalLogoutUri: '',
          branding: 'determined',
          rbacEnabled: false,
          strictJobQueueControl: false,
          product: 'PRODUCT_UNSPECIFIED',
          featureSwitches: [],
          userManagementEnabled: false,
          ssoProviders: [],
          hasCustomLogo: false,
        }),
    },
  ]
}
